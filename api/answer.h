/* Handlers of one shape: what the request names goes to one service function, and what that gives
 * is the reply. Each returns as a handler does (handler.h).
 *
 * A resource is JSON; one that counts its edits (has a member "revision") gets an ETag. parameter:
 * the name of the path's parameter that is the function's id. */
#ifndef C9_API_ANSWER_H
#define C9_API_ANSWER_H

#include <jansson.h>

#include "api/reply.h"
#include "api/request.h"
#include "service/service.h"

typedef int answer_list_fn(struct service *service, const struct principal *who,
                           const struct list_query *query, json_t **page_r, struct error *err);
typedef int answer_list_of_fn(struct service *service, const struct principal *who, const char *id,
                              const struct list_query *query, json_t **page_r, struct error *err);
/* A page, by the query's limit, cursor, sort and filters. */
int answer_list(struct request *request, struct reply *reply, struct error *err,
                answer_list_fn *fn);
/* With the parameter as one more filter of its name. */
int answer_list_by(struct request *request, struct reply *reply, struct error *err,
                   const char *parameter, answer_list_fn *fn);
/* Of what hangs from one resource. */
int answer_list_of(struct request *request, struct reply *reply, struct error *err,
                   const char *parameter, answer_list_of_fn *fn);

typedef int answer_one_fn(struct service *service, const struct principal *who, const char *id,
                          json_t **resource_r, struct error *err);
typedef int answer_part_fn(struct service *service, const struct principal *who, const char *id,
                           const char *part, json_t **resource_r, struct error *err);
/* A resource, got or acted on. */
int answer_one(struct request *request, struct reply *reply, struct error *err, int status,
               const char *parameter, answer_one_fn *fn);
/* A part of one, such as a version of an agent; part: the parameter that names it. */
int answer_part(struct request *request, struct reply *reply, struct error *err, int status,
                const char *parameter, const char *part, answer_part_fn *fn);

typedef int answer_body_fn(struct service *service, const struct principal *who, const json_t *body,
                           json_t **resource_r, struct error *err);
typedef int answer_body_of_fn(struct service *service, const struct principal *who, const char *id,
                              const json_t *body, json_t **resource_r, struct error *err);
/* What the body makes, or says. location: the path below which the resource is found by its id;
 * NULL when nothing was made. */
int answer_body(struct request *request, struct reply *reply, struct error *err, int status,
                const char *location, answer_body_fn *fn);
int answer_body_of(struct request *request, struct reply *reply, struct error *err, int status,
                   const char *location, const char *parameter, answer_body_of_fn *fn);

typedef int answer_update_fn(struct service *service, const struct principal *who, const char *id,
                             const json_t *body, const char *if_match, json_t **resource_r,
                             struct error *err);
/* What the body makes of it, if If-Match holds. */
int answer_update(struct request *request, struct reply *reply, struct error *err,
                  const char *parameter, answer_update_fn *fn);

typedef int answer_gone_fn(struct service *service, const struct principal *who, const char *id,
                           struct error *err);
typedef int answer_gone_if_fn(struct service *service, const struct principal *who, const char *id,
                              const char *if_match, struct error *err);
typedef int answer_gone_part_if_fn(struct service *service, const struct principal *who,
                                   const char *id, const char *part, const char *if_match,
                                   struct error *err);
typedef int answer_gone_part_fn(struct service *service, const struct principal *who,
                                const char *id, const char *part, struct error *err);
/* Nothing is left to show: 204. _if: as long as If-Match holds. */
int answer_gone(struct request *request, struct reply *reply, struct error *err,
                const char *parameter, answer_gone_fn *fn);
int answer_gone_if(struct request *request, struct reply *reply, struct error *err,
                   const char *parameter, answer_gone_if_fn *fn);
int answer_gone_part(struct request *request, struct reply *reply, struct error *err,
                     const char *parameter, const char *part, answer_gone_part_fn *fn);
int answer_gone_part_if(struct request *request, struct reply *reply, struct error *err,
                        const char *parameter, const char *part, answer_gone_part_if_fn *fn);

#endif
