/* What the files of chains share. */
#ifndef C9_SERVICE_CHAIN_PRIVATE_H
#define C9_SERVICE_CHAIN_PRIVATE_H

#include "service/chain.h"
#include "service/service-private.h"

/* The chain of this id, or of this name in the organization of `who`, if `who` may do `action` to
 * it; chain_r may be NULL. E_CHAIN_NOT_FOUND. */
int chain_find(struct service *service, const struct principal *who, const char *ref,
               enum action action, struct agent_meta *meta_r, json_t **chain_r, struct error *err);
/* {"config","pins",…} of a version of it, and the steps of its plan (borrowed from that). */
int chain_version(struct service *service, const char *id, const char *version, json_t **version_r,
                  const json_t **steps_r, struct error *err);

#endif
