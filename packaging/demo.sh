#!/bin/sh
# The main job, from nothing: a daemon in a temporary folder, two skills, two agents, two executions, all through the REST
# API by c9ctl. Usage: demo.sh BUILD. A real provider instead of the offline one: C9D_DEMO_MODEL_URL (the base URL of an
# OpenAI-compatible API), C9D_DEMO_MODEL_KEY_FILE, C9D_DEMO_MODEL.
set -eu
build=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
here=packaging/demo
examples=skills/examples
folder=$(mktemp -d)
daemon=
finish() {
    status=$?
    trap - EXIT INT TERM
    if [ -n "$daemon" ]; then
        kill "$daemon" 2> /dev/null || true
        wait "$daemon" || status=$?
    fi
    [ "$status" -eq 0 ] || { echo "the daemon's log:"; cat "$folder/log"; } >&2
    rm -rf "$folder"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
# Shows the command, then runs it.
do_it() {
    printf '$ c9ctl'
    for word in "$@"; do
        case $word in *[!A-Za-z0-9_./=@-]*) printf " '%s'" "$word" ;; *) printf ' %s' "$word" ;; esac
    done
    echo
    "$build/c9ctl" "$@"
}

say "1. A daemon on loopback, with SQLite and the embedded queue"
{
    printf '[daemon]\nstate = %s/state\n[http]\nlisten = 127.0.0.1:0\naccess_log = off\n' "$folder"
    if [ -n "${C9D_DEMO_MODEL_URL:-}" ]; then
        printf '[model default]\nplugin = openai\nbase_url = %s\nmodel = %s\n' "$C9D_DEMO_MODEL_URL" "${C9D_DEMO_MODEL:-gpt-4o-mini}"
        [ -z "${C9D_DEMO_MODEL_KEY_FILE:-}" ] || printf 'api_key_file = %s\n' "$C9D_DEMO_MODEL_KEY_FILE"
    else
        cp "$here/replies.json" "$folder/replies.json"
        printf '[model default]\nplugin = fake\nscript = %s/replies.json\ndelay = 300ms\nprice_input = 15\nprice_output = 60\n' "$folder"
    fi
} > "$folder/c9d.conf"
"$build/c9d" init -c "$folder/c9d.conf" > "$folder/token" 2> /dev/null
"$build/c9d" run -c "$folder/c9d.conf" 2> "$folder/log" &
daemon=$!
for _ in $(seq 100); do
    url=$(sed -n 's/.*listens on \(http:[^ ]*\).*/\1/p' "$folder/log")
    [ -z "$url" ] || break
    kill -0 "$daemon" 2> /dev/null || exit 1
    sleep 0.1
done
export C9CTL_URL="$url" C9CTL_TOKEN_FILE="$folder/token"
do_it status

say "2. Two skills: first tried in the sandbox, then uploaded"
do_it skill test "$examples/csv_report.lua" "$examples/calculator.lua"
do_it skill upload "$examples/csv_report.lua" "$examples/calculator.lua"

say "3. Two agents: one runs a skill, one thinks with a model and has the other skill as a tool"
do_it agent create -f "$here/reporter.json"
do_it version create reporter
do_it version publish reporter 1.0.0
do_it persona create analyst --prompt "$here/persona.txt"
persona=$("$build/c9ctl" --json persona get analyst | sed -n 's/.*"id": *"\([^"]*\)".*/\1/p' | head -n 1)
cat > "$folder/analyst.json" <<EOF
{ "name": "analyst", "description": "Answers questions about numbers.", "triggerMode": "manual", "personaId": "$persona",
  "skillset": ["calculator"], "executionConfig": { "maxSteps": 6, "limits": { "tokens": 20000, "costCents": 5 } } }
EOF
do_it agent create -f "$folder/analyst.json"
do_it version create analyst
do_it version publish analyst 1.0.0

say "4. Both executed on real input, each in a locked-down process of its own"
do_it run reporter --input-json '{"group_by":"service","sum":["requests","errors"],"top":3}' --set "csv=@$examples/data/requests.csv"
do_it run analyst --input-json '"Search had 95 errors in 36323 requests, checkout 59 in 4082. Which error rate is worse, and by how much?"'

say "5. What they did and used"
for id in $("$build/c9ctl" --json execution list | grep -o '"id": *"[^"]*"' | cut -d'"' -f4); do
    do_it execution logs "$id" --level debug
done
do_it execution list

say "6. A clean stop"
kill "$daemon"
wait "$daemon"
daemon=
echo "done: the daemon ended with exit status 0"
