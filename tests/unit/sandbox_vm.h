/* Drives vm_execute in a forked child, without the lock-down, from a scripted engine in the test.
 */
#ifndef C9_TESTS_SANDBOX_VM_H
#define C9_TESTS_SANDBOX_VM_H

#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/vm.h"
#include "tap.h"

volatile sig_atomic_t executor_time_up;
static int vm_socket = -1;

static bool vm_read(int fd, void *out, size_t len)
{
    for (uint8_t *at = out; len > 0;) {
        ssize_t n = read(fd, at, len);
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static void vm_write(int fd, const void *data, size_t len)
{
    for (const uint8_t *at = data; len > 0;) {
        ssize_t n = write(fd, at, len);
        if (n <= 0)
            _exit(3);
        at += n;
        len -= (size_t)n;
    }
}

/* ---- the executor's side --------------------------------------------------------------------- */

void executor_send(unsigned type, unsigned flags, uint64_t id, const void *head, size_t head_len,
                   const void *body, size_t body_len)
{
    struct wire_header header = {(uint32_t)(head_len + body_len), (uint16_t)type, (uint16_t)flags,
                                 id};
    uint8_t bytes[WIRE_HEADER_SIZE];
    wire_header_encode(&header, bytes);
    vm_write(vm_socket, bytes, sizeof(bytes));
    vm_write(vm_socket, head, head_len);
    vm_write(vm_socket, body, body_len);
}

void executor_receive(struct wire_header *header_r)
{
    uint8_t bytes[WIRE_HEADER_SIZE];
    if (!vm_read(vm_socket, bytes, sizeof(bytes)) ||
        wire_header_decode(bytes, false, header_r) != NULL)
        _exit(4);
}

void executor_read(void *out, size_t len)
{
    if (!vm_read(vm_socket, out, len))
        _exit(5);
}

uint64_t executor_cpu_us(void)
{
    return 7;
}

static void vm_on_timer(int signal)
{
    (void)signal;
    executor_time_up = 1;
    lua_sethook(vm_running(), (lua_Hook)(void *)vm_time_up_hook,
                LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

static lua_State *vm_zygote(void)
{
    static lua_State *L;
    if (L == NULL && arena_map(256u << 20) == 0) {
        arena_limit(64u << 20);
        L = vm_new();
    }
    if (L == NULL)
        abort();
    return L;
}

/* ---- the engine's side ----------------------------------------------------------------------- */

struct vm_case {
    const char *name, *source;             /* of the entry skill; name NULL: "test" */
    const char *other_name, *other_source; /* a second skill */
    const char *input, *context;           /* JSON; NULL: null, {} */
    const char *const
        *answers;      /* to requests, in order; "!…": an error; "~…": a delta, then the next */
    bool newest_first; /* answer when no more comes, the newest request first */
    unsigned cancel_at;      /* CANCEL instead of the answer to this request */
    struct wire_start start; /* zero members: generous */
};

static struct {
    unsigned type;
    char *payload;      /* of the final frame, behind the stats */
    char text[1 << 16]; /* what came before, a line a frame: "REQUEST 1 now {}" */
    int status;
} vm_end;

static void vm_send(int fd, unsigned type, unsigned flags, uint64_t id, const char *data,
                    size_t len)
{
    int kept = vm_socket;
    vm_socket = fd;
    executor_send(type, flags, id, data, len, NULL, 0);
    vm_socket = kept;
}

static void vm_send_skill(int fd, const char *name, const char *source)
{
    size_t n = strlen(name), m = strlen(source);
    char *payload = malloc(2 + n + m);
    payload[0] = (char)n;
    payload[1] = (char)(n >> 8);
    memcpy(payload + 2, name, n);
    memcpy(payload + 2 + n, source, m);
    vm_send(fd, WIRE_SKILL, 0, 0, payload, 2 + n + m);
    free(payload);
}

static void vm_note_frame(const struct wire_header *header, const char *payload)
{
    size_t used = strlen(vm_end.text), room = sizeof(vm_end.text) - used;
    char *at = vm_end.text + used;
    unsigned long long id = (unsigned long long)header->id;
    if (header->type == WIRE_REQUEST)
        snprintf(at, room, "REQUEST %llu %s %s\n", id, wire_kind_name((uint8_t)payload[0]),
                 payload + 2);
    else if (header->type == WIRE_LOG)
        snprintf(at, room, "LOG %llu %d %s\n", id, payload[0], payload + 5);
    else
        snprintf(at, room, "EMIT %llu %s\n", id, payload);
}

static const char *const *vm_answer(int fd, const struct vm_case *c, const char *const *next,
                                    uint64_t id)
{
    while (next != NULL && *next != NULL && **next == '~') {
        vm_send(fd, WIRE_DELTA, 0, id, *next + 1, strlen(*next) - 1);
        next++;
    }
    const char *text = next != NULL && *next != NULL ? *next++ : "{}";
    if (c->cancel_at == id)
        vm_send(fd, WIRE_CANCEL, 0, 0, "", 0);
    else if (*text == '!')
        vm_send(fd, WIRE_ANSWER, WIRE_FLAG_ERROR, id, text + 1, strlen(text) - 1);
    else
        vm_send(fd, WIRE_ANSWER, 0, id, text, strlen(text));
    return next;
}

static void vm_serve(int fd, const struct vm_case *c)
{
    const char *const *next = c->answers;
    uint64_t waiting[64];
    size_t n = 0;
    for (;;) {
        struct wire_header header;
        uint8_t bytes[WIRE_HEADER_SIZE];
        struct timeval soon = {0, 100000}, never = {30, 0};
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, n > 0 ? &soon : &never, sizeof(soon));
        if (!vm_read(fd, bytes, sizeof(bytes))) {
            if (n == 0)
                return;
            next = vm_answer(fd, c, next, waiting[--n]);
            continue;
        }
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &never, sizeof(never));
        const char *why = wire_header_decode(bytes, true, &header);
        if (why != NULL) {
            printf("# refused: %s\n", why);
            return;
        }
        char *payload = calloc(1, header.length + 1);
        if (!vm_read(fd, payload, header.length))
            return;
        if (header.type == WIRE_RESULT || header.type == WIRE_FAILURE) {
            vm_end.type = header.type;
            memmove(payload, payload + WIRE_STATS_SIZE, header.length - WIRE_STATS_SIZE + 1);
            vm_end.payload = payload;
            return;
        }
        vm_note_frame(&header, payload);
        if (header.type == WIRE_REQUEST && c->newest_first)
            waiting[n++] = header.id;
        else if (header.type == WIRE_REQUEST)
            next = vm_answer(fd, c, next, header.id);
        free(payload);
    }
}

static void vm_start_fill(struct wire_start *start)
{
    const struct wire_start generous = {.mode = WIRE_MODE_RUN,
                                        .log_bytes_max = 1 << 20,
                                        .log_count_max = 1000,
                                        .emit_count_max = 1000,
                                        .requests_max = 1000,
                                        .pending_max = 16,
                                        .cpu_us = 2000000,
                                        .memory = 64u << 20,
                                        .output_max = 1 << 20};
    for (size_t i = 0; i < 6; i++)
        if (((uint32_t *)start)[i] == 0)
            ((uint32_t *)start)[i] = ((const uint32_t *)&generous)[i];
    start->cpu_us = start->cpu_us ? start->cpu_us : generous.cpu_us;
    start->memory = start->memory ? start->memory : generous.memory;
    start->output_max = start->output_max ? start->output_max : generous.output_max;
}

/* Runs; the outcome is in vm_end. Returns the final frame's JSON ("" when there was none). */
static const char *vm_run(struct vm_case c)
{
    int pair[2];
    lua_State *L = vm_zygote();
    fflush(stdout);
    free(vm_end.payload);
    memset(&vm_end, 0, sizeof(vm_end));
    vm_start_fill(&c.start);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        abort();
    pid_t pid = fork();
    if (pid == 0) {
        close(pair[0]);
        vm_socket = pair[1];
        signal(SIGPROF, vm_on_timer);
        struct itimerval timer = {.it_value = {(time_t)(c.start.cpu_us / 1000000),
                                               (suseconds_t)(c.start.cpu_us % 1000000)}};
        setitimer(ITIMER_PROF, &timer, NULL);
        arena_limit((size_t)c.start.memory);
        vm_execute(L, &c.start);
        _exit(0);
    }
    close(pair[1]);
    vm_send_skill(pair[0], c.name ? c.name : "test", c.source);
    if (c.other_source != NULL)
        vm_send_skill(pair[0], c.other_name ? c.other_name : "other", c.other_source);
    char *run = NULL;
    int len = asprintf(&run, "{\"input\":%s,\"context\":%s}", c.input ? c.input : "null",
                       c.context ? c.context : "{}");
    vm_send(pair[0], WIRE_RUN, 0, 0, run, (size_t)len);
    free(run);
    vm_serve(pair[0], &c);
    close(pair[0]);
    waitpid(pid, &vm_end.status, 0);
    return vm_end.payload != NULL ? vm_end.payload : "";
}

/* The body of run(input, ctx). */
__attribute__((unused)) static const char *vm_body(const char *body)
{
    static char *source;
    free(source);
    if (asprintf(&source, "return { run = function(input, ctx)\n%s\nend }", body) < 0)
        abort();
    return source;
}

__attribute__((unused)) static bool vm_has(const char *text, const char *part)
{
    bool has = text != NULL && strstr(text, part) != NULL;
    if (!has)
        printf("# '%s' is not in: %s\n", part, text != NULL ? text : "(null)");
    return has;
}

#endif
