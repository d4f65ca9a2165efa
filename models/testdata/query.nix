{
  "node1" = {
    "profileManifest" = {
      "services" = {
        "3f1c" = {
          "name" = "orders";
          "pkg" = builtins.storePath /nix/store/bbbb-orders;
          "type" = "pg-database";
          "dependsOn" = [
            {
              "service" = "77ab";
              "container" = "process";
              "target" = "node1";
            }
          ];
          "connectsTo" = [
          ];
          "providesContainers" = {
          };
        };
        "77ab" = {
          "name" = "dbserver";
          "pkg" = builtins.storePath /nix/store/cccc-dbserver;
          "type" = "process";
          "dependsOn" = [
          ];
          "connectsTo" = [
          ];
          "providesContainers" = {
            "pg-database" = {
              "pgPort" = 5432;
            };
          };
        };
      };
      "serviceMappings" = [
        {
          "service" = "3f1c";
          "container" = "pg-database";
          "target" = "node1";
          "containerProvidedByService" = "77ab";
        }
        {
          "service" = "77ab";
          "container" = "process";
          "target" = "node1";
        }
      ];
      "snapshotMappings" = [
      ];
    };
  };
}
