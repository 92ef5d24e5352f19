/* What the supervisor holds for one execution: its input, the frame being received, its requests,
 * replies that arrive for it, answers it has not read, events on their way to the store, journaled
 * answers to be replayed. All of it counts against limits.host_memory; whatever would go beyond is
 * refused, with E_RESOURCE_EXHAUSTED that names limit, what is held, and what for. Engine thread.
 */
#ifndef C9_SUPERVISOR_HOLD_H
#define C9_SUPERVISOR_HOLD_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct run;
struct effect;

int64_t run_held(const struct run *run); /* bytes */
/* 0 when there is room for so many more; else -1. Takes nothing. what: "a request", "a reply" … */
int run_hold_check(const struct run *run, size_t bytes, const char *what, struct error *err);
/* The same, and takes them until effect_release or the effect's end. */
int effect_hold(struct effect *effect, size_t bytes, const char *what, struct error *err);
void effect_release(struct effect *effect, size_t bytes);

#endif
