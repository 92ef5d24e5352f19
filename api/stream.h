/* The event stream of an execution as the body of an answer. */
#ifndef C9_API_STREAM_H
#define C9_API_STREAM_H

#include <stdint.h>

struct follow;
struct MHD_Response;

/* A response that pulls the events after `after` from the store as they come, and ends behind
 * `end`. Takes the follow over. NULL when there is no memory. */
struct MHD_Response *stream_response(struct follow *follow, int64_t after);

#endif
