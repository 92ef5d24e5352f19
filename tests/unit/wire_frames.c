/* Frames, their bounds, the reader that cuts them, and the control packets with descriptors. */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "wire/wire.h"

static const char *decode(struct wire_header header, bool from_executor)
{
    uint8_t bytes[WIRE_HEADER_SIZE];
    wire_header_encode(&header, bytes);
    struct wire_header back;
    const char *why = wire_header_decode(bytes, from_executor, &back);
    if (why == NULL && memcmp(&back, &header, sizeof(back)) != 0)
        return "came back different";
    return why;
}

static void test_header(void)
{
    struct wire_header h = {0x01020304, WIRE_REQUEST, 0, 0x1112131415161718};
    uint8_t bytes[WIRE_HEADER_SIZE];
    wire_header_encode(&h, bytes);
    static const uint8_t want[] = {4,    3,    2,    1,    WIRE_REQUEST, 0,    0,    0,
                                   0x18, 0x17, 0x16, 0x15, 0x14,         0x13, 0x12, 0x11};
    ok(memcmp(bytes, want, sizeof(want)) == 0, "a header is little endian");
    for (unsigned t = 0; t < WIRE_TYPE_COUNT_ + 3; t++) {
        const struct wire_row *row = wire_row(t);
        if (row == NULL) {
            ok(t == 0 || t >= WIRE_TYPE_COUNT_, "type %u has no row", t);
            is_str(decode((struct wire_header){0, (uint16_t)t, 0, 0}, true),
                   "frame of an unknown type", "type %u is refused", t);
            continue;
        }
        uint64_t id = row->numbered;
        uint16_t type = (uint16_t)t;
        bool dir = row->from_executor;
        ok(decode((struct wire_header){row->min, type, 0, id}, dir) == NULL, "%s at its least",
           row->name);
        ok(decode((struct wire_header){row->max, type, 0, id}, dir) == NULL, "%s at its most",
           row->name);
        ok(decode((struct wire_header){row->max + 1, type, 0, id}, dir) != NULL, "%s above it",
           row->name);
        if (row->min > 0)
            ok(decode((struct wire_header){row->min - 1, type, 0, id}, dir) != NULL, "%s below it",
               row->name);
        ok(decode((struct wire_header){row->min, type, 0, id}, !dir) != NULL,
           "%s from the other side is refused", row->name);
        ok(decode((struct wire_header){row->min, type, 0, !id}, dir) != NULL,
           "%s: an id is there exactly when it belongs", row->name);
        ok(decode((struct wire_header){row->min, type, 0x8000, id}, dir) != NULL,
           "%s with an unknown flag is refused", row->name);
    }
    ok(decode((struct wire_header){1, WIRE_ANSWER, WIRE_FLAG_ERROR, 1}, false) == NULL,
       "an ANSWER may be an error");
}

static void test_names(void)
{
    for (unsigned k = WIRE_KIND_NOW; k < WIRE_KIND_COUNT_; k++)
        ok(wire_kind_name(k) != NULL, "kind %u has a name", k);
    is_str(wire_kind_name(WIRE_KIND_MODEL_CHAT), "model.chat", "names are Lua's");
    ok(wire_kind_name(0) == NULL && wire_kind_name(WIRE_KIND_COUNT_) == NULL, "others have none");
}

