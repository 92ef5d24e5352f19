/* Executions made of others: tried again, or taken another way from a step on. */
#include <string.h>

#include "base/sync.h"
#include "service/execution.h"
#include "service/journal-private.h"
#include "store/execution.h"

/* ---- until it is durable ---- */

struct acceptance {
    struct execution_watch watch; /* first: cast back */
    struct latch latch;
    struct error err;
};

static void on_accepted(struct execution_watch *watch, struct error *err)
{
    struct acceptance *a = (struct acceptance *)watch;
    if (err != NULL)
        error_move(&a->err, err);
    latch_open(&a->latch);
}

static int start_and_wait(struct service *service, const struct principal *who,
                          const struct execution_meta *meta, const json_t *order,
                          const struct execution_origin *origin, char id_r[UUID_SIZE],
                          struct error *err)
{
    struct acceptance a = {.watch = {.accepted = on_accepted}, .latch = LATCH_INIT};
    autofree char *note = NULL;
    if (execution_start_of(service, who, meta->agent_id, order, origin, &a.watch, id_r, &note,
                           err) < 0)
        return -1;
    latch_wait(&a.latch);
    if (a.err.code != E_NONE)
        return error_move(err, &a.err);
    execution_unwatch(service, &a.watch);
    return 0;
}

/* What execution_start takes, of the origin and of what was asked to be different. */
static json_t *order_of(const json_t *execution, const json_t *body)
{
    const json_t *input = json_object_get(body, "input");
    if (input == NULL)
        input = json_object_get(execution, "inputData");
    json_t *order = json_pack("{s:s, s:I}", "version",
                              jx_str(body, "version", jx_str(execution, "agentVersion", "")),
                              "priority", (json_int_t)jx_int(execution, "priority", 0));
    if (input != NULL)
        json_object_set(order, "input", (json_t *)input);
    const json_t *context = json_object_get(execution, "executionContext");
    if (context != NULL)
        json_object_set(order, "context", (json_t *)context);
    const char *key = jx_str(execution, "concurrencyKey", NULL);
    if (key != NULL)
        json_object_set_new(order, "concurrencyKey", json_string(key));
    return order;
}

int execution_retry(struct service *service, const struct principal *who, const char *execution,
                    const json_t *body, char id_r[UUID_SIZE], struct error *err)
{
    struct execution_meta meta;
    jx_auto *row = NULL;
    if (execution_find(service, who, execution, ACTION_EXECUTE, &meta, &row, err) < 0)
        return -1;
    if (strcmp(meta.status, "failed") != 0 && strcmp(meta.status, "cancelled") != 0) {
        error_set(err, E_INVALID_STATE,
                  "execution %s is %s; what failed or was cancelled can be tried again", execution,
                  meta.status);
        error_detail(err, "executionId", json_string(execution));
        return -1;
    }
    jx_auto *order = order_of(row, body);
    const struct execution_origin origin = {.id = meta.id, .kind = "retry"};
    return start_and_wait(service, who, &meta, order, &origin, id_r, err);
}

/* ---- forks ---- */

static struct journal_entry *entry_of(struct journal_copy *journal, int64_t seq)
{
    for (size_t i = 0; i < journal->n; i++)
        if (journal->entries[i].seq == seq)
            return &journal->entries[i];
    return NULL;
}

/* An answer in the place of the recorded one. Whatever is asked then gets it. */
static int answer_put(struct journal_copy *journal, const json_t *answer, size_t i,
                      struct error *err)
{
    int64_t seq = jx_int(answer, "seq", 0);
    const json_t *value = json_object_get(answer, "answer");
    struct journal_entry *e = entry_of(journal, seq);
    if (e == NULL || value == NULL)
        return error_set(err, E_INVALID_REQUEST,
                         e == NULL ? "answers/%zu: the journal has no step %ld"
                                   : "answers/%zu: the answer to step %ld lacks",
                         i, (long)seq);
    free(e->answer);
    e->answer = jx_encode(value, &e->answer_len);
    e->failed = jx_bool(answer, "failed", false);
    e->sha256[0] = '\0';
    return 0;
}

static bool answered_anew(const json_t *answers, int64_t seq)
{
    for (size_t i = 0; i < json_array_size(answers); i++)
        if (jx_int(json_array_get(answers, i), "seq", 0) == seq)
            return true;
    return false;
}

/* The journal up to the step, with the answers that were given. */
static int journal_cut(struct journal_copy *journal, const json_t *body, struct error *err)
{
    const json_t *answers = json_object_get(body, "answers");
    int64_t step = jx_int(body, "step", INT64_MAX);
    for (size_t i = 0; i < json_array_size(answers); i++)
        if (answer_put(journal, json_array_get(answers, i), i, err) < 0)
            return -1;
    for (size_t i = journal->n; i-- > 0;)
        if (journal->entries[i].seq >= step && !answered_anew(answers, journal->entries[i].seq))
            journal_copy_remove(journal, i);
    return 0;
}

int execution_fork(struct service *service, const struct principal *who, const char *execution,
                   const json_t *body, char id_r[UUID_SIZE], struct error *err)
{
    struct execution_meta meta;
    jx_auto *row = NULL;
    journal_auto journal = {NULL, 0};
    struct execution_job job;
    if (execution_find(service, who, execution, ACTION_EXECUTE, &meta, &row, err) < 0 ||
        journal_copy_load(service, &meta, row, &journal, err) < 0 ||
        journal_cut(&journal, body, err) < 0)
        return -1;
    int found = store_execution_job(service->storage, meta.id, &job, err);
    if (found != 0)
        return found < 0 ? -1
                         : permission_unseen(E_EXECUTION_NOT_FOUND, "execution", execution, err);
    jx_auto *order = order_of(row, body);
    const struct execution_origin origin = {.id = meta.id,
                                            .kind = "fork",
                                            .seed_id = job.seed_id != NULL ? job.seed_id : meta.id,
                                            .journal = &journal};
    int result = start_and_wait(service, who, &meta, order, &origin, id_r, err);
    execution_job_free(&job);
    return result;
}
