/* Versions of an agent: made as drafts, published once, immutable from then on. Their states are
 * lifecycle.h's.
 *
 * A version is referred to (`ref`) by
 * - 1.2.0: exactly;
 * - latest: the current one, the published one that runs unless another is asked for;
 * - ^1.2, 1.x, >=1: a range (semver_range.h), the highest published version in it, or, when there
 * is none, the highest deprecated one;
 * - stable: an alias (alias.h), where it says so;
 * - draft: the agent's working copy, where it says so. */
#ifndef C9_SERVICE_VERSION_H
#define C9_SERVICE_VERSION_H

#include "base/cleanup.h"
#include "service/semver.h"
#include "service/service.h"

/* body: {"version"? (default: next patch), "config"? or "from"? (a ref; default: the working copy),
 * "changelog"?}. Not published yet. */
int version_create(struct service *service, const struct principal *who, const char *agent_id,
                   const json_t *body, json_t **version_r, struct error *err);
/* Filters: status. */
int version_list(struct service *service, const struct principal *who, const char *agent_id,
                 const struct list_query *query, json_t **page_r, struct error *err);
/* ref: all but an alias and draft. */
int version_get(struct service *service, const struct principal *who, const char *agent_id,
                const char *ref, json_t **version_r, struct error *err);
/* patch: RFC 7396 of {"config","changelog"}; if_match: the ETag's text or NULL. Only drafts: what
 * is published is E_VERSION_CONFLICT. */
int version_update(struct service *service, const struct principal *who, const char *agent_id,
                   const char *version, const json_t *patch, const char *if_match,
                   json_t **version_r, struct error *err);
/* Drafts and archived versions, while no execution of them is live. */
int version_delete(struct service *service, const struct principal *who, const char *agent_id,
                   const char *version, const char *if_match, struct error *err);

/* Pins skill digests and the persona's text, makes it the current one. body: {"changelog"?}. The
 * answer has "capabilities": {"gained":[…],"lost":[…]} against the version current before.
 * Publishing it again is E_VERSION_CONFLICT. */
int version_publish(struct service *service, const struct principal *who, const char *agent_id,
                    const char *version, const json_t *body, json_t **version_r, struct error *err);
/* Makes a version that was published before the current one again. The working copy stays. */
int version_rollback(struct service *service, const struct principal *who, const char *agent_id,
                     const char *version, json_t **agent_r, struct error *err);
/* body: {"sunset"?,"reason"?}. */
int version_deprecate(struct service *service, const struct principal *who, const char *agent_id,
                      const char *version, const json_t *body, json_t **version_r,
                      struct error *err);
/* E_RESOURCE_IN_USE while it is the current one, or an alias names it. */
int version_archive(struct service *service, const struct principal *who, const char *agent_id,
                    const char *version, json_t **version_r, struct error *err);

/* Which version an execution is to run. */
struct version_choice {
    char version[SEMVER_MAX + 1]; /* exact, or "draft" */
    json_t *note;                 /* NULL, or an object with what is not plain:
                                   *   "ref": what was asked for, unless that was exact or latest
                                   *   "test": true for a draft
                                   *   "warnings": [{"code","message","deprecatedAt","sunsetAt"?}] */
};
void version_choice_clear(struct version_choice *choice);
#define version_choice_auto cleanup(version_choice_clear) struct version_choice

/* For everything that executes: any ref, NULL is latest. Decides by the states of agent and version
 * whether it may run, and by `who` whether a draft may. Of an alias with several targets the pick
 * follows from `execution_id`, so that the same execution has the same one however often it is
 * asked for. E_AGENT_NOT_FOUND, E_VERSION_NOT_FOUND, E_INVALID_STATE, E_INSUFFICIENT_PERMISSIONS,
 * E_INVALID_REQUEST for what is no ref. On failure *choice_r has nothing to clear. */
int version_resolve(struct service *service, const struct principal *who, const char *agent,
                    const char *ref, const char *execution_id, struct version_choice *choice_r,
                    struct error *err);

#endif
