/* Which events start an agent: triggerConfig.events, an array of
 *
 *   {"type": PATTERN, "source": PATTERN?, "filter": FILTER?, "input": POINTER?}
 *
 * of which one must match. A pattern is a text in segments, of a type by dots, of a source by
 * slashes; `*` stands for one segment, `#` at the end for all that follow, also for none. A filter
 * is an object, all of whose members must hold:
 *
 * - exact, prefix, suffix: {ATTRIBUTE: TEXT, …}, the attribute is there and is, begins with, ends
 *   with it;
 * - data: {POINTER: VALUE, …}, at the JSON Pointer in the event's data is this value;
 * - all, any: [FILTER, …];
 * - not: FILTER.
 *
 * input says which part of the event is the agent's input, as a JSON Pointer: "" the whole (the
 * default), "/data" its data. What is not there is null. */
#ifndef C9_SERVICE_EVENT_TRIGGER_H
#define C9_SERVICE_EVENT_TRIGGER_H

#include <jansson.h>
#include <stdbool.h>

/* What is wrong with a triggerConfig, below path. */
void event_trigger_check(const json_t *trigger_config, const char *path, json_t *problems);
/* The input for the event, as a new reference, by the first of `events` that matches; NULL: none
 * does. Both were checked. */
json_t *event_trigger_match(const json_t *events, const json_t *event);

/* For tests: one pattern. separator: '.' or '/'. */
bool event_pattern_matches(const char *pattern, const char *text, char separator);

#endif
