#!/bin/sh
# Deploys the example, talks to it, upgrades it, goes back, and removes it.
# Everything it writes is in a directory of its own, which it removes again.
set -eu

example=$(cd "$(dirname "$0")" && pwd)
PATH=$example/../../bin:$PATH

demo=$(mktemp -d "${TMPDIR:-/tmp}/disnix-demo.XXXXXX")
export HELLO_STATE_DIR="$demo"
export NIX_STORE_DIR="$demo/store" NIX_STATE_DIR="$demo/nix" NIX_LOG_DIR="$demo/log"
export NIX_CONF_DIR="$demo/etc" NIX_REMOTE=
export DYSNOMIA_STATEDIR="$demo/dysnomia" TMPDIR="$demo/tmp" HOME="$demo/home"
mkdir -p "$NIX_CONF_DIR" "$TMPDIR" "$HOME" "$demo/node1/run" "$demo/node2/run"
printf '%s\n' 'build-users-group =' 'sandbox = false' 'substituters =' > "$NIX_CONF_DIR/nix.conf"

# A demo that is interrupted takes its services down, too.
cleanup() {
    for pid_file in "$demo"/node?/run/*.pid; do
        [ ! -e "$pid_file" ] || kill "$(cat "$pid_file")" 2> /dev/null || true
    done
    chmod -R u+w "$demo"
    rm -rf "$demo"
}
trap cleanup EXIT
trap 'exit 130' HUP INT PIPE TERM

say() { printf '\n== %s\n' "$*"; }
# Runs a command and shows it with its output, without the long name of the
# directory.
run() {
    printf '$' && for word; do
        case $word in *[!-A-Za-z0-9_./=@\$]*) word="'$word'" ;; esac
        printf ' %s' "$word"
    done | sed "s|$demo|\$DEMO|g" && echo
    status=0
    "$@" > "$demo/output" 2>&1 || status=$?
    sed "s|$demo|\$DEMO|g" "$demo/output"
    return "$status"
}

models="-s services.nix -i infrastructure.nix -d distribution.nix"
profiles=$NIX_STATE_DIR/profiles/disnix
[ "$(id -u)" = 0 ] || profiles=$NIX_STATE_DIR/profiles/per-user/$(id -un)/disnix
client=$profiles/default@node2/bin/hello
cd "$example"

say "What would be done? (nothing is touched)"
run disnix-env $models --dry-run

say "Deploy three services to two targets"
run disnix-env $models

say "Talk to the server through the deployed client"
run "$client"

say "What is installed where?"
run disnix-query infrastructure.nix

say "Upgrade: another greeting changes the server, and thereby all that depends on it"
run disnix-env $models --extra-params '{ greeting = "Good morning"; }'
run "$client"

say "Go back to the generation before"
run disnix-env --rollback
run "$client"

say "Every deployment is a generation"
run disnix-env --list-generations

say "Undeploy everything"
run disnix-env --undeploy -i infrastructure.nix
! "$client" 2> /dev/null || exit 1

say "Done. The demo leaves nothing behind."
