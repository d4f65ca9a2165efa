{ infrastructure }:
{ a = [ infrastructure.node1 ]; }
