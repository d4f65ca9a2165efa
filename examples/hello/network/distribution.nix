# One service per target.
{ infrastructure }:

{
  hello-server = [ infrastructure.node1 ];
  hello-gateway = [ infrastructure.node2 ];
  hello = [ infrastructure.node3 ];
}
