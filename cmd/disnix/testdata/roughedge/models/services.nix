{ version ? "1", ... }:
{
  a = {
    name = "a";
    type = "wrapper";
    pkg = derivation {
      name = "a";
      inherit version;
      system = builtins.currentSystem;
      builder = "/bin/sh";
      PATH = builtins.getEnv "PATH";
      ACTIVE = "${builtins.getEnv "WORK"}/active";
      args = [ "-c" ''
        mkdir -p $out/bin
        printf '#!/bin/sh\ncase $1 in activate) touch %s;; deactivate) rm -f %s;; esac\n' "$ACTIVE" "$ACTIVE" > $out/bin/wrapper
        echo $version > $out/version
        chmod +x $out/bin/wrapper
      '' ];
    };
  };
}
