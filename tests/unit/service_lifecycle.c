/* The life of agents and versions: every pair of state and event, against the specification's
 * diagram written down a second time, as the matrix that it is. */
#include "service/lifecycle.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "tap.h"

/* The state after it, or "" when it is not possible. */
static const char *const wanted[LIFE_STATES][LIFE_EVENTS] = {
    /* edit, publish, new version, make current, deprecate, archive, execute, delete */
    {"draft", "published", "", "", "", "", "draft", "gone"},
    {"", "", "draft", "published", "deprecated", "archived", "published", ""},
    {"", "", "", "", "", "archived", "deprecated", ""},
    {"", "", "", "", "", "", "", "gone"},
};

static void pairs_test(void)
{
    for (int s = 0; s < LIFE_STATES; s++) {
        for (int e = 0; e < LIFE_EVENTS; e++) {
            bool possible;
            enum life next = life_after((enum life)s, (enum life_event)e, &possible);
            is_str(possible ? life_name(next) : "", wanted[s][e], "%s, %s", life_name((enum life)s),
                   life_event_name((enum life_event)e));
        }
    }
}

static bool listed(const json_t *allowed, const char *event)
{
    for (size_t i = 0; i < json_array_size(allowed); i++)
        if (strcmp(json_string_value(json_array_get(allowed, i)), event) == 0)
            return true;
    return false;
}

/* A refusal names the state and all that is possible in it, no more. */
static void refusals_test(void)
{
    int right = 0, refused = 0;
    for (int s = 0; s < LIFE_STATES; s++) {
        for (int e = 0; e < LIFE_EVENTS; e++) {
            error_auto err = ERROR_INIT;
            int result = life_require((enum life)s, (enum life_event)e, "version 1.0.0", &err);
            if (wanted[s][e][0] != '\0') {
                right += result == 0 && err.code == E_NONE;
                continue;
            }
            refused++;
            const json_t *allowed = json_object_get(err.details, "allowed");
            bool exact = result == -1 && err.code == E_INVALID_STATE &&
                         strstr(err.message, life_name((enum life)s)) != NULL &&
                         strcmp(jx_str(err.details, "state", ""), life_name((enum life)s)) == 0;
            for (int other = 0; other < LIFE_EVENTS; other++)
                exact = exact && listed(allowed, life_event_name((enum life_event)other)) ==
                                     (wanted[s][other][0] != '\0');
            right += exact;
        }
    }
    is_int(refused, 20, "twenty of the pairs are refused");
    is_int(right, LIFE_STATES * LIFE_EVENTS, "every refusal names the state and what is possible");
}

int main(void)
{
    pairs_test();
    refusals_test();
    for (int s = 0; s < LIFE_STATES; s++)
        is_int(life_of(life_name((enum life)s)), s, "%s is known by its name",
               life_name((enum life)s));
    is_int(life_of("published "), LIFE_GONE, "what is no state is none");
    is_int(life_working_event(LIFE_DRAFT), LIFE_EDIT, "a draft is edited");
    is_int(life_working_event(LIFE_PUBLISHED), LIFE_NEW_VERSION,
           "what is published begins a new version");
    return done_testing();
}