static void test_reader(void)
{
    buf_auto stream = BUF_INIT;
    static const char text[] = "\x02\0\0\0"
                               "{\"us\":5}";
    wire_frame_append(&stream, WIRE_READY, 0, 0, "12345678abcd", 12);
    for (uint64_t i = 1; i <= 3; i++)
        wire_frame_append(&stream, WIRE_REQUEST, 0, i, text, i == 2 ? 3 : sizeof(text) - 1);
    wire_frame_append(&stream, WIRE_RESULT, 0, 0, "0123456789abcdef1", 17);
    for (size_t step = 1; step <= stream.len; step++) {
        struct wire_reader reader = {.from_executor = true, .limit = 1000};
        struct wire_header h;
        const uint8_t *payload;
        const char *why = NULL;
        unsigned frames = 0, good = 0;
        for (size_t at = 0; at < stream.len; at += step) {
            buf_append(&reader.in, stream.data + at,
                       at + step > stream.len ? stream.len - at : step);
            int rc;
            while ((rc = wire_reader_next(&reader, &h, &payload, &why)) == 1)
                good += ++frames == 1
                            ? h.type == WIRE_READY && memcmp(payload, "12345678abcd", 12) == 0
                        : frames == 5 ? h.type == WIRE_RESULT && payload[16] == '1'
                                      : h.id == frames - 1 && memcmp(payload, text, 3) == 0;
            if (rc < 0)
                break;
        }
        if (step < 4 || step % 37 == 0 || step == stream.len)
            ok(why == NULL && frames == 5 && good == 5 && reader.in.len == 0,
               "five frames, cut every %zu bytes", step);
        buf_append_char(&reader.in, 'x');
        if (step == stream.len)
            is_int(wire_reader_next(&reader, &h, &payload, &why), -1,
                   "a byte behind the final frame is refused");
        buf_free(&reader.in);
    }
}

static void test_reader_limits(void)
{
    struct wire_reader reader = {.from_executor = true, .limit = 100};
    struct wire_header h;
    const uint8_t *payload;
    const char *why = NULL;
    uint8_t bytes[WIRE_HEADER_SIZE];
    wire_header_encode(&(struct wire_header){101, WIRE_EMIT, 0, 1}, bytes);
    buf_append(&reader.in, bytes, sizeof(bytes));
    is_int(wire_reader_next(&reader, &h, &payload, &why), -1,
           "a frame above the execution's limit is refused by its header alone");
    is_int(wire_reader_next(&reader, &h, &payload, &why), -1, "and stays refused");
    buf_free(&reader.in);

    reader = (struct wire_reader){.from_executor = true, .limit = 1 << 20};
    char *big = calloc(1, 1 << 20);
    wire_frame_append(&reader.in, WIRE_EMIT, 0, 1, big, 1 << 20);
    is_int(wire_reader_next(&reader, &h, &payload, &why), 1, "a large frame passes");
    is_int(wire_reader_next(&reader, &h, &payload, &why), 0, "and then nothing");
    ok(reader.in.cap == 0, "and its memory goes back");
    free(big);
    buf_free(&reader.in);
}

static struct wire_start sample_start(void)
{
    struct wire_start s = {.mode = WIRE_MODE_RUN,
                           .log_bytes_max = 1,
                           .log_count_max = 2,
                           .emit_count_max = 3,
                           .requests_max = 4,
                           .pending_max = 5,
                           .cpu_us = 6,
                           .memory = 1ull << 40,
                           .output_max = 8,
                           .execution_id = "01890a5d-ac96-774b-bcce-b302099a8057"};
    for (size_t i = 0; i < sizeof(s.seed); i++)
        s.seed[i] = (uint8_t)i;
    return s;
}

static const char *start_changed(void (*change)(struct wire_start *))
{
    struct wire_start s = sample_start(), back;
    change(&s);
    buf_auto b = BUF_INIT;
    wire_start_encode(&s, &b);
    return wire_start_decode((const uint8_t *)b.data, b.len, &back);
}
static void no_cpu(struct wire_start *s)
{
    s->cpu_us = 0;
}
static void no_memory(struct wire_start *s)
{
    s->memory = 0;
}
static void bad_mode(struct wire_start *s)
{
    s->mode = WIRE_MODE_PROBE_BEHIND + 1;
}
static void no_probe(struct wire_start *s)
{
    s->mode = WIRE_MODE_PROBE;
}
static void bad_probe(struct wire_start *s)
{
    s->mode = WIRE_MODE_PROBE;
    s->probe = WIRE_PROBE_COUNT_;
}
static void stray_probe(struct wire_start *s)
{
    s->probe = WIRE_PROBE_OPEN;
}
static void bad_id(struct wire_start *s)
{
    s->execution_id[7] = '/';
}
static void much_output(struct wire_start *s)
{
    s->output_max = WIRE_PAYLOAD_MAX + 1ull;
}

