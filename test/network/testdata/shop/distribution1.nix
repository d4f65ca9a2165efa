{ infrastructure }:

{
  orders = [ infrastructure.node1 ];
  front = [ infrastructure.node2 ];
  mailer = [ infrastructure.node3 ];
}
