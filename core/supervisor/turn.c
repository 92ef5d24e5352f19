/* Admitted executions that wait for a place under [executions] running. Each agent has a line of
 * its own, and the agents take turns: ten thousand executions of one do not hold up another's
 * single one. */
#include <string.h>
#include <utlist.h>

#include "supervisor/engine-private.h"

struct line {
    char agent_id[UUID_SIZE];
    struct run *runs;         /* in the order admitted */
    struct line *prev, *next; /* engine->turns: who is next */
    UT_hash_handle hh;        /* engine->lines, by agent */
};

static struct line *line_of(struct engine *engine, const char *agent_id)
{
    struct line *line = NULL;
    HASH_FIND_STR(engine->lines, agent_id, line);
    if (line != NULL)
        return line;
    line = xcalloc(1, sizeof(*line));
    memcpy(line->agent_id, agent_id, UUID_SIZE - 1);
    HASH_ADD_STR(engine->lines, agent_id, line);
    DL_APPEND(engine->turns, line);
    return line;
}

void turn_join(struct run *run)
{
    run->line = line_of(run->engine, run->launch->agent_id);
    DL_APPEND2(run->line->runs, run, line_prev, line_next);
}

void turn_leave(struct run *run)
{
    struct line *line = run->line;
    if (line == NULL)
        return;
    run->line = NULL;
    DL_DELETE2(line->runs, run, line_prev, line_next);
    if (line->runs != NULL)
        return;
    DL_DELETE(run->engine->turns, line);
    HASH_DEL(run->engine->lines, line);
    free(line);
}

struct run *turn_next(struct engine *engine)
{
    struct line *line = engine->turns;
    if (line == NULL)
        return NULL;
    struct run *first = line->runs;
    DL_DELETE(engine->turns, line); /* to the end: the others come first now */
    DL_APPEND(engine->turns, line);
    turn_leave(first);
    return first;
}
