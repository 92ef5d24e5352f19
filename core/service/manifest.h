/* What a skill file says of itself. */
#ifndef C9_SERVICE_MANIFEST_H
#define C9_SERVICE_MANIFEST_H

#include "service/service.h"

/* Checks a manifest and brings it to its canonical shape: an empty Lua table where an object is
 * meant ([] → {}). Problems go to `problems`. */
void manifest_check(const struct service *service, json_t *manifest, json_t *problems);

/* Adds the needs of a manifest to a union {"model":[…],"http":[…],…}. */
void manifest_needs_add(json_t *needs, const json_t *manifest);
/* As "model:default", "http:example.org" … in byte order. New array. */
json_t *manifest_capabilities(const json_t *needs);
/* What is in `of` and not in `but`: new array. */
json_t *manifest_difference(const json_t *of, const json_t *but);

#endif
