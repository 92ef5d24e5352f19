/* Frames and packets: bounds of every type in one table, encode and decode side by side. */
#include "wire/wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum {
    WIRE_JSON_LEAST = 1,          /* the shortest JSON text is one digit */
    WIRE_LAYER_NAME_MAX = 128,    /* behind the errno of a LOCKFAIL */
    WIRE_READER_KEEP = 16 * 1024, /* an empty reader's buffer above this goes back */
    WIRE_ID_LEN = sizeof(((struct wire_start *)NULL)->execution_id) - 1,
};

static const struct wire_row rows[WIRE_TYPE_COUNT_] = {
    [WIRE_START] = {"START", .min = WIRE_START_SIZE, .max = WIRE_START_SIZE},
    [WIRE_SKILL] = {"SKILL", .min = 2 + 1, .max = WIRE_PAYLOAD_MAX},
    [WIRE_RUN] = {"RUN", .min = WIRE_JSON_LEAST, .max = WIRE_PAYLOAD_MAX},
    [WIRE_ANSWER] = {"ANSWER", .numbered = true, .flags = WIRE_FLAG_ERROR, .min = WIRE_JSON_LEAST,
                     .max = WIRE_PAYLOAD_MAX},
    [WIRE_DELTA] = {"DELTA", .numbered = true, .min = 1, .max = WIRE_PAYLOAD_MAX},
    [WIRE_CANCEL] = {"CANCEL", .min = 0, .max = 0},
    [WIRE_READY] = {"READY", .from_executor = true, .min = WIRE_READY_SIZE, .max = WIRE_READY_SIZE},
    [WIRE_LOCKFAIL] = {"LOCKFAIL", .from_executor = true, .final = true, .min = 4,
                       .max = 4 + WIRE_LAYER_NAME_MAX},
    [WIRE_REQUEST] = {"REQUEST", .from_executor = true, .numbered = true,
                      .min = 2 + WIRE_JSON_LEAST, .max = WIRE_PAYLOAD_MAX},
    [WIRE_LOG] = {"LOG", .from_executor = true, .numbered = true, .min = 1 + 4,
                  .max = WIRE_PAYLOAD_MAX},
    [WIRE_EMIT] = {"EMIT", .from_executor = true, .numbered = true, .min = WIRE_JSON_LEAST,
                   .max = WIRE_PAYLOAD_MAX},
    [WIRE_RESULT] = {"RESULT", .from_executor = true, .final = true,
                     .min = WIRE_STATS_SIZE + WIRE_JSON_LEAST, .max = WIRE_PAYLOAD_MAX},
    [WIRE_FAILURE] = {"FAILURE", .from_executor = true, .final = true,
                      .min = WIRE_STATS_SIZE + WIRE_JSON_LEAST, .max = WIRE_PAYLOAD_MAX},
    [WIRE_DENIED] = {"DENIED", .from_executor = true, .final = true, .min = WIRE_DENIED_SIZE,
                     .max = WIRE_DENIED_SIZE},
    [WIRE_YIELD] = {"YIELD", .min = 0, .max = 0},
    [WIRE_IDLE] = {"IDLE", .from_executor = true, .min = 0, .max = 0},
};

static const char *const kind_names[WIRE_KIND_COUNT_] = {
    [WIRE_KIND_NOW] = "now",
    [WIRE_KIND_SLEEP] = "sleep",
    [WIRE_KIND_MODEL_CHAT] = "model.chat",
    [WIRE_KIND_HTTP_REQUEST] = "http.request",
    [WIRE_KIND_AGENT_EXECUTE] = "agents.execute",
    [WIRE_KIND_VALIDATE] = "validate",
    [WIRE_KIND_WAIT_FOR] = "wait_for",
    [WIRE_KIND_SECRET] = "secret",
};

const char *wire_kind_name(unsigned kind)
{
    return kind < countof(kind_names) ? kind_names[kind] : NULL;
}

