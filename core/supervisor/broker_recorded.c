/* Replays: an execution is run again in a real executor, and every effect is answered from a
 * journal. Nothing is stored, and nothing happens outside. */
#include <string.h>

#include "base/clock.h"
#include "base/sync.h"
#include "supervisor/engine-private.h"

enum { CHANGES_SHOWN = 20 };

/* ---- beside the journal ---- */

static void recording_ends(struct effect *effect)
{
    struct run *run = effect->run;
    const char *kind = wire_kind_name(effect->kind);
    error_auto err = ERROR_INIT;
    error_set(&err, E_REPLAY_DIVERGED,
              run->recorded->loose ? "step %ld: the journal has no answer left for %s"
                                   : "step %ld: the journal ends, and the skill asked for %s",
              (long)effect->seq, kind);
    error_detail(&err, "step", json_integer((json_int_t)effect->seq));
    error_detail(&err, "got", json_string(kind));
    error_detail(&err, "journalEnds", json_true());
    run_end_failed(run, &err, NULL);
    if (run->executor != NULL)
        executor_kill(run->executor);
}

static const struct journal_entry *entry_take(struct effect *effect, bool same)
{
    struct run *run = effect->run;
    const struct journal_copy *journal = run->recorded->journal;
    for (size_t i = 0; i < journal->n; i++) {
        const struct journal_entry *e = &journal->entries[i];
        if (run->used[i] || strcmp(e->kind, wire_kind_name(effect->kind)) != 0 ||
            (same && strcmp(e->sha256, effect->digest) != 0))
            continue;
        run->used[i] = true;
        return e;
    }
    return NULL;
}

static void change_note(struct effect *effect, const struct journal_entry *entry)
{
    json_t *report = effect->run->report, *changes = json_object_get(report, "changes");
    json_object_set_new(report, "changed", json_integer(jx_int(report, "changed", 0) + 1));
    if (json_array_size(changes) >= CHANGES_SHOWN)
        return;
    error_auto err = ERROR_INIT;
    jx_auto *before = entry->request != NULL
                          ? jx_decode(entry->request, entry->request_len, "request", &err)
                          : NULL;
    json_t *difference = before != NULL ? jx_difference(before, effect->request) : NULL;
    json_array_append_new(changes, json_pack("{s:I, s:s, s:o*}", "step", (json_int_t)effect->seq,
                                             "kind", entry->kind, "difference", difference));
}

/* What costs nothing and asks nobody needs no record. */
static bool answered_without(struct effect *effect)
{
    if (effect->kind == WIRE_KIND_SLEEP)
        effect_answer(effect, json_object(), NULL);
    else if (effect->kind == WIRE_KIND_NOW)
        effect_answer(effect, json_pack("{s:I}", "us", (json_int_t)clock_wall_us()), NULL);
    else
        return false;
    return true;
}

/* Another version may validate other values. */
bool broker_is_recorded(const struct effect *effect)
{
    return !effect->run->recorded->loose || effect->kind != WIRE_KIND_VALIDATE;
}

void broker_recorded_begin(struct effect *effect)
{
    struct run *run = effect->run;
    const struct journal_entry *entry = NULL;
    if (run->recorded->loose && (entry = entry_take(effect, true)) == NULL &&
        (entry = entry_take(effect, false)) != NULL)
        change_note(effect, entry);
    if (entry == NULL) {
        if (!run->recorded->loose || !answered_without(effect))
            recording_ends(effect);
        return;
    }
    const struct effect_cost cost = {.api_calls = entry->api_calls,
                                     .tokens = entry->tokens,
                                     .cost_microcents = entry->cost_microcents};
    if (effect->kind == WIRE_KIND_MODEL_CHAT && !entry->failed)
        broker_deltas(run, effect->seq, entry->answer, entry->answer_len);
    effect_answer_text(effect, entry->answer, entry->answer_len, entry->failed, &cost);
}

/* ---- a replay ---- */

