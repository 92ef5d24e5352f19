/* The sealer's side of the audit log. */
#ifndef C9_SERVICE_AUDIT_PRIVATE_H
#define C9_SERVICE_AUDIT_PRIVATE_H

#include "base/hash.h"
#include "service/service.h"
#include "store/audit.h"

struct auditor;

/* denied_per_minute: of config. */
struct auditor *auditor_new(struct storage *storage, int64_t denied_per_minute);
/* Seals what is left. NULL is fine. */
void auditor_free(struct auditor *auditor);
/* There is, or soon will be, something to seal. The first time, starts the sealer's thread. */
void auditor_wake(struct auditor *auditor);
/* Seals all that is durable now. */
int auditor_seal(struct auditor *auditor, struct error *err);
/* Whether a denial may be written; *missed_r: how many were not since the last one that was. */
bool auditor_admits(struct auditor *auditor, int64_t *missed_r);

/* The hash of a row behind `before`; content as store_audit_fn has it. */
void audit_hash(const char *before, int64_t position, const json_t *content,
                char hash_r[SHA256_HEX_SIZE]);

#endif
