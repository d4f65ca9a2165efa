builtins.listToAttrs (map (name: {
  inherit name;
  value = {
    properties.hostname = name;
    containers = { echo = { }; fileset.targetDir = "/srv/shop"; };
  };
}) [ "node1" "node2" "node3" ])
