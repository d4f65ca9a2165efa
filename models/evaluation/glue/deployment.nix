# A deployment model: a manifest in the notation of Nix. Nothing is computed;
# targets may leave out what has a default.
{ deploymentFile, targetProperty, clientInterface }:

let
  inherit (builtins) isAttrs isList map mapAttrs;
  inherit (import ./attrs.nix) context describe expect pairs;
  values = import ./values.nix;

  model = context "the deployment model ${deploymentFile}" (
    let value = import deploymentFile; in
    if isAttrs value then value
    else throw "the deployment model must be an attribute set, not ${describe value}");

  locate = import ./targets.nix {
    infrastructure = model.infrastructure or { };
    inherit targetProperty clientInterface;
  };

  setOf = encode: set: if isAttrs set then pairs (mapAttrs (_: encode) set) else { invalid = describe set; };
  listOf = encode: list: if isList list then map encode list else { invalid = describe list; };
  string = expect [ "string" "null" ];

  path = text: context "a store path of the deployment model ${deploymentFile}" (
    if text == null then { invalid = "null"; } else values.package text);

  mapping = m:
    if !(isAttrs m) then { invalid = describe m; }
    else {
      service = string (m.service or null);
      container = string (m.container or null);
      target = string (m.target or null);
      component = string (m.component or null);
      containerProvidedByService = string (m.containerProvidedByService or null);
    };

  service = s:
    if !(isAttrs s) then { invalid = describe s; }
    else {
      name = string (s.name or null);
      type = string (s.type or null);
      pkg = path (s.pkg or null);
      dependsOn = listOf mapping (s.dependsOn or [ ]);
      connectsTo = listOf mapping (s.connectsTo or [ ]);
      providesContainers = setOf values.properties (s.providesContainers or { });
      readiness = if s.readiness or null == null then null else values.properties s.readiness;
    };
in
{
  profiles = setOf path (model.profiles or { });
  services = setOf service (model.services or { });
  serviceMappings = listOf mapping (model.serviceMappings or [ ]);
  snapshotMappings = listOf mapping (model.snapshotMappings or [ ]);
  targets = pairs (mapAttrs
    (name: target: (import ./output.nix).target target // { address = locate.addresses.${name}; packages = [ ]; })
    locate.targets);
}
