# Three targets with addresses of their own, reached through SSH: the client
# interface disnix-ssh-client is what a target has that names none.
let
  target = hostname: {
    properties = { inherit hostname; };
    containers.process = {
      runtimeDir = "/run";
      listenAddress = "0.0.0.0";
      timeout = 30;
    };
  };
in
{
  node1 = target "node1";
  node2 = target "node2";
  node3 = target "node3";
}
