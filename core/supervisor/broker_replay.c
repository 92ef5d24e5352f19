/* Replay: a run that is taken up again is told what it was told before. Whatever is new comes
 * behind that: its executor has read all that is old and waits for more (the fence: YIELD, IDLE).
 * So every request has the number that it had, and what may have been under way when the former
 * life ended is known: all that is asked up to there. */
#include <string.h>

#include "supervisor/engine-private.h"

static void replay_deliver(struct run *run);

static struct replay *replay_find(struct run *run, uint64_t id)
{
    for (size_t i = run->next_replay; i < run->n_replays; i++)
        if (run->replays[i].seq == (int64_t)id)
            return &run->replays[i];
    return NULL;
}

/* kind 0: it waits, and has not asked. */
static void replay_diverged(struct run *run, const struct replay *r, unsigned kind,
                            const json_t *request)
{
    error_auto err = ERROR_INIT;
    const char *expected = wire_kind_name(r->kind), *got = wire_kind_name(kind);
    expected = expected != NULL ? expected : "what this c9d does not know";
    if (kind == 0) {
        error_set(&err, E_REPLAY_DIVERGED,
                  "step %ld: the journal has %s, the skill asks for nothing", (long)r->seq,
                  expected);
    } else if (r->kind != kind) {
        error_set(&err, E_REPLAY_DIVERGED, "step %ld: the journal has %s, the skill asked for %s",
                  (long)r->seq, expected, got);
    } else if (r->request != NULL && request != NULL) {
        error_auto ignored = ERROR_INIT;
        jx_auto *before = jx_decode(r->request, r->request_len, "journaled request", &ignored);
        jx_auto *difference = jx_difference(before, request);
        error_set(&err, E_REPLAY_DIVERGED, "step %ld, %s: %s", (long)r->seq, got,
                  jx_str(difference, "message", "the requests differ"));
        if (difference != NULL)
            error_detail(&err, "difference", json_incref(difference));
    } else {
        error_set(&err, E_REPLAY_DIVERGED,
                  "step %ld, %s: the request is another one (it was longer than [journal] request, "
                  "so its text is not kept)",
                  (long)r->seq, got);
    }
    error_detail(&err, "step", json_integer(r->seq));
    error_detail(&err, "expected", json_string(expected));
    error_detail(&err, "got", kind != 0 ? json_string(got) : json_null());
    run_end_failed(run, &err, NULL);
}

/* A fork goes its own way from the first request that its origin did not make: what it has of the
 * origin's journal from there on is of no use to it. */
static void replay_leave_origin(struct run *run)
{
    size_t kept = run->next_replay;
    int64_t first = INT64_MAX;
    for (size_t i = run->next_replay; i < run->n_replays; i++) {
        struct replay r = run->replays[i];
        if (!r.copied || r.asked) {
            run->replays[kept++] = r;
            continue;
        }
        first = r.seq < first ? r.seq : first;
        run->held -= (int64_t)r.answer_len;
        free(r.answer);
        free(r.request);
    }
    run->n_replays = kept;
    if (!run->ephemeral)
        store_journal_uncopy(commit_next(run)->batch, run->id, first);
    replay_deliver(run);
}

/* A streamed answer is streamed again in the same pieces: what the skill's callback emits must fall
 * into the same places. */
void broker_deltas(struct run *run, uint64_t seq, const char *answer_text, size_t len)
{
    error_auto err = ERROR_INIT;
    jx_auto *answer = jx_decode(answer_text, len, "journaled answer", &err);
    const char *text = jx_str(answer, "content", "");
    size_t left = strlen(text), i;
    json_t *length;
    json_array_foreach (json_object_get(answer, "deltas"), i, length) {
        size_t n = (size_t)json_integer_value(length);
        if (n > left)
            return;
        executor_send_frame(run->executor, WIRE_DELTA, 0, seq, text, n);
        text += n;
        left -= n;
    }
}

/* Its IDLE says that it has read all up to here. */
static void fence_put(struct run *run)
{
    if (!run->catching_up || run->fenced)
        return;
    run->fenced = true;
    run->fenced_at = run->next_replay;
    executor_send_frame(run->executor, WIRE_YIELD, 0, 0, NULL, 0);
}

/* Answers come in the order in which they came in the former life, each as soon as it was asked
 * for. */
static void replay_deliver(struct run *run)
{
    bool any = false;
    while (run->next_replay < run->n_replays && run->replays[run->next_replay].asked) {
        struct replay *r = &run->replays[run->next_replay++];
        if (r->kind == WIRE_KIND_MODEL_CHAT && !r->is_error)
            broker_deltas(run, (uint64_t)r->seq, r->answer, r->answer_len);
        executor_send_frame(run->executor, WIRE_ANSWER, r->is_error ? WIRE_FLAG_ERROR : 0,
                            (uint64_t)r->seq, r->answer, r->answer_len);
        run->held -= (int64_t)r->answer_len;
        free(r->answer);
        free(r->request);
        r->answer = r->request = NULL;
        run->n_pending--;
        if (run->recorded != NULL) {
            run->usage.api_calls += r->cost.api_calls;
            run->usage.tokens += r->cost.tokens;
            run->usage.cost_microcents += r->cost.cost_microcents;
        }
        any = true;
    }
    if (!any || run->next_replay == run->n_replays)
        fence_put(run);
    executor_flush(run->executor);
}

bool broker_replay(struct run *run, uint64_t id, unsigned kind, const char *digest,
                   const json_t *request)
{
    struct replay *r = replay_find(run, id);
    if (r == NULL)
        return false;
    if (r->kind != kind || (r->digest[0] != '\0' && strcmp(r->digest, digest) != 0)) {
        if (r->copied) {
            replay_leave_origin(run);
            return false;
        }
        replay_diverged(run, r, kind, request);
        return true;
    }
    r->asked = true;
    replay_deliver(run);
    return true;
}

/* It waits for more, and its next old answer is to what it has not asked. */
static void replay_stuck(struct run *run)
{
    const struct replay *r = &run->replays[run->next_replay];
    if (r->copied)
        replay_leave_origin(run);
    else
        replay_diverged(run, r, 0, NULL);
}

static void replay_is_over(struct run *run)
{
    run->catching_up = run->frontier = false;
    buf_append(executor_out(run->executor), run->behind.data, run->behind.len);
    buf_free(&run->behind);
    run_idle_check(run);
}

void broker_catch_up(struct run *run)
{
    if (run->next_replay == run->n_replays)
        fence_put(run);
}

void broker_answers(struct run *run, const struct buf *frames)
{
    buf_append(run->catching_up ? &run->behind : executor_out(run->executor), frames->data,
               frames->len);
    fence_put(run);
    executor_flush(run->executor);
}

bool broker_said_idle(struct run *run)
{
    if (!run->fenced)
        return false;
    run->fenced = false;
    if (run->next_replay != run->fenced_at)
        fence_put(run); /* it was told more meanwhile */
    else if (run->next_replay < run->n_replays)
        replay_stuck(run);
    else
        replay_is_over(run);
    if (run->executor != NULL)
        executor_flush(run->executor);
    return true;
}
