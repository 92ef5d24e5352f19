/* The life of agents and of their versions: one table of what may happen in which state.
 *
 *     draft ──publish──► published ──deprecate──► deprecated ──archive──► archived ──delete──► gone
 *       ▲ edit               │ └────────────────archive─────────────────────▲
 *       └──── new version ───┘
 *
 * A version goes through it by itself. An agent's state is that of the agent as a whole: a draft
 * until a version of it is published; its working copy can be edited, and versions made of it, in
 * the first two states: in a published agent that begins a new version, which is a draft beside the
 * published one. Pure functions; any thread. */
#ifndef C9_SERVICE_LIFECYCLE_H
#define C9_SERVICE_LIFECYCLE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"

enum life { LIFE_DRAFT, LIFE_PUBLISHED, LIFE_DEPRECATED, LIFE_ARCHIVED, LIFE_GONE };
enum life_event {
    LIFE_EDIT,
    LIFE_PUBLISH,
    LIFE_NEW_VERSION,
    LIFE_MAKE_CURRENT,
    LIFE_DEPRECATE,
    LIFE_ARCHIVE,
    LIFE_EXECUTE,
    LIFE_DELETE
};
#define LIFE_STATES 4 /* that a thing can be in */
#define LIFE_EVENTS 8

/* As the API and the store name them. life_of: LIFE_GONE for what is no state. */
const char *life_name(enum life state);
const char *life_event_name(enum life_event event);
enum life life_of(const char *name);

/* The state after it; LIFE_GONE also when the event is not possible, which *possible_r says. */
enum life life_after(enum life state, enum life_event event, bool *possible_r);
/* 0 when it is possible; else -1 and E_INVALID_STATE: "agent X is archived: it cannot be edited",
 * with details.state, details.event and details.allowed, the names of the events that are. what:
 * "agent X", "version 1.0.0". */
int life_require(enum life state, enum life_event event, const char *what, struct error *err);

/* Adds details.allowed, which is consumed, and that it is there, to an E_INVALID_STATE. */
void life_tell_allowed(struct error *err, json_t *allowed);

/* Changing what is worked on: an edit of a draft, or a new version beside what is published. */
enum life_event life_working_event(enum life state);

#endif