unsigned wire_kind_by_name(const char *name)
{
    for (unsigned kind = 1; kind < countof(kind_names); kind++)
        if (strcmp(kind_names[kind], name) == 0)
            return kind;
    return 0;
}

const struct wire_row *wire_row(unsigned type)
{
    return type < countof(rows) && rows[type].name != NULL ? &rows[type] : NULL;
}

/* ---- integers -------------------------------------------------------------------------------- */

static void put(uint8_t *out, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        out[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t get(const uint8_t *in, unsigned bytes)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes; i++)
        v |= (uint64_t)in[i] << (8 * i);
    return v;
}

static uint32_t take_u32(const uint8_t **in)
{
    *in += 4;
    return (uint32_t)get(*in - 4, 4);
}

static uint64_t take_u64(const uint8_t **in)
{
    *in += 8;
    return get(*in - 8, 8);
}

/* ---- frames ---------------------------------------------------------------------------------- */

void wire_header_encode(const struct wire_header *header, uint8_t out[WIRE_HEADER_SIZE])
{
    put(out, header->length, 4);
    put(out + 4, header->type, 2);
    put(out + 6, header->flags, 2);
    put(out + 8, header->id, 8);
}

const char *wire_header_decode(const uint8_t in[WIRE_HEADER_SIZE], bool from_executor,
                               struct wire_header *header_r)
{
    struct wire_header header = {
        .length = (uint32_t)get(in, 4),
        .type = (uint16_t)get(in + 4, 2),
        .flags = (uint16_t)get(in + 6, 2),
        .id = get(in + 8, 8),
    };
    const struct wire_row *row = wire_row(header.type);
    if (row == NULL)
        return "frame of an unknown type";
    if (row->from_executor != from_executor)
        return "frame of the other direction";
    if (header.length < row->min)
        return "frame is too short for its type";
    if (header.length > row->max)
        return "frame is too long for its type";
    if ((header.flags & ~row->flags) != 0)
        return "frame has a flag that its type does not know";
    if (row->numbered != (header.id != 0))
        return row->numbered ? "frame lacks its id" : "frame has an id that its type does not know";
    *header_r = header;
    return NULL;
}

void wire_frame_append(struct buf *out, unsigned type, unsigned flags, uint64_t id,
                       const void *payload, size_t len)
{
    struct wire_header header = {(uint32_t)len, (uint16_t)type, (uint16_t)flags, id};
    uint8_t bytes[WIRE_HEADER_SIZE];
    wire_header_encode(&header, bytes);
    buf_reserve(out, sizeof(bytes) + len);
    buf_append(out, bytes, sizeof(bytes));
    buf_append(out, payload, len);
}

/* All frames were taken: what is left is the beginning of one, or nothing. */
static int reader_rest(struct wire_reader *reader)
{
    buf_consume(&reader->in, reader->taken);
    reader->taken = 0;
    if (reader->in.len == 0 && reader->in.cap > WIRE_READER_KEEP)
        buf_free(&reader->in);
    return 0;
}

static int reader_refuse(const char **why_r, const char *why)
{
    *why_r = why;
    return -1;
}

int wire_reader_next(struct wire_reader *reader, struct wire_header *header_r,
                     const uint8_t **payload_r, const char **why_r)
{
    size_t len = reader->in.len - reader->taken;
    if (reader->ended && len > 0)
        return reader_refuse(why_r, "bytes behind the final frame");
    if (len < WIRE_HEADER_SIZE)
        return reader_rest(reader);
    const uint8_t *frame = (const uint8_t *)reader->in.data + reader->taken;
    const char *why = wire_header_decode(frame, reader->from_executor, header_r);
    if (why == NULL && header_r->length > reader->limit)
        why = "frame is longer than this execution's limits allow";
    if (why != NULL)
        return reader_refuse(why_r, why);
    if (len - WIRE_HEADER_SIZE < header_r->length)
        return reader_rest(reader);
    *payload_r = frame + WIRE_HEADER_SIZE;
    reader->taken += WIRE_HEADER_SIZE + (size_t)header_r->length;
    reader->ended = rows[header_r->type].final;
    return 1;
}

