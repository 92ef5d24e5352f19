#!/bin/sh
# openapi.sh lint | contract TEST…: api/openapi.json before outside judges. Their programs come from npm, into
# build/npm, without running anything of theirs on the way.
set -eu
cd "$(dirname "$0")/.."
tools=build/npm
mkdir -p "$tools"

# The versions are those that Debian 12's Node runs.
need() {
    [ -d "$tools/node_modules/${1%@*}" ] && grep -q "\"version\": \"${1##*@}\"" "$tools/node_modules/${1%@*}/package.json" ||
        npm install --prefix "$tools" --no-audit --no-fund --ignore-scripts --loglevel=error "$1"
}

case $1 in
lint)
    need @redocly/cli@1.34.5
    need @stoplight/spectral-cli@6.16.3
    export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true
    "$tools/node_modules/.bin/redocly" lint --config tests/openapi.redocly.yaml api/openapi.json
    "$tools/node_modules/.bin/spectral" lint --ruleset tests/openapi.spectral.yaml --fail-severity=warn api/openapi.json
    ;;
contract)
    shift
    need @stoplight/prism-cli@5.14.2
    C9_CONTRACT="$PWD/$tools/node_modules/.bin/prism" prove --exec 'timeout -k 10 600' --timer --failures -j2 "$@"
    ;;
*)
    echo "usage: openapi.sh lint | contract TEST…" >&2
    exit 2
    ;;
esac
