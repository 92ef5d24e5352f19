#!/bin/sh
# The daemon in the foreground, its state in ./var. Usage: run.sh BUILD
set -eu
build=$1
mkdir -p var
if [ ! -f var/c9d.conf ]; then
    cat > var/c9d.conf <<EOF
[daemon]
state = $PWD/var/state

# An offline, deterministic provider, so that agents can be tried without a key.
[model default]
plugin = fake
EOF
fi
if [ ! -d var/state ]; then
    (umask 077; "$build/c9d" init -c var/c9d.conf > var/token)
fi
cat >&2 <<EOF
API      http://127.0.0.1:8420/v1   (its description: /v1/openapi.json)
token    in ./var/token; another one: $build/c9ctl token create NAME --scope admin
try      export C9CTL_URL=http://127.0.0.1:8420 C9CTL_TOKEN=\$(cat var/token); $build/c9ctl status
EOF
exec "$build/c9d" run -c var/c9d.conf