static void test_start(void)
{
    struct wire_start s = sample_start(), back;
    buf_auto b = BUF_INIT;
    wire_start_encode(&s, &b);
    is_int(b.len, WIRE_START_SIZE, "START has its size");
    memset(&back, 0xff, sizeof(back));
    ok(wire_start_decode((const uint8_t *)b.data, b.len, &back) == NULL, "START decodes");
    ok(back.mode == s.mode && back.pending_max == 5 && back.cpu_us == 6 &&
           back.memory == s.memory && back.output_max == 8 &&
           memcmp(back.seed, s.seed, sizeof(s.seed)) == 0,
       "START comes back as it was");
    is_str(back.execution_id, s.execution_id, "the id is terminated");
    ok(wire_start_decode((const uint8_t *)b.data, b.len - 1, &back) != NULL,
       "a short START is refused");
    ok(start_changed(no_cpu) && start_changed(no_memory) && start_changed(bad_mode) &&
           start_changed(bad_id) && start_changed(much_output),
       "limits, mode and id are checked");

    ok(start_changed(no_probe) && start_changed(bad_probe) && start_changed(stray_probe),
       "a probe is named when one is wanted, and only then");

    buf_auto st = BUF_INIT;
    wire_stats_encode(&(struct wire_stats){77, 1ull << 33}, &st);
    struct wire_stats stats;
    ok(st.len == WIRE_STATS_SIZE && wire_stats_decode((uint8_t *)st.data, st.len, &stats) == NULL &&
           stats.memory_peak == 77 && stats.cpu_us == 1ull << 33,
       "stats come back");
    ok(wire_stats_decode((uint8_t *)st.data, st.len - 1, &stats) != NULL,
       "short stats are refused");
}

static void test_denied(void)
{
    struct wire_denied d = {257, 0xc000003e, WIRE_NOWHERE}, back;
    uint8_t bytes[WIRE_DENIED_SIZE];
    wire_denied_encode(&d, bytes);
    ok(wire_denied_decode(bytes, sizeof(bytes), &back) == NULL && back.number == 257 &&
           back.arch == d.arch && back.place == WIRE_NOWHERE,
       "a denied call comes back");
    ok(wire_denied_decode(bytes, sizeof(bytes) - 1, &back) != NULL, "a short one is refused");
#ifdef __x86_64__
    is_str(wire_syscall_name(0xc000003e, 257), "openat", "its name");
    is_str(wire_syscall_name(0xc000003e, 0x40000001), "write", "by the x32 numbers");
    is_str(wire_arch_name(0xc000003e, 0x40000001), "x32", "which are told");
    is_str(wire_syscall_name(0x40000003, 5), "open", "and by those of i386");
    is_str(wire_arch_name(0x40000003, 5), "i386", "which are told too");
#endif
    ok(wire_syscall_name(0xc000003e, 100000) == NULL &&
           wire_syscall_name(0xc000003e, UINT32_MAX) == NULL && wire_syscall_name(1, 1) == NULL,
       "a number that nobody knows has none");
    is_str(wire_arch_name(1, 1), "unknown", "nor an unknown machine");
}

static void send_raw(int socket, const struct wire_control *c, size_t extra, const int *fds,
                     size_t n)
{
    char more[WIRE_CTL_TEXT_MAX + 100] = {0};
    struct iovec parts[] = {{(void *)(uintptr_t)c, sizeof(*c)}, {more, extra}};
    char space[CMSG_SPACE(4 * sizeof(int))] = {0};
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = 2};
    if (n > 0) {
        m.msg_control = space;
        m.msg_controllen = CMSG_SPACE(n * sizeof(int));
        struct cmsghdr *h = CMSG_FIRSTHDR(&m);
        h->cmsg_level = SOL_SOCKET;
        h->cmsg_type = SCM_RIGHTS;
        h->cmsg_len = CMSG_LEN(n * sizeof(int));
        memcpy(CMSG_DATA(h), fds, n * sizeof(int));
    }
    if (sendmsg(socket, &m, 0) < 0)
        note("sendmsg: %s", strerror(errno));
}

