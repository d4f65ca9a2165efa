# One service per target. Each talks to the next one.
{ infrastructure }:

{
  hello-server = [ infrastructure.shop ];
  hello-gateway = [ infrastructure.office ];
  hello = [ infrastructure.desk ];
}
