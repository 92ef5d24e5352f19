/* `c9d check-sandbox`: each layer of the sandbox on this machine, and attempts to get out of it,
 * made natively from inside real executors: once as every execution is locked down, and once
 * without the syscall policy, which shows what the layers behind it say. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/json.h"
#include "base/log.h"
#include "supervisor/daemon.h"
#include "supervisor/engine-private.h"

enum {
    PROBE_CPU_US = 100000,
    PROBE_MEMORY = 8 << 20,
    PROBE_MEMORY_MAX = 64 << 20, /* what the zygote maps for others */
    PROBE_WALL_US = 1000000, /* so many times: while all of it was stopped, no time passed … */
    PROBE_WALLS = 30,
    PROBE_PAYLOAD = 4096
};

/* What is still called held. CPU time is promised within 10 ms and 2 %, which the tests check; here
 * the machine may be loaded or emulated, and it is told how long it took. */
enum { CPU_HELD_US = 2 * PROBE_CPU_US, MEMORY_HELD = 2 * PROBE_MEMORY + (12 << 20) };

static const struct attempt {
    const char *name;
    enum wire_probe probe;
    int signal;  /* that ends it; 0: the syscall policy does */
    bool behind; /* what the other layers say is worth a second try */
} attempts[] = {
    {"open a file", WIRE_PROBE_OPEN, 0, true},
    {"create a folder", WIRE_PROBE_CREATE, 0, true},
    {"connect", WIRE_PROBE_CONNECT, 0, true},
    {"fork", WIRE_PROBE_FORK, 0, true},
    {"exec", WIRE_PROBE_EXEC, 0, true},
    {"ptrace a neighbour", WIRE_PROBE_PTRACE, 0, true},
    {"map executable memory", WIRE_PROBE_EXEC_MEMORY, 0, true},
    {"send on another descriptor", WIRE_PROBE_SEND_OTHER, 0, true},
    {"signal a neighbour", WIRE_PROBE_SIGNAL, 0, true},
    {"read a neighbour's memory", WIRE_PROBE_READ_MEMORY, 0, true},
    {"take a capability", WIRE_PROBE_CAPABILITIES, 0, true},
    {"exceed the memory", WIRE_PROBE_MEMORY, SIGSEGV, false},
    {"exceed the CPU time", WIRE_PROBE_CPU_TIME, SIGKILL, false},
};
enum { PASSES = 2 }; /* with the policy, and behind it */

struct party {
    struct executor_user user; /* first: cast back */
    struct check *check;
    struct executor *executor; /* NULL: none, or gone */
};

struct check {
    struct party prober, neighbour; /* the neighbour only waits */
    struct loop *loop;
    struct executors *executors;
    struct loop_timer wall;
    int walls;
    size_t at; /* attempts[at / PASSES], pass at % PASSES */
    json_t *rows, *row, *layers;
    bool strict, holds, answered, late;
};

/* ---- judging ---- */

