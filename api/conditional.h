/* Conditional requests: what handlers of editable resources share. */
#ifndef C9_API_CONDITIONAL_H
#define C9_API_CONDITIONAL_H

#include <jansson.h>

#include "api/etag.h"
#include "api/reply.h"
#include "api/request.h"

struct if_match {
    const char *tag; /* into text; NULL: no condition */
    char text[ETAG_MAX];
};
/* The request's If-Match. */
int request_if_match(const struct request *request, struct if_match *condition_r,
                     struct error *err);
/* The If-None-Match of a request that may make something: "*", it must not be there yet. Nothing
 * else is of use there, and is refused. */
int request_only_new(const struct request *request, bool *only_new_r, struct error *err);
/* A JSON body; with an ETag, when the resource counts its edits (has a member "revision"). */
void reply_resource(struct reply *reply, const struct request *request, int status,
                    const json_t *resource);
/* The ETag alone, of a resource that has one. */
void reply_revision(struct reply *reply, const struct request *request, const json_t *resource);

#endif
