# Two targets, both of them on this machine: disnix-run-activity deploys
# without a network.
let
  stateDir = builtins.getEnv "HELLO_STATE_DIR";
  target = name: hostname: {
    properties = { inherit hostname; };
    clientInterface = "disnix-run-activity";
    numOfCores = 2;
    containers.process = {
      runtimeDir = "${stateDir}/${name}/run";
      timeout = 30;
    };
  };
in
{
  node1 = target "node1" "localhost";
  node2 = target "node2" "127.0.0.1";
}