static void judge(struct check *c, bool denied, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void judge(struct check *c, bool denied, const char *fmt, ...)
{
    char how[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(how, sizeof(how), fmt, ap);
    va_end(ap);
    bool behind = c->at % PASSES != 0;
    json_object_set_new(c->row, behind ? "behindDenied" : "denied", json_boolean(denied));
    json_object_set_new(c->row, behind ? "behind" : "how", json_string(how));
    c->holds &= denied || behind;
    c->answered = true;
}

static void judge_denied(struct check *c, const struct wire_header *h, const uint8_t *payload)
{
    struct wire_denied what;
    if (wire_denied_decode(payload, h->length, &what) != NULL)
        return;
    const char *name = wire_syscall_name(what.arch, what.number);
    judge(c, true, "killed for the system call %s (%u)", name != NULL ? name : "without a name",
          what.number);
}

/* It came back: {"result":n,"errno":n}. */
static void judge_result(struct check *c, const struct wire_header *h, const uint8_t *payload)
{
    error_auto err = ERROR_INIT;
    jx_auto *said = jx_decode((const char *)payload + WIRE_STATS_SIZE, h->length - WIRE_STATS_SIZE,
                              "result", &err);
    int failure = (int)jx_int(said, "errno", 0);
    const char *name = strerrorname_np(failure);
    if (failure != 0)
        judge(c, true, "%s: %s", name != NULL ? name : "?", strerror(failure));
    else
        judge(c, false, "it succeeds");
}

static void judge_exit(struct check *c, const struct executor_exit *how)
{
    const struct attempt *a = &attempts[c->at / PASSES];
    int sig = WIFSIGNALED(how->status) ? WTERMSIG(how->status) : 0;
    if (c->late)
        judge(c, false, "it does not end");
    else if (how->lost)
        judge(c, false, "the zygote ended");
    else if (a->probe == WIRE_PROBE_MEMORY && sig == a->signal)
        judge(c, how->maxrss <= MEMORY_HELD, "%s after %ld MiB, with a limit of %d MiB",
              strsignal(sig), (long)(how->maxrss >> 20), PROBE_MEMORY >> 20);
    else if (a->probe == WIRE_PROBE_CPU_TIME && sig == a->signal)
        judge(c, how->cpu_us <= CPU_HELD_US, "%s after %.1f ms, with a limit of %d ms",
              strsignal(sig), (double)how->cpu_us / 1000, PROBE_CPU_US / 1000);
    else if (sig != 0)
        judge(c, true, "killed: %s", strsignal(sig));
    else
        judge(c, false, "the executor ended with status %d", WEXITSTATUS(how->status));
}

/* ---- one attempt after the other ---- */

static void next(struct check *c)
{
    while (c->at < countof(attempts) * PASSES && c->at % PASSES != 0 &&
           !attempts[c->at / PASSES].behind)
        c->at++;
    if (c->at == countof(attempts) * PASSES) {
        loop_stop(c->loop);
        return;
    }
    if (c->at % PASSES == 0) {
        c->row = json_pack("{ss}", "attempt", attempts[c->at / PASSES].name);
        json_array_append_new(c->rows, c->row);
    }
    c->answered = c->late = false;
    c->walls = PROBE_WALLS;
    loop_timer_set(c->loop, &c->wall, PROBE_WALL_US);
    executors_ask(c->executors, &c->neighbour.user);
}

static void neighbour_ready(struct executor_user *user, struct executor *executor)
{
    struct check *c = ((struct party *)user)->check;
    c->neighbour.executor = executor;
    executors_ask(c->executors, &c->prober.user);
}

static void prober_ready(struct executor_user *user, struct executor *executor)
{
    struct check *c = ((struct party *)user)->check;
    buf_auto payload = BUF_INIT;
    struct wire_start start = {
        .mode = c->at % PASSES == 0 ? WIRE_MODE_PROBE : WIRE_MODE_PROBE_BEHIND,
        .cpu_us = attempts[c->at / PASSES].probe == WIRE_PROBE_CPU_TIME
                      ? PROBE_CPU_US
                      : PROBE_WALLS * PROBE_WALL_US,
        .memory = PROBE_MEMORY,
        .probe = attempts[c->at / PASSES].probe,
        .probe_pid = c->neighbour.executor != NULL ? executor_pid(c->neighbour.executor) : 0,
    };
    memset(start.execution_id, '0', sizeof(start.execution_id) - 1);
    c->prober.executor = executor;
    executor_payload_limit(executor, PROBE_PAYLOAD);
    executor_limit_memory(executor, start.memory);
    wire_start_encode(&start, &payload);
    executor_send_frame(executor, WIRE_START, 0, 0, payload.data, payload.len);
    executor_flush(executor);
}

static void prober_frame(struct executor_user *user, const struct wire_header *h,
                         const uint8_t *payload)
{
    struct check *c = ((struct party *)user)->check;
    if (h->type == WIRE_DENIED)
        judge_denied(c, h, payload);
    else if (h->type == WIRE_RESULT)
        judge_result(c, h, payload);
}

static void neighbour_frame(struct executor_user *user, const struct wire_header *h,
                            const uint8_t *payload)
{
    (void)user, (void)h, (void)payload; /* it was not started, and says nothing */
}

/* Both have to be gone before the next attempt begins. */
static void gone(struct check *c)
{
    if (c->neighbour.executor != NULL || c->prober.executor != NULL)
        return;
    loop_timer_cancel(c->loop, &c->wall);
    c->at++;
    next(c);
}

static void neighbour_exited(struct executor_user *user, const struct executor_exit *how)
{
    struct check *c = ((struct party *)user)->check;
    (void)how;
    c->neighbour.executor = NULL;
    gone(c);
}

static void prober_exited(struct executor_user *user, const struct executor_exit *how)
{
    struct check *c = ((struct party *)user)->check;
    if (!c->answered)
        judge_exit(c, how);
    c->prober.executor = NULL;
    if (c->neighbour.executor != NULL)
        executor_kill(c->neighbour.executor);
    gone(c);
}

static void wall_fire(struct loop_timer *timer)
{
    struct check *c = timer->arg;
    if (--c->walls > 0) {
        loop_timer_set(c->loop, &c->wall, PROBE_WALL_US);
        return;
    }
    c->late = true;
    if (c->prober.executor != NULL) {
        executor_kill(c->prober.executor);
        return;
    }
    judge(c, false, "no executor came");
    loop_stop(c->loop);
}

/* ---- telling ---- */

static void layers_judge(struct check *c)
{
    size_t i;
    json_t *layer;
    json_array_foreach (c->layers, i, layer)
        if (strcmp(jx_str(layer, "state", ""), "off") == 0 && jx_bool(layer, "required", true) &&
            c->strict)
            c->holds = false;
}

static void layers_print(const json_t *layers, bool each)
{
    size_t i;
    json_t *layer;
    json_array_foreach (layers, i, layer) {
        const char *state = jx_str(layer, "state", ""), *detail = jx_str(layer, "detail", "");
        if ((strcmp(state, "each") == 0) != each)
            continue;
        printf("  %-22s %-4s %s%s%s\n", jx_str(layer, "layer", ""), each ? "on" : state,
               jx_str(layer, "why", ""), detail[0] != '\0' ? ": " : "", detail);
        if (strcmp(state, "off") == 0 && !jx_bool(layer, "required", true))
            printf("  %-22s      not required: another layer does the same\n", "");
    }
}

static void check_print(const struct check *c)
{
    size_t i;
    json_t *row;
    puts("Layers in force before the first executor:");
    layers_print(c->layers, false);
    puts("\nLayers of each executor:");
    layers_print(c->layers, true);
    puts("\nAttempts from inside an executor; behind: without the syscall policy");
    json_array_foreach (c->rows, i, row) {
        printf("  %-28s %-8s %s\n", jx_str(row, "attempt", ""),
               jx_bool(row, "denied", false) ? "denied" : "ALLOWED",
               jx_str(row, "how", "not tried"));
        if (jx_str(row, "behind", NULL) != NULL)
            printf(
                "  %-28s %-8s %s\n", "", jx_bool(row, "behindDenied", false) ? "behind" : "alone",
                jx_bool(row, "behindDenied", false) ? jx_str(row, "behind", "")
                                                    : "no other layer of this machine denies it");
    }
    printf("\n[sandbox] mode = %s: %s\n", c->strict ? "strict" : "best-effort",
           c->holds ? "holds" : "DOES NOT HOLD");
}

static int check_run(struct daemon *d, struct check *c, struct error *err)
{
    autofree char *layers = NULL;
    c->strict = executors_strict(d->config);
    /* Not strict: what is missing is to be seen with what there is. */
    d->executors = executors_new(d->config, config_string(d->config, "sandbox", NULL, "zygote"),
                                 false, PROBE_MEMORY_MAX, &layers, err);
    if (d->executors == NULL)
        return -1;
    c->executors = d->executors;
    c->layers = jx_decode(layers, strlen(layers), "layers", err);
    c->loop = loop_new(err);
    if (c->layers == NULL || c->loop == NULL || executors_attach(d->executors, c->loop, err) < 0)
        return -1;
    layers_judge(c);
    next(c);
    loop_run(c->loop);
    return 0;
}

int command_check_sandbox(int argc, char **argv)
{
    struct command_options o;
    error_auto err = ERROR_INIT;
    struct daemon d = {0};
    struct check c = {
        .prober = {{.ready = prober_ready, .frame = prober_frame, .exited = prober_exited},
                   &c,
                   NULL},
        .neighbour = {{.ready = neighbour_ready,
                       .frame = neighbour_frame,
                       .exited = neighbour_exited},
                      &c,
                      NULL},
        .rows = json_array(),
        .holds = true,
    };
    c.wall = (struct loop_timer){.fn = wall_fire, .arg = &c};
    if (command_parse(argc, argv, "[-c FILE] [--json]", false, &o) < 0)
        return 2;
    int failed = daemon_configure(&d, o.config, &err) < 0 || check_run(&d, &c, &err) < 0;
    if (failed) {
        command_fail(&err);
    } else if (o.json) {
        jx_auto *all = json_pack("{ss sb sO sO}", "mode", c.strict ? "strict" : "best-effort",
                                 "holds", c.holds, "layers", c.layers, "attempts", c.rows);
        autofree char *text = jx_encode(all, NULL);
        puts(text);
    } else {
        check_print(&c);
    }
    json_decref(c.rows);
    json_decref(c.layers);
    executors_free(move_ptr(&d.executors));
    loop_free(c.loop);
    daemon_close(&d);
    return failed || !c.holds ? 1 : 0;
}
