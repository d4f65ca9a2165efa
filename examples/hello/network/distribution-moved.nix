# The server has moved to the target of the client.
{ infrastructure }:

{
  hello-server = [ infrastructure.node3 ];
  hello-gateway = [ infrastructure.node2 ];
  hello = [ infrastructure.node3 ];
}
