# Which service goes where.
{ infrastructure }:

{
  hello-server = [ infrastructure.node1 ];
  hello-gateway = [ infrastructure.node2 ];
  hello = [ infrastructure.node2 ];
}
