/* Who waits for a place under [executions] running: each agent's in order, and the agents take
 * turns. What a plain list says is the judge. */
#include "supervisor/engine-private.h"
#include "tap.h"

enum { AGENTS = 5, RUNS = 40, STEPS = 20000 };

static struct engine engine;
static struct launch launches[AGENTS];
static struct run runs[RUNS];

/* The agents that have somebody in line, who is next first; and each one's runs. */
static struct {
    int agents[AGENTS], n_agents;
    struct run *of[AGENTS][RUNS];
    int n_of[AGENTS];
} model;

static uint64_t random_state = 1;

static unsigned random_below(unsigned n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(random_state >> 33) % n;
}

static int agent_of(const struct run *run)
{
    return (int)(run->launch - launches);
}

static void agents_remove(int agent)
{
    int kept = 0;
    for (int i = 0; i < model.n_agents; i++)
        if (model.agents[i] != agent)
            model.agents[kept++] = model.agents[i];
    model.n_agents = kept;
}

static void model_join(struct run *run)
{
    int agent = agent_of(run);
    if (model.n_of[agent] == 0)
        model.agents[model.n_agents++] = agent;
    model.of[agent][model.n_of[agent]++] = run;
}

static void model_leave(struct run *run)
{
    int agent = agent_of(run), kept = 0;
    for (int i = 0; i < model.n_of[agent]; i++)
        if (model.of[agent][i] != run)
            model.of[agent][kept++] = model.of[agent][i];
    model.n_of[agent] = kept;
    if (kept == 0)
        agents_remove(agent);
}

static struct run *model_next(void)
{
    if (model.n_agents == 0)
        return NULL;
    int agent = model.agents[0];
    struct run *first = model.of[agent][0];
    agents_remove(agent);
    model.agents[model.n_agents++] = agent;
    model_leave(first);
    return first;
}

static void prepare(void)
{
    for (int i = 0; i < AGENTS; i++)
        snprintf(launches[i].agent_id, sizeof(launches[i].agent_id), "agent-%d", i);
    for (int i = 0; i < RUNS; i++)
        runs[i] = (struct run){.engine = &engine, .launch = &launches[i % AGENTS]};
}

static void turns_test(void)
{
    ok(turn_next(&engine) == NULL, "nobody waits");
    turn_leave(&runs[0]);
    ok(engine.lines == NULL, "who is in no line can leave it");
    for (int i = 0; i < 3; i++)
        turn_join(&runs[(size_t)i * AGENTS]); /* three of the first agent */
    turn_join(&runs[1]);
    ok(turn_next(&engine) == &runs[0], "the first that came is the first");
    ok(turn_next(&engine) == &runs[1], "then another agent's single one");
    ok(turn_next(&engine) == &runs[AGENTS], "then the first agent's next");
    turn_join(&runs[1]);
    turn_leave(&runs[(size_t)2 * AGENTS]);
    ok(turn_next(&engine) == &runs[1], "who left is passed over");
    ok(turn_next(&engine) == NULL && engine.lines == NULL && engine.turns == NULL,
       "and nothing is left of the lines");
}

static void random_test(void)
{
    int wrong = 0, given = 0;
    for (int i = 0; i < STEPS; i++) {
        struct run *run = &runs[random_below(RUNS)];
        if (random_below(3) == 0) {
            struct run *want = model_next(), *got = turn_next(&engine);
            wrong += got != want || (got != NULL && got->line != NULL);
            given += got != NULL;
        } else if (run->line == NULL) {
            turn_join(run);
            model_join(run);
        } else if (random_below(2) == 0) {
            turn_leave(run);
            model_leave(run);
        }
    }
    is_int(wrong, 0, "the next is who it has to be, whatever came and went");
    ok(given > STEPS / 10, "of %d", given);
    for (struct run *want; (want = model_next()) != NULL;)
        wrong += turn_next(&engine) != want;
    is_int(wrong, 0, "to the last");
    ok(engine.lines == NULL && engine.turns == NULL, "and nothing is left");
}

int main(void)
{
    prepare();
    turns_test();
    random_test();
    return done_testing();
}
