/* Executions of chains, with what became of each step. What an execution told of its steps
 * (skills/chain_loop.lua) says which step is where; the executions it asked for say the rest. */
#include <string.h>

#include "service/chain-private.h"
#include "service/execution-private.h"
#include "store/chain.h"
#include "store/execution_view.h"

int chain_executions(struct service *service, const struct principal *who, const char *id,
                     const struct list_query *query, json_t **page_r, struct error *err)
{
    struct agent_meta meta;
    if (chain_find(service, who, id, ACTION_READ, &meta, NULL, err) < 0)
        return -1;
    const struct c9d_value scope[] = {list_text(meta.id)};
    return service_list(service, &store_chain_execution_list, query, scope, page_r, err);
}

static json_t *step_find(const json_t *steps, const char *id)
{
    for (size_t i = 0; i < json_array_size(steps); i++)
        if (strcmp(jx_str(json_array_get(steps, i), "id", ""), id) == 0)
            return json_array_get(steps, i);
    return NULL;
}

static json_t *steps_begin(const json_t *planned)
{
    json_t *steps = json_array();
    for (size_t i = 0; i < json_array_size(planned); i++) {
        const json_t *step = json_array_get(planned, i);
        json_array_append_new(steps,
                              json_pack("{s:s, s:s, s:s}", "id", jx_str(step, "id", ""), "agentId",
                                        jx_str(step, "agent", ""), "status", "pending"));
    }
    return steps;
}

static void member_copy(json_t *to, const char *to_name, const json_t *from, const char *name)
{
    json_t *value = json_object_get(from, name);
    if (value != NULL)
        json_object_set(to, to_name, value);
}

/* One thing told: {"id","status","attempt"?,"executionId"?,"error"?,"reason"?,"willRetry"?}. */
static void step_told(json_t *steps, const json_t *row)
{
    const json_t *told = json_object_get(row, "step");
    json_t *step = step_find(steps, jx_str(told, "id", ""));
    const char *status = jx_str(told, "status", "");
    if (step == NULL)
        return;
    bool begins = strcmp(status, "running") == 0;
    if (begins && jx_int(told, "attempt", 1) == 1)
        member_copy(step, "startedAt", row, "at");
    static const char *const again[] = {"executionId", "error", "completedAt", "reason"};
    for (size_t i = 0; begins && i < countof(again); i++)
        json_object_del(step, again[i]);
    if (!begins && !jx_bool(told, "willRetry", false))
        member_copy(step, "completedAt", row, "at");
    static const char *const members[] = {"attempt", "executionId", "error", "reason"};
    for (size_t i = 0; i < countof(members); i++)
        member_copy(step, members[i], told, members[i]);
    json_object_set_new(step, "status",
                        json_string(jx_bool(told, "willRetry", false) ? "running" : status));
}

/* What the step's execution says. */
static void step_fill(json_t *step, const json_t *execution)
{
    member_copy(step, "agentId", execution, "agentId");
    member_copy(step, "agentVersion", execution, "agentVersion");
    member_copy(step, "output", execution, "outputData");
}

/* The last execution of a step, if it is the one that was told of, or none was told of yet. */
static void step_asked(json_t *steps, const json_t *row)
{
    json_t *step = step_find(steps, jx_str(json_object_get(row, "context"), "label", ""));
    const char *told = jx_str(step, "executionId", NULL), *id = jx_str(row, "id", "");
    if (step == NULL || (told != NULL && strcmp(told, id) != 0))
        return;
    if (told == NULL && strcmp(jx_str(step, "status", ""), "running") != 0)
        return;
    json_object_set_new(step, "executionId", json_string(id));
    step_fill(step, row);
}

/* Those of another execution, of which this one was forked. */
static int steps_look(struct service *service, json_t *steps, struct error *err)
{
    for (size_t i = 0; i < json_array_size(steps); i++) {
        json_t *step = json_array_get(steps, i);
        const char *id = jx_str(step, "executionId", NULL);
        struct execution_meta meta;
        jx_auto *execution = NULL;
        if (id == NULL || json_object_get(step, "agentVersion") != NULL)
            continue;
        if (store_execution_get(service->storage, id, "", &meta, &execution, err) < 0)
            return -1;
        if (execution != NULL)
            step_fill(step, execution);
    }
    return 0;
}

/* What was under way when the chain ended does not run any more. */
static void steps_end(json_t *steps, const char *status)
{
    for (size_t i = 0; i < json_array_size(steps); i++) {
        json_t *step = json_array_get(steps, i);
        if (strcmp(jx_str(step, "status", ""), "running") == 0)
            json_object_set_new(step, "status",
                                json_string(strcmp(status, "completed") == 0 ? "failed" : status));
    }
}

static int steps_read(struct service *service, const json_t *execution, json_t **steps_r,
                      struct error *err)
{
    const char *id = jx_str(execution, "id", "");
    jx_auto *version = NULL, *told = NULL, *asked = NULL;
    const json_t *planned;
    if (chain_version(service, jx_str(execution, "agentId", ""),
                      jx_str(execution, "agentVersion", ""), &version, &planned, err) < 0 ||
        store_chain_told(service->storage, id, &told, err) < 0 ||
        store_chain_asked(service->storage, id, &asked, err) < 0)
        return -1;
    json_t *steps = steps_begin(planned);
    for (size_t i = 0; i < json_array_size(told); i++)
        step_told(steps, json_array_get(told, i));
    for (size_t i = json_array_size(asked); i > 0; i--)
        step_asked(steps, json_array_get(asked, i - 1));
    if (steps_look(service, steps, err) < 0) {
        json_decref(steps);
        return -1;
    }
    const char *status = jx_str(execution, "status", "");
    if (execution_has_ended(status))
        steps_end(steps, status);
    *steps_r = steps;
    return 0;
}

int chain_execution_get(struct service *service, const struct principal *who, const char *id,
                        json_t **execution_r, struct error *err)
{
    static const char *const members[][2] = {
        {"id", "id"},
        {"agentId", "chainId"},
        {"agentVersion", "chainVersion"},
        {"status", "status"},
        {"inputData", "inputData"},
        {"outputData", "outputData"},
        {"startedAt", "startedAt"},
        {"completedAt", "completedAt"},
        {"executionTimeMs", "executionTimeMs"},
        {"errorMessage", "errorMessage"},
        {"errorCode", "errorCode"},
        {"errorDetails", "errorDetails"},
        {"resourceUsage", "resourceUsage"},
        {"triggeredBy", "triggeredBy"},
        {"createdAt", "createdAt"},
    };
    struct execution_meta meta;
    struct agent_meta agent;
    jx_auto *execution = NULL;
    json_t *steps = NULL;
    if (execution_find(service, who, id, ACTION_READ, &meta, &execution, err) < 0)
        return -1;
    if (store_agent_get(service->storage, meta.agent_id, "", &agent, NULL, err) < 0)
        return -1;
    if (!agent.chain)
        return error_set(err, E_CHAIN_NOT_FOUND,
                         "execution %s is of an agent, no chain: see /v1/executions/%s", id, id);
    if (steps_read(service, execution_present(execution), &steps, err) < 0)
        return -1;
    json_t *shown = json_object();
    for (size_t i = 0; i < countof(members); i++)
        member_copy(shown, members[i][1], execution, members[i][0]);
    json_object_set_new(shown, "executionSteps", steps);
    *execution_r = shown;
    return 0;
}