/* ---- payloads of a fixed form ---------------------------------------------------------------- */

void wire_start_encode(const struct wire_start *start, struct buf *out)
{
    buf_append_u32le(out, start->mode);
    buf_append_u32le(out, start->log_bytes_max);
    buf_append_u32le(out, start->log_count_max);
    buf_append_u32le(out, start->emit_count_max);
    buf_append_u32le(out, start->requests_max);
    buf_append_u32le(out, start->pending_max);
    buf_append_u64le(out, start->cpu_us);
    buf_append_u64le(out, start->memory);
    buf_append_u64le(out, start->output_max);
    buf_append(out, start->seed, sizeof(start->seed));
    buf_append(out, start->execution_id, WIRE_ID_LEN);
    buf_append_u32le(out, start->probe);
    buf_append_u32le(out, start->probe_pid);
}

const char *wire_start_decode(const uint8_t *data, size_t len, struct wire_start *start_r)
{
    if (len != WIRE_START_SIZE)
        return "START has another size";
    struct wire_start start = {0};
    start.mode = take_u32(&data);
    start.log_bytes_max = take_u32(&data);
    start.log_count_max = take_u32(&data);
    start.emit_count_max = take_u32(&data);
    start.requests_max = take_u32(&data);
    start.pending_max = take_u32(&data);
    start.cpu_us = take_u64(&data);
    start.memory = take_u64(&data);
    start.output_max = take_u64(&data);
    memcpy(start.seed, data, sizeof(start.seed));
    data += sizeof(start.seed);
    memcpy(start.execution_id, data, WIRE_ID_LEN);
    data += WIRE_ID_LEN;
    start.probe = take_u32(&data);
    start.probe_pid = take_u32(&data);
    if (start.mode < WIRE_MODE_RUN || start.mode > WIRE_MODE_PROBE_BEHIND)
        return "START of an unknown mode";
    bool probes = start.mode >= WIRE_MODE_PROBE;
    if (probes != (start.probe != 0) || start.probe >= WIRE_PROBE_COUNT_)
        return "START of an unknown probe";
    if (start.cpu_us == 0 || start.memory == 0)
        return "START without a limit of CPU time or memory";
    if (start.output_max > WIRE_PAYLOAD_MAX)
        return "START allows more output than a frame can carry";
    if (strspn(start.execution_id, "0123456789abcdef-") != WIRE_ID_LEN)
        return "START's execution id is not a UUID";
    *start_r = start;
    return NULL;
}

void wire_stats_encode(const struct wire_stats *stats, struct buf *out)
{
    buf_append_u64le(out, stats->memory_peak);
    buf_append_u64le(out, stats->cpu_us);
}

const char *wire_stats_decode(const uint8_t *data, size_t len, struct wire_stats *stats_r)
{
    if (len < WIRE_STATS_SIZE)
        return "stats are too short";
    stats_r->memory_peak = take_u64(&data);
    stats_r->cpu_us = take_u64(&data);
    return NULL;
}

void wire_ready_encode(const struct wire_ready *ready, uint8_t out[WIRE_READY_SIZE])
{
    put(out, ready->cpu_us, 8);
    put(out + 8, ready->pid, 4);
}

void wire_ready_decode(const uint8_t in[WIRE_READY_SIZE], struct wire_ready *ready_r)
{
    *ready_r = (struct wire_ready){get(in, 8), (uint32_t)get(in + 8, 4)};
}

void wire_denied_encode(const struct wire_denied *denied, uint8_t out[WIRE_DENIED_SIZE])
{
    put(out, denied->number, 4);
    put(out + 4, denied->arch, 4);
    put(out + 8, denied->place, 8);
}

