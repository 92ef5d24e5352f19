/* The audit log's rows. */
#ifndef C9_STORE_AUDIT_H
#define C9_STORE_AUDIT_H

#include <stdint.h>

#include "base/hash.h"
#include "base/uuid.h"
#include "store/list.h"

struct audit_row {
    int64_t at;
    const char *organization_id; /* NULL: the installation's own */
    const char *user_id, *token_id, *kind, *operation, *resource_type, *resource_id, *code,
        *message;
    const char *before, *after; /* JSON text */
    const char *address, *user_agent, *request_id;
};
/* One statement. */
void store_audit_insert(struct storage_batch *batch, const struct audit_row *row);

/* Scope: organization. */
extern const struct list store_audit_list;

/* ---- the chain ---- */

#define AUDIT_HEAD     "audit.head"
#define AUDIT_HEAD_MAX 96 /* "POSITION:HASH" and NUL */

/* content: everything that is hashed, as a JSON array in the order of the columns. position 0: not
 * sealed. */
typedef int (*store_audit_fn)(void *arg, const char *id, int64_t position, const char *hash,
                              const json_t *content);
/* Rows that are not sealed, in the order of their ids; fn returns non-zero to stop. */
int store_audit_unsealed(struct storage *storage, int64_t max, store_audit_fn fn, void *arg,
                         struct error *err);
/* Sealed rows from behind a position, in order. */
int store_audit_sealed(struct storage *storage, int64_t after, int64_t max, store_audit_fn fn,
                       void *arg, struct error *err);
int store_audit_head(struct storage *storage, char head_r[AUDIT_HEAD_MAX], struct error *err);
/* Conflicts when the head is not `from` any more: somebody else has sealed. */
void store_audit_head_move(struct storage_batch *batch, const char *from, const char *to);
/* Conflicts when it is sealed. */
void store_audit_seal(struct storage_batch *batch, const char *id, int64_t position,
                      const char *hash);

#endif
