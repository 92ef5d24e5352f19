/* What the files of this room share among themselves. */
#ifndef C9_SERVICE_SERVICE_PRIVATE_H
#define C9_SERVICE_SERVICE_PRIVATE_H

#include <stdatomic.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/json.h"
#include "service/idempotency.h"
#include "service/lifecycle.h"
#include "service/permission.h"
#include "service/service.h"
#include "store/agent.h"
#include "store/list.h"

struct auditor;
struct identities;
struct token_cache;
struct launch_cache;
struct event_waiter_cache;
struct hook_rate;
struct metas;
struct schedule_context;

/* The loops that c9d brings along; source NULL when its file could not be read. */
enum loop { LOOP_AGENT, LOOP_CHAIN, LOOP_COUNT_ };
struct loop_skill {
    const char *name;
    char *file, *source, *manifest;
    size_t len;
    char sha256[SHA256_HEX_SIZE];
};

/* All but the engine and the models, which are set once before the first request, is constant. */
struct service {
    struct storage *storage;
    const struct config *config;
    const struct engine_ops *ops;
    void *engine;
    char **models;
    size_t n_models;
    struct loop_skill loops[LOOP_COUNT_];
    struct token_cache *tokens;
    struct launch_cache *launches;
    struct metas *metas;
    struct schedule_context *schedules;
    struct auditor *auditor;
    struct hook_rate *hook_rate;
    struct event_waiter_cache *event_waiters;
    struct identities *identities; /* NULL: no JWTs */
    atomic_uint webhook_tests;     /* that wait for their answers */
    int64_t users_max, teams_max, agents_max, aliases_max, skills_max, object_max, source_max,
        key_lifetime, batch_max;
};

/* E_UNAVAILABLE when there is none. */
int service_engine(const struct service *service, struct error *err);

/* Rows that any worker may claim were committed: the queue need not wait for its timer. */
void service_nudge(const struct service *service);

/* ---- batches ---- */

/* What a conflict of a statement means. Ends with a row of statement -1. */
struct conflict {
    int statement;
    enum error_code code;
    const char *message;
};
/* Commits, and gives a conflict the code and message of its statement's row. 0, or -1. */
int service_commit(struct service *service, struct storage_batch *batch,
                   const struct conflict *conflicts, struct error *err);

/* The same for what a request with an Idempotency-Key may ask for: its key is kept in the same
 * batch (as the last two statements). status and location are those of the answer. E_UNAVAILABLE
 * when another node has the key at this moment. */
int service_commit_made(struct service *service, const struct principal *who,
                        struct storage_batch *batch, int status, const char *location,
                        const struct conflict *conflicts, struct error *err);

/* The same; added: an object, what the answer has beside what can be read at location. */
int service_commit_made_with(struct service *service, const struct principal *who,
                             struct storage_batch *batch, int status, const char *location,
                             const json_t *added, const struct conflict *conflicts,
                             struct error *err);

/* The member `name` of a body: a text of a sensible length. */
void service_name_check(const json_t *body, json_t *problems);

/* ---- lists ---- */

/* Who asks, as lists of what hangs from agents have it: organization, user, 1 when he sees all. */
#define SCOPE_OF(who)                                                                              \
    {                                                                                              \
        list_text((who)->organization_id), list_text((who)->user_id),                              \
            list_int(permission_sees_all(who))                                                     \
    }
/* The filters without one that is no filter but another list. A new object. */
json_t *filters_without(const json_t *filters, const char *name);
int service_list(struct service *service, const struct list *list, const struct list_query *query,
                 const struct c9d_value *scope, json_t **page_r, struct error *err);

struct list_args service_list_args(const struct list_query *query);

/* ---- If-Match ---- */

/* if_match: the ETag's text without quotes, or NULL. 0: no condition. 1: *revision_r is the one
 * wanted. -1: E_PRECONDITION_FAILED, no revision can be meant. */
int service_if_match(const char *if_match, int64_t *revision_r, struct error *err);
/* E_PRECONDITION_FAILED unless the revision is the one wanted (NULL: any). noun: of the message. */
int service_revision_check(int64_t revision, const int64_t *wanted, const char *noun,
                           struct error *err);

/* One try of a change to a resource that has revisions: it is read, checked, and committed for the
 * revision that was read. body: the patch, or what it is to be. 0, or -1, with
 * E_PRECONDITION_FAILED when that is not its revision any more, or not `wanted` (NULL: any). */
typedef int edit_fn(struct service *service, const struct principal *who, const char *id,
                    const json_t *body, const int64_t *wanted, json_t **after_r, struct error *err);
/* Changes it: with If-Match in one try, without in a few, while others are faster. */
int service_edit(struct service *service, const struct principal *who, const char *id,
                 const json_t *body, const char *if_match, edit_fn *edit, const char *noun,
                 json_t **after_r, struct error *err);

/* ---- agents ---- */

/* The agent by id, or by name within the organization, if `who` may do `action` to it. agent_r may
 * be NULL: then it may be a chain. */
int agent_find(struct service *service, const struct principal *who, const char *ref,
               enum action action, struct agent_meta *meta_r, json_t **agent_r, struct error *err);
/* For permission_decide; borrows from meta. */
struct resource agent_resource(const struct agent_meta *meta);
/* life_require for an agent, with details.agentId. Chains may but be executed. */
int agent_require(const struct agent_meta *meta, enum life_event event, struct error *err);

/* ---- versions ---- */

/* By an exact version, latest or a range; E_VERSION_NOT_FOUND, E_INVALID_REQUEST. */
int version_find(struct service *service, const char *agent_id, const char *ref, json_t **version_r,
                 struct error *err);
/* life_require for a version as version_find gives it. */
int version_require(const json_t *version, enum life_event event, struct error *err);
/* version_resolve for an agent that was found. */
struct version_choice;
int version_choose(struct service *service, const struct principal *who,
                   const struct agent_meta *meta, const char *ref, const char *execution_id,
                   struct version_choice *choice_r, struct error *err);
/* audit_change for a version or alias: its id there is "AGENT/NAME". */
void part_audit(struct service *service, struct storage_batch *batch, const struct principal *who,
                const char *type, const char *agent_id, const char *name, const json_t *before,
                const json_t *after);
/* The member "changelog", borrowed; NULL when it is not there. E_INVALID_REQUEST. */
int changelog_read(const json_t *body, const char **changelog_r, struct error *err);
/* {"sunset"?,"reason"?}; borrows the reason. E_INVALID_REQUEST. */
int deprecation_read(const json_t *body, struct deprecation *deprecation_r, struct error *err);
/* What it makes of something, for the audit log: {"status","sunset"?,"reason"?}. New object. */
json_t *deprecation_json(const struct deprecation *deprecation);

#endif
