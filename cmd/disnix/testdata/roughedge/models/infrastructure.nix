{
  node1 = {
    properties = { hostname = "node1"; address = "localhost"; };
    clientInterface = "disnix-run-activity";
    containers.wrapper = { };
  };
}
