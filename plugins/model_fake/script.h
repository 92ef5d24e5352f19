/* The script: replies tried in order; the first that fits is given. A conversation's position is
 * read off its messages, so there is no state and the same request always gets the same reply.
 *
 *   {"replies": [
 *     {"match": {"contains": "text in the last user message", "model": "name", "turn": 0,
 *                "after_tool": "name"},
 *      "content": "… {{user}} … {{result}}", "tool_calls": [{"name": "…", "arguments": {…}}],
 *      "finish": "length", "delay": "50ms",
 *      "error": {"status": 429, "message": "…", "retry": true, "retry_after": "1s"}}]}
 *
 * All conditions of `match` must hold. Without after_tool a reply fits only when the last message
 * is no tool's; with it, when one of the tool messages at the end is that tool's ("*": any). turn
 * is the number of assistant messages so far. In content, {{user}} is the last user message and
 * {{result}} what the tools at the end said. arguments may be a string, taken as it is. */
#ifndef MODEL_FAKE_SCRIPT_H
#define MODEL_FAKE_SCRIPT_H

#include <c9d/plugin.h>
#include <jansson.h>

#include "talk.h"

enum { SCRIPT_FILE_MAX = 4 * 1024 * 1024 };

/* Reads and checks the file: every member, so that a slip of the pen is found at open. NULL: see
 * fault. */
json_t *script_read(const char *path, struct c9d_fault *fault);
/* The reply that fits, borrowed; or NULL. */
const json_t *script_match(const json_t *script, const struct talk *talk);
/* "50ms", "1.5s" is not taken, "2s", "1m", "1h": µs, at most a day. 0 or -1. */
int script_duration(const char *text, int64_t *us_r);

#endif
