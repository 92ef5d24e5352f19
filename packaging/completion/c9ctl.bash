# bash completion of c9ctl, made by `c9ctl completion`.
_c9ctl() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    local noun=${COMP_WORDS[1]:-} verb=${COMP_WORDS[2]:-}
    local words="" files="" common=" --json --profile --url --token-file -h --help"
    case $prev in
        --token-file | --input | --webhook-secret | --context | -f | --config | --payload | --answers | --export | --file | --secret-file | --dir | --prompt | --data | --settings)
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            return ;;
    esac
    case $COMP_CWORD:$noun in
        1:*) words="run agent version alias usage execution replay wait batch webhook delivery dead-letter skill chain persona schedule event hook apply export token org user team grant audit whoami login status openapi completion help" ;;
        2:help) words="run agent version alias usage execution replay wait batch webhook delivery dead-letter skill chain persona schedule event hook apply export token org user team grant audit whoami login status openapi completion help" ;;
        2:agent) words="create list get update replace publish diff rollback deprecate archive delete backtest validate" ;;
        2:version) words="create list get publish update deprecate archive delete" ;;
        2:alias) words="list get set delete" ;;
        2:execution) words="list get logs attempts follow cancel waits signal journal retry fork" ;;
        2:wait) words="list" ;;
        2:batch) words="create list get executions cancel" ;;
        2:webhook) words="create list get update delete test rotate" ;;
        2:delivery) words="list get log redeliver" ;;
        2:dead-letter) words="list requeue" ;;
        2:skill) words="new test upload list get revisions delete" ;;
        2:chain) words="create list get update delete validate run executions execution optimize" ;;
        2:persona) words="create list get update delete" ;;
        2:schedule) words="create list get update delete pause resume run runs next preview" ;;
        2:event) words="send list get" ;;
        2:hook) words="create list get update rotate deliveries delivery redeliver delete" ;;
        2:token) words="create list get rotate revoke" ;;
        2:org) words="create list get update delete" ;;
        2:user) words="create list get update delete" ;;
        2:team) words="create list get update delete members add remove" ;;
        2:grant) words="create list get delete" ;;
        2:audit) words="list verify" ;;
    esac
    if [[ -n $words && $cur != -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
        return
    fi
    case "$noun $verb" in
        "run "*) words=" --input --input-json --set --version --priority --delay --at --concurrency-key --on-disconnect --webhook --webhook-secret --context --idempotency-key --async --no-follow" ;;
        "agent create") words=" -f" ;;
        "agent list") words=" --name --text --status --visibility --trigger-mode --skill --owner --org --sort --limit" ;;
        "agent get") words="" ;;
        "agent update") words=" -f" ;;
        "agent replace") words=" -f" ;;
        "agent publish") words=" --version --changelog" ;;
        "agent diff") words="" ;;
        "agent rollback") words="" ;;
        "agent deprecate") words=" --sunset --reason" ;;
        "agent archive") words=" --yes" ;;
        "agent delete") words=" --force --yes" ;;
        "agent backtest") words=" --version --base --last" ;;
        "agent validate") words=" -f" ;;
        "version create") words=" --version --from --config --changelog" ;;
        "version list") words=" --status --limit" ;;
        "version get") words="" ;;
        "version publish") words=" --changelog" ;;
        "version update") words=" -f" ;;
        "version deprecate") words=" --sunset --reason" ;;
        "version archive") words=" --yes" ;;
        "version delete") words=" --yes" ;;
        "alias list") words=" --limit" ;;
        "alias get") words="" ;;
        "alias set") words="" ;;
        "alias delete") words=" --yes" ;;
        "usage "*) words=" --by --agent --from --to --limit" ;;
        "execution list") words=" --agent --status --version --user --parent --error --batch --key --text --after --before --sort --limit" ;;
        "execution get") words="" ;;
        "execution logs") words=" --level --limit" ;;
        "execution attempts") words=" --limit" ;;
        "execution follow") words="" ;;
        "execution cancel") words="" ;;
        "execution waits") words=" --limit" ;;
        "execution signal") words=" --payload --payload-json" ;;
        "execution journal") words=" --kind --limit" ;;
        "execution retry") words=" --version" ;;
        "execution fork") words=" --step --input --input-json --version --answers" ;;
        "replay "*) words=" --export --file" ;;
        "wait list") words=" --kind --name --agent --sort --limit" ;;
        "batch create") words=" -f" ;;
        "batch list") words=" --agent --after --before --sort --limit" ;;
        "batch get") words="" ;;
        "batch executions") words=" --status --error --sort --limit" ;;
        "batch cancel") words="" ;;
        "webhook create") words=" --agent --event --description --active --secret-file" ;;
        "webhook list") words=" --agent --sort --limit" ;;
        "webhook get") words="" ;;
        "webhook update") words=" -f" ;;
        "webhook delete") words=" --yes" ;;
        "webhook test") words="" ;;
        "webhook rotate") words="" ;;
        "delivery list") words=" --webhook --execution --status --sort --limit" ;;
        "delivery get") words="" ;;
        "delivery log") words=" --limit" ;;
        "delivery redeliver") words="" ;;
        "dead-letter list") words=" --kind --agent --state --sort --limit" ;;
        "dead-letter requeue") words="" ;;
        "skill new") words=" --dir" ;;
        "skill test") words="" files=1 ;;
        "skill upload") words="" files=1 ;;
        "skill list") words=" --name --text --sort --limit" ;;
        "skill get") words=" --source --revision" ;;
        "skill revisions") words="" ;;
        "skill delete") words=" --yes" ;;
        "chain create") words=" -f" ;;
        "chain list") words=" --name --text --status --owner --sort --limit" ;;
        "chain get") words="" ;;
        "chain update") words=" -f" ;;
        "chain delete") words=" --yes" ;;
        "chain validate") words=" -f" ;;
        "chain run") words=" --input --input-json --set --version --priority --delay --at --concurrency-key --on-disconnect --webhook --webhook-secret --context --idempotency-key --async --no-follow" ;;
        "chain executions") words=" --status --version --sort --limit" ;;
        "chain execution") words="" ;;
        "chain optimize") words="" ;;
        "persona create") words=" --prompt --description" ;;
        "persona list") words=" --name --text --sort --limit" ;;
        "persona get") words="" ;;
        "persona update") words=" --name --prompt --description" ;;
        "persona delete") words=" --yes" ;;
        "schedule create") words=" --cron --timezone --input --name --version --overlap --missed --missed-window --jitter --active" ;;
        "schedule list") words=" --agent --state --name --limit" ;;
        "schedule get") words="" ;;
        "schedule update") words=" --cron --timezone --input --name --version --overlap --missed --missed-window --jitter --active" ;;
        "schedule delete") words=" --yes" ;;
        "schedule pause") words="" ;;
        "schedule resume") words="" ;;
        "schedule run") words="" ;;
        "schedule runs") words=" --outcome --limit" ;;
        "schedule next") words=" --count" ;;
        "schedule preview") words=" --timezone --from --count" ;;
        "event send") words=" -f --source --id --subject --data --test" ;;
        "event list") words=" --type --source --id --after --before --sort --limit" ;;
        "event get") words="" ;;
        "hook create") words=" --name --style --delivers --event-type --version --tolerance --secret-file" ;;
        "hook list") words=" --agent --name --limit" ;;
        "hook get") words="" ;;
        "hook update") words=" --name --delivers --event-type --version --tolerance --active" ;;
        "hook rotate") words=" --grace --secret-file" ;;
        "hook deliveries") words=" --outcome --limit" ;;
        "hook delivery") words="" ;;
        "hook redeliver") words="" ;;
        "hook delete") words=" --yes" ;;
        "apply "*) words=" -f --dry-run --yes" ;;
        "export "*) words=" --force" files=1 ;;
        "token create") words=" --scope --expires --user --org" ;;
        "token list") words=" --user --limit" ;;
        "token get") words="" ;;
        "token rotate") words=" --overlap" ;;
        "token revoke") words="" ;;
        "org create") words=" --settings" ;;
        "org list") words=" --limit" ;;
        "org get") words="" ;;
        "org update") words=" --name --settings" ;;
        "org delete") words=" --yes" ;;
        "user create") words=" --email --role --kind" ;;
        "user list") words=" --name --text --email --role --kind --sort --limit" ;;
        "user get") words="" ;;
        "user update") words=" --name --email --role" ;;
        "user delete") words=" --hand-over-to --yes" ;;
        "team create") words=" --description" ;;
        "team list") words=" --name --user --sort --limit" ;;
        "team get") words="" ;;
        "team update") words=" --name --description" ;;
        "team delete") words=" --yes" ;;
        "team members") words=" --limit" ;;
        "team add") words="" ;;
        "team remove") words="" ;;
        "grant create") words=" --permission --user --team" ;;
        "grant list") words=" --limit" ;;
        "grant get") words="" ;;
        "grant delete") words="" ;;
        "audit list") words=" --kind --operation --user --type --id --request --after --before --limit" ;;
        "audit verify") words=" --expect" ;;
        "whoami "*) words="" ;;
        "login "*) words="" ;;
        "status "*) words="" ;;
        "openapi "*) words="" ;;
        "version "*) words="" ;;
        "completion "*) words="" ;;
        "help "*) words="" ;;
    esac
    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$words$common" -- "$cur")
    elif [[ -n $files ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
    fi
}
complete -o filenames -F _c9ctl c9ctl