static void test_control(void)
{
    int pair[2], null = open("/dev/null", O_RDONLY), fds[WIRE_CTL_FDS];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        abort();
    static char text[WIRE_CTL_TEXT_MAX];
    struct wire_control c = {.type = WIRE_CTL_EXITED, .cookie = 9, .pid = 4}, got;
    is_int(wire_control_send(pair[0], &c, "hello", (int[WIRE_CTL_FDS]){null, null}), 0,
           "a packet with text and descriptors goes");
    is_int(wire_control_receive(pair[1], &got, text, fds), 1, "and arrives");
    ok(got.type == c.type && got.cookie == 9 && got.pid == 4, "as it was sent");
    is_str(text, "hello", "with its text");
    ok(fds[0] >= 0 && (fcntl(fds[0], F_GETFD) & FD_CLOEXEC) != 0 && fds[1] >= 0 &&
           (fcntl(fds[1], F_GETFD) & FD_CLOEXEC) != 0,
       "and descriptors that are close-on-exec");
    close(fds[0]);
    close(fds[1]);
    is_int(wire_control_send(pair[0], &c, NULL, (int[WIRE_CTL_FDS]){null, -1}), 0,
           "one descriptor");
    ok(wire_control_receive_bare(pair[1], &got, fds) == 1 && fds[0] >= 0 && fds[1] == -1,
       "arrives as one");
    close(fds[0]);
    is_int(wire_control_send(pair[0], &c, "text", (int[WIRE_CTL_FDS]){null, -1}), 0,
           "one with text");
    ok(wire_control_receive_bare(pair[1], &got, fds) == -1 && errno == EPROTO && fds[0] == -1,
       "is refused where none may be");
    ok(wire_control_receive(pair[1], &got, text, fds) == -1 && errno == EAGAIN,
       "nothing more: EAGAIN");

    struct wire_control old = {.type = WIRE_CTL_SETUP, .version = WIRE_VERSION + 1};
    struct wire_control odd = {.type = 99, .version = WIRE_VERSION};
    struct wire_control lies = {.type = WIRE_CTL_UP, .version = WIRE_VERSION, .text_len = 4};
    struct wire_control fine = {.type = WIRE_CTL_UP, .version = WIRE_VERSION};
    struct wire_control large = {
        .type = WIRE_CTL_UP, .version = WIRE_VERSION, .text_len = WIRE_CTL_TEXT_MAX + 50};
    int three[] = {null, null, null};
    send_raw(pair[0], &old, 0, NULL, 0);
    send_raw(pair[0], &odd, 0, NULL, 0);
    send_raw(pair[0], &lies, 3, NULL, 0);
    send_raw(pair[0], &large, large.text_len, NULL, 0);
    send_raw(pair[0], &fine, 0, three, 3);
    int first = open("/dev/null", O_RDONLY);
    close(first);
    for (int i = 0; i < 5; i++) {
        static const char *what[] = {"another version", "an unknown type", "a wrong length of text",
                                     "more than fits", "three descriptors"};
        errno = 0;
        ok(wire_control_receive(pair[1], &got, text, fds) == -1 && errno == EPROTO &&
               fds[0] == -1 && fds[1] == -1,
           "refused: %s", what[i]);
    }
    int second = open("/dev/null", O_RDONLY);
    is_int(second, first, "and no descriptor leaked");
    close(second);
    if (send(pair[0], "x", 1, 0) < 0)
        abort();
    ok(wire_control_receive(pair[1], &got, text, fds) == -1 && errno == EPROTO,
       "refused: one byte");
    close(pair[0]);
    is_int(wire_control_receive(pair[1], &got, text, fds), 0, "end of file is 0");
    close(pair[1]);
    close(null);
}

int main(void)
{
    test_header();
    test_names();
    test_reader();
    test_reader_limits();
    test_start();
    test_denied();
    test_control();
    return done_testing();
}