const char *wire_denied_decode(const uint8_t *data, size_t len, struct wire_denied *denied_r)
{
    if (len != WIRE_DENIED_SIZE)
        return "DENIED has another size";
    denied_r->number = take_u32(&data);
    denied_r->arch = take_u32(&data);
    denied_r->place = take_u64(&data);
    return NULL;
}

/* ---- supervisor and zygote ------------------------------------------------------------------- */

union control_space {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(WIRE_CTL_FDS * sizeof(int))];
};

int wire_control_send(int socket, const struct wire_control *control, const char *text,
                      const int fds[WIRE_CTL_FDS])
{
    struct wire_control packet = *control;
    packet.version = WIRE_VERSION;
    packet.text_len = text != NULL ? (uint32_t)strnlen(text, WIRE_CTL_TEXT_MAX - 1) : 0;
    struct iovec parts[] = {{&packet, sizeof(packet)}, {(void *)(uintptr_t)text, packet.text_len}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = countof(parts)};
    union control_space space = {0};
    size_t n_fds = 0;
    while (fds != NULL && n_fds < WIRE_CTL_FDS && fds[n_fds] >= 0)
        n_fds++;
    if (n_fds > 0) {
        message.msg_control = space.bytes;
        message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
        memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
    }
    ssize_t n;
    do {
        n = sendmsg(socket, &message, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -1 : 0;
}

/* The descriptors of a packet. More than fit cannot be: the kernel drops the rest and says so with
 * MSG_CTRUNC. */
static void control_descriptors(struct msghdr *message, int fds[WIRE_CTL_FDS])
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
            c->cmsg_len <= CMSG_LEN(WIRE_CTL_FDS * sizeof(int)))
            memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
}

static bool control_valid(const struct wire_control *control, size_t n)
{
    return n >= sizeof(*control) && control->version == WIRE_VERSION &&
           control->type >= WIRE_CTL_SETUP && control->type <= WIRE_CTL_EXITED &&
           control->text_len == n - sizeof(*control);
}

/* text_r NULL: no room for any. */
static int control_receive(int socket, struct wire_control *control_r, char *text_r,
                           int fds_r[WIRE_CTL_FDS])
{
    struct wire_control packet;
    struct iovec parts[] = {{&packet, sizeof(packet)}, {text_r, WIRE_CTL_TEXT_MAX - 1}};
    union control_space space;
    struct msghdr message = {.msg_iov = parts,
                             .msg_iovlen = text_r != NULL ? 2 : 1,
                             .msg_control = space.bytes,
                             .msg_controllen = sizeof(space.bytes)};
    fds_r[WIRE_CTL_SOCKET] = fds_r[WIRE_CTL_CGROUP] = -1;
    ssize_t n;
    do {
        n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n <= 0)
        return (int)n;
    int fds[WIRE_CTL_FDS] = {-1, -1};
    control_descriptors(&message, fds);
    autofd int executor = fds[WIRE_CTL_SOCKET], cgroup = fds[WIRE_CTL_CGROUP];
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || !control_valid(&packet, (size_t)n)) {
        errno = EPROTO;
        return -1;
    }
    *control_r = packet;
    fds_r[WIRE_CTL_SOCKET] = move_fd(&executor);
    fds_r[WIRE_CTL_CGROUP] = move_fd(&cgroup);
    return 1;
}

int wire_control_receive(int socket, struct wire_control *control_r, char text_r[WIRE_CTL_TEXT_MAX],
                         int fds_r[WIRE_CTL_FDS])
{
    int rc = control_receive(socket, control_r, text_r, fds_r);
    if (rc == 1)
        text_r[control_r->text_len] = '\0';
    return rc;
}

int wire_control_receive_bare(int socket, struct wire_control *control_r, int fds_r[WIRE_CTL_FDS])
{
    return control_receive(socket, control_r, NULL, fds_r);
}
