/* The audit log: every change, in the batch that makes it, and every attempt that was denied.
 *
 * Rows are chained: position N has SHA-256(hash of N-1 + the row's own content as JSON). The order
 * of commits is known only once they are made, and a group of batches is one transaction, so a row
 * is written without a position and sealed a moment later, by one sealer: it gives all rows that
 * are durable by then the next positions in the order of their ids, and moves the head, in one
 * batch that conflicts when another node has sealed meanwhile. What is not sealed yet can still be
 * altered unseen: about a second; the head is logged (audit.sealed; at info once a minute at most,
 * at debug each), so that a copy of the log elsewhere, or a head noted down, also finds a chain
 * that was forged anew from some row on. */
#ifndef C9_SERVICE_AUDIT_H
#define C9_SERVICE_AUDIT_H

#include "service/service.h"

struct storage_batch;

/* Adds the row of a change to the batch that makes it, as its last statement. before, after:
 * objects, or NULL for what was not there; with both, only the members that differ are kept.
 * Members whose names say that they are secret (password, token …) are kept as "[redacted]". */
void audit_change(struct service *service, struct storage_batch *batch, const struct principal *who,
                  const char *type, const char *id, const json_t *before, const json_t *after);
/* For a change whose function wrote no row of its own: a row of it, behind it. Does not wait. */
void audit_note(struct service *service, const struct principal *who, const char *type,
                const char *id);
/* Nothing was changed after all: no row is wanted. */
void audit_unchanged(const struct principal *who);
/* An attempt that was refused; who->user_id is "" when nobody is known. Does not wait; beyond
 * [audit] denied_per_minute they are counted only. */
void audit_denied(struct service *service, const struct principal *who, const char *type,
                  const char *id, const struct error *why);

/* Filters: kind, operation, userId, resourceType, resourceId, requestId, after, before. For owners
 * and admins. */
int audit_list(struct service *service, const struct principal *who, const struct list_query *query,
               json_t **page_r, struct error *err);
/* Walks the whole chain:
 * {"valid","entries","head":"POSITION:HASH","problems":[{"position","id"?,"message"}]}. expect: a
 * head noted earlier, which must still be in the chain; or NULL. For owners and admins. */
int audit_verify(struct service *service, const struct principal *who, const char *expect,
                 json_t **result_r, struct error *err);
/* As that, with neither a principal nor a running service, and without sealing: `c9d audit verify`.
 */
int audit_verify_storage(struct storage *storage, const char *expect, json_t **result_r,
                         struct error *err);

#endif
