/* CloudEvents 1.0: one in its JSON format, or from the headers and body of a binary message. Pure.
 */
#ifndef C9_SERVICE_CLOUDEVENT_H
#define C9_SERVICE_CLOUDEVENT_H

#include <jansson.h>
#include <stddef.h>

/* Checks one event in JSON. Problems (problem.h) are below path and name the attribute. The event
 * with its unset (null) attributes left out, as a new reference, or NULL when something is wrong.
 */
json_t *cloudevent_read(const json_t *event, const char *path, json_t *problems);

struct cloudevent_header {
    const char *name, *value; /* any case; as received */
};
/* A binary message: ce-… among the headers are attributes, the body is the data: JSON, text, or in
 * base64, by its content type (NULL: application/octet-stream when there is a body). As
 * cloudevent_read. */
json_t *cloudevent_read_binary(const struct cloudevent_header *headers, size_t n,
                               const char *content_type, const char *body, size_t len,
                               json_t *problems);

/* Whether an attribute of that name can be: a-z and 0-9. */
int cloudevent_name_valid(const char *name);

#endif
