{
  node1 = {
    properties.hostname = "node1";
    numOfCores = 2;
    containers.process = { runtimeDir = "/run"; timeout = 30; stopTimeout = 30; };
  };
  node2 = {
    properties.hostname = "node2";
    containers.echo = { };
  };
}
