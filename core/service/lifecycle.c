#include "service/lifecycle.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"

static const char *const states[] = {
    [LIFE_DRAFT] = "draft",       [LIFE_PUBLISHED] = "published", [LIFE_DEPRECATED] = "deprecated",
    [LIFE_ARCHIVED] = "archived", [LIFE_GONE] = "gone",
};

static const struct {
    const char *name, *refusal;
} events[] = {
    [LIFE_EDIT] = {"edit", "it cannot be edited"},
    [LIFE_PUBLISH] = {"publish", "it cannot be published"},
    [LIFE_NEW_VERSION] = {"new-version", "no new version can be made of it"},
    [LIFE_MAKE_CURRENT] = {"make-current", "it cannot become the current version"},
    [LIFE_DEPRECATE] = {"deprecate", "it cannot be deprecated"},
    [LIFE_ARCHIVE] = {"archive", "it cannot be archived"},
    [LIFE_EXECUTE] = {"execute", "it does not run"},
    [LIFE_DELETE] = {"delete", "it cannot be deleted"},
};
_Static_assert(countof(events) == LIFE_EVENTS, "every event has a name");

/* All that is possible: the specification's diagram, and what leaves the state as it is. */
static const struct step {
    enum life state;
    enum life_event event;
    enum life next;
} steps[] = {
    {LIFE_DRAFT, LIFE_EDIT, LIFE_DRAFT},
    {LIFE_DRAFT, LIFE_PUBLISH, LIFE_PUBLISHED},
    {LIFE_DRAFT, LIFE_EXECUTE, LIFE_DRAFT}, /* as a test, for those who may write */
    {LIFE_DRAFT, LIFE_DELETE, LIFE_GONE},
    {LIFE_PUBLISHED, LIFE_NEW_VERSION, LIFE_DRAFT}, /* the new one; this one stays */
    {LIFE_PUBLISHED, LIFE_MAKE_CURRENT, LIFE_PUBLISHED},
    {LIFE_PUBLISHED, LIFE_DEPRECATE, LIFE_DEPRECATED},
    {LIFE_PUBLISHED, LIFE_ARCHIVE, LIFE_ARCHIVED},
    {LIFE_PUBLISHED, LIFE_EXECUTE, LIFE_PUBLISHED},
    {LIFE_DEPRECATED, LIFE_ARCHIVE, LIFE_ARCHIVED},
    {LIFE_DEPRECATED, LIFE_EXECUTE, LIFE_DEPRECATED}, /* with a warning */
    {LIFE_ARCHIVED, LIFE_DELETE, LIFE_GONE},
};

const char *life_name(enum life state)
{
    return states[state];
}

const char *life_event_name(enum life_event event)
{
    return events[event].name;
}

enum life life_of(const char *name)
{
    for (size_t i = 0; i < LIFE_STATES; i++)
        if (strcmp(states[i], name) == 0)
            return (enum life)i;
    return LIFE_GONE;
}

enum life life_after(enum life state, enum life_event event, bool *possible_r)
{
    for (size_t i = 0; i < countof(steps); i++) {
        if (steps[i].state == state && steps[i].event == event) {
            *possible_r = true;
            return steps[i].next;
        }
    }
    *possible_r = false;
    return LIFE_GONE;
}

void life_tell_allowed(struct error *err, json_t *allowed)
{
    error_detail(err, "allowed", allowed);
    error_detail(err, "suggestedActions",
                 json_pack("[s]", "See details.allowed for what is possible from here."));
}

int life_require(enum life state, enum life_event event, const char *what, struct error *err)
{
    bool possible;
    life_after(state, event, &possible);
    if (possible)
        return 0;
    json_t *allowed = json_array();
    for (size_t i = 0; i < countof(steps); i++)
        if (steps[i].state == state)
            json_array_append_new(allowed, json_string(events[steps[i].event].name));
    error_set(err, E_INVALID_STATE, "%s is %s: %s", what, states[state], events[event].refusal);
    error_detail(err, "state", json_string(states[state]));
    error_detail(err, "event", json_string(events[event].name));
    life_tell_allowed(err, allowed);
    return -1;
}

enum life_event life_working_event(enum life state)
{
    return state == LIFE_DRAFT ? LIFE_EDIT : LIFE_NEW_VERSION;
}