static void replays_fill(struct run *run, const struct journal_copy *journal)
{
    run->replays = xcalloc(journal->n + 1, sizeof(*run->replays));
    run->catching_up = true;
    for (size_t i = 0; i < journal->n; i++) {
        const struct journal_entry *e = &journal->entries[i];
        struct replay *r = &run->replays[run->n_replays++];
        *r = (struct replay){.seq = e->seq,
                             .kind = wire_kind_by_name(e->kind),
                             .answer = xstrndup(e->answer, e->answer_len),
                             .answer_len = e->answer_len,
                             .is_error = e->failed,
                             .cost = {.api_calls = e->api_calls,
                                      .tokens = e->tokens,
                                      .cost_microcents = e->cost_microcents}};
        snprintf(r->digest, sizeof(r->digest), "%s", e->sha256);
        run->held += (int64_t)e->answer_len;
        if (e->request != NULL) {
            r->request = xstrndup(e->request, e->request_len);
            r->request_len = e->request_len;
        }
    }
}

struct replaying {
    struct execution_watch watch; /* first: cast back */
    struct engine *engine;
    const struct replay_order *order;
    struct replay_result *result;
    struct run *run;
    struct latch latch;
};

static void replay_ended(struct execution_watch *watch, const struct execution_outcome *outcome)
{
    struct replaying *r = (struct replaying *)watch;
    const struct journal_copy *journal = r->order->journal;
    size_t used = r->order->loose ? 0 : r->run->next_replay;
    for (size_t i = 0; r->order->loose && i < journal->n; i++)
        used += r->run->used[i] ||
                strcmp(journal->entries[i].kind, wire_kind_name(WIRE_KIND_VALIDATE)) == 0;
    json_object_set_new(r->run->report, "used", json_integer((json_int_t)used));
    json_object_set_new(r->run->report, "unused", json_integer((json_int_t)(journal->n - used)));
    execution_outcome_copy(&r->result->outcome, outcome);
    r->result->report = move_ptr(&r->run->report); /* whose thread is another from now on */
    latch_open(&r->latch);
}

static void replay_begin(void *arg)
{
    struct replaying *r = arg;
    char id[UUID_SIZE];
    struct run *run = r->run = run_new(r->engine, uuid_make(id), r->order->launch);
    run->ephemeral = true;
    run->recorded = r->order;
    run->report = json_pack("{s:i, s:[]}", "changed", 0, "changes");
    run->retries = r->order->retries;
    run->seed_id = xstrdup(r->order->seed_id != NULL ? r->order->seed_id : id);
    run->user_id = xstrdup("");
    run->context = xstrdup("{}");
    run->input = xstrdup(r->order->input);
    run->input_len = strlen(r->order->input);
    if (r->order->loose)
        run->used = xcalloc(r->order->journal->n + 1, sizeof(*run->used));
    else
        replays_fill(run, r->order->journal);
    run_watch(run, &r->watch);
    run_insert(run, NULL);
    run_admit(run);
}

int engine_replay(void *arg, const struct replay_order *order, struct replay_result *result_r,
                  struct error *err)
{
    struct engine *engine = arg;
    struct replaying r = {
        .watch = {.ended = replay_ended},
        .engine = engine,
        .order = order,
        .result = result_r,
        .latch = LATCH_INIT,
    };
    if (atomic_load(&engine->draining))
        return error_set(err, E_UNAVAILABLE, "the daemon is stopping");
    loop_post(engine->loop, replay_begin, &r);
    latch_wait(&r.latch);
    return 0;
}

void engine_seed(void *arg, const char *execution_id, int64_t retries, uint8_t seed_r[32])
{
    const struct engine *engine = arg;
    /* The same on replay, another with each attempt, and not to be guessed from the id. */
    char seeded[UUID_SIZE + 24];
    int len = retries == 0
                  ? snprintf(seeded, sizeof(seeded), "%s", execution_id)
                  : snprintf(seeded, sizeof(seeded), "%s/%ld", execution_id, (long)retries);
    hash_hmac_sha256(engine->secret, sizeof(engine->secret), seeded, (size_t)len, seed_r);
}
