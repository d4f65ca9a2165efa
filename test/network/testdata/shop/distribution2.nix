# The orders have moved.
{ infrastructure }:

{
  orders = [ infrastructure.node2 ];
  front = [ infrastructure.node3 ];
  mailer = [ infrastructure.node3 ];
}
