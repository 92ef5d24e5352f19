/* The protocol between the supervisor and what runs below it; PROTOCOL.md tells the story, this
 * header the bytes. Used on both ends. No allocation but through struct buf; no jansson; safe in
 * the executor after lock-down. */
#ifndef C9_WIRE_WIRE_H
#define C9_WIRE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

#define WIRE_VERSION 4
#define WIRE_HEADER_SIZE                                                                           \
    16            /* u32 length of the payload, u16 type, u16 flags, u64 id; little endian */
#define WIRE_FD 3 /* the executor's end */

/* ---- executor ↔ engine: a SOCK_STREAM pair, one per execution -------------------------------- */

enum wire_type {
    /* engine → executor */
    WIRE_START = 1, /* struct wire_start; first, once */
    WIRE_SKILL,  /* u16 length of the name, name, then Lua source; the first is the entry point */
    WIRE_RUN,    /* JSON {"input":…,"context":{…}}: all skills were sent, begin */
    WIRE_ANSWER, /* id of the request; JSON; WIRE_FLAG_ERROR: an error object */
    WIRE_DELTA,  /* id of the request; raw text of a streamed answer, before its ANSWER */
    WIRE_CANCEL, /* empty: end with the error Cancelled at the next call */
    /* executor → engine */
    WIRE_READY,    /* struct wire_ready: locked down, about to read START */
    WIRE_LOCKFAIL, /* u32 errno, then the layer's name: could not lock down; final */
    WIRE_REQUEST,  /* id 1, 2, 3 …; u16 enum wire_kind, then JSON */
    WIRE_LOG, /* id: see notices; u8 level (0 debug … 3 error), u32 length of the message, message,
               * then JSON metadata (an object, or nothing) */
    WIRE_EMIT,    /* id: see notices; JSON */
    WIRE_RESULT,  /* struct wire_stats, then JSON output; final */
    WIRE_FAILURE, /* struct wire_stats, then a JSON error object; final */
    WIRE_DENIED,  /* struct wire_denied: the syscall policy killed it; final */
    /* since version 3 */
    WIRE_YIELD, /* engine → executor; empty: say IDLE as soon as nothing can run but by an answer */
    WIRE_IDLE, /* executor → engine; empty: it can be ended here and made anew by a replay */
    WIRE_TYPE_COUNT_
};

/* Notices (LOG, EMIT) are numbered 1, 2, 3 … by one counter of the execution, so that a replay can
 * leave out those that are stored already. */

enum { WIRE_FLAG_ERROR = 1 };

/* What a REQUEST asks for; the broker has one row for each. */
enum wire_kind {
    WIRE_KIND_NOW = 1, /* {} → {"us":n} */
    WIRE_KIND_SLEEP,   /* {"us":n} → {} */
    WIRE_KIND_MODEL_CHAT, /* {"provider":"default","stream":bool,"emit":bool,"chat":{…}} → answer */
    WIRE_KIND_HTTP_REQUEST,  /* {"method","url","headers":{},"body","timeout_us","max_bytes"} →
                              * {"status","headers","body" | "body_base64"} */
    WIRE_KIND_AGENT_EXECUTE, /* {"agent":id or name,"version":ref or null,"input":…} →
                                {"execution_id","output"} */
    WIRE_KIND_VALIDATE,      /* {"of":"output"} or {"of":"skill","name":…}, and "value" →
                              * {"valid":bool,"errors":[{"path","message"}]}: against the agent's output
                              * schema, or the input schema of a skill */
    WIRE_KIND_WAIT_FOR,      /* {"name","schema":{} or absent,"timeout_us":n or absent} →
                              * {"payload","signal_id","sent_by","sent_us"}: of a signal */
    WIRE_KIND_SECRET, /* {"name":…} → {"reference":…}: what takes the secret's place in a request */
    WIRE_KIND_COUNT_
};
unsigned wire_kind_by_name(const char *name); /* 0: none */
const char *wire_kind_name(unsigned kind);    /* "model.chat"; NULL when there is none */

/* Bounds of each type, both ends. */
struct wire_row {
    const char *name;
    bool from_executor, final;
    bool numbered;     /* carries an id ≥ 1; the others carry 0 */
    uint16_t flags;    /* those it may carry */
    uint32_t min, max; /* payload bytes */
};
const struct wire_row *wire_row(unsigned type); /* NULL when there is no such type */

#define WIRE_PAYLOAD_MAX (64u << 20) /* the engine's limits on an execution are below this */

struct wire_header {
    uint32_t length;
    uint16_t type, flags;
    uint64_t id;
};
void wire_header_encode(const struct wire_header *header, uint8_t out[WIRE_HEADER_SIZE]);
/* NULL, or why it is refused (unknown type, wrong direction, length out of bounds, unknown flags,
 * an id missing or too much). from_executor: which side is being read. */
const char *wire_header_decode(const uint8_t in[WIRE_HEADER_SIZE], bool from_executor,
                               struct wire_header *header_r);

enum wire_mode {
    WIRE_MODE_RUN = 1,
    WIRE_MODE_DESCRIBE, /* evaluate the skill file, answer its table without functions */
    WIRE_MODE_PROBE,    /* locked down as for RUN, make one attempt and answer a RESULT if it came
                         * back:
                         * {"result":n,"errno":n}. No frame is read after this START */
    WIRE_MODE_PROBE_BEHIND /* the same without the syscall policy: what the layers behind it say */
};
/* What a probe attempts: `c9d check-sandbox` has a row for each. */
enum wire_probe {
    WIRE_PROBE_OPEN = 1, /* a file */
    WIRE_PROBE_CREATE,   /* a folder */
    WIRE_PROBE_CONNECT,  /* to the loopback interface */
    WIRE_PROBE_FORK,
    WIRE_PROBE_EXEC,
    WIRE_PROBE_PTRACE,       /* the neighbour whose pid is in probe_pid */
    WIRE_PROBE_EXEC_MEMORY,  /* to map memory that can be written and executed */
    WIRE_PROBE_SEND_OTHER,   /* on another descriptor than the socket */
    WIRE_PROBE_SIGNAL,       /* the neighbour */
    WIRE_PROBE_READ_MEMORY,  /* of the neighbour */
    WIRE_PROBE_CAPABILITIES, /* to take one */
    WIRE_PROBE_MEMORY,       /* to touch all there is, from native code */
    WIRE_PROBE_CPU_TIME,     /* to loop for ever, from native code */
    WIRE_PROBE_COUNT_
};
struct wire_start {
    uint32_t mode;
    uint32_t log_bytes_max, log_count_max; /* all LOG messages together */
    uint32_t emit_count_max, requests_max; /* requests: in all */
    uint32_t pending_max;                  /* requests unanswered at a time */
    uint64_t cpu_us;     /* from START: a Lua error that cannot be caught, SIGKILL a little after */
    uint64_t memory;     /* bytes that Lua may hold */
    uint64_t output_max; /* bytes of any one JSON text sent */
    uint8_t seed[32];    /* of math.random, c9.random and c9.uuid: the same on replay */
    char execution_id[37];
    uint32_t probe, probe_pid; /* the PROBE modes: enum wire_probe; a pid as executors see it */
};
#define WIRE_START_SIZE (6 * 4 + 3 * 8 + 32 + 36 + 2 * 4)
void wire_start_encode(const struct wire_start *start, struct buf *out);
/* NULL or why not. */
const char *wire_start_decode(const uint8_t *data, size_t len, struct wire_start *start_r);

struct wire_ready {
    uint64_t cpu_us; /* used so far: not the execution's */
    uint32_t pid;    /* as executors see it */
};
#define WIRE_READY_SIZE 12
void wire_ready_encode(const struct wire_ready *ready, uint8_t out[WIRE_READY_SIZE]);
void wire_ready_decode(const uint8_t in[WIRE_READY_SIZE], struct wire_ready *ready_r);

struct wire_stats {
    uint64_t memory_peak; /* bytes, as Lua's allocator counted */
    uint64_t cpu_us;      /* of the process so far */
};
#define WIRE_STATS_SIZE 16
void wire_stats_encode(const struct wire_stats *stats, struct buf *out);
const char *wire_stats_decode(const uint8_t *data, size_t len, struct wire_stats *stats_r);

/* A system call that the policy has no row for. It was not made; its caller is dead. */
struct wire_denied {
    uint32_t number, arch; /* AUDIT_ARCH_* */
    uint64_t place;        /* offset in c9d-zygote of the call; WIRE_NOWHERE: not in its code */
};
#define WIRE_DENIED_SIZE 16
#define WIRE_NOWHERE     UINT64_MAX
void wire_denied_encode(const struct wire_denied *denied, uint8_t out[WIRE_DENIED_SIZE]);
const char *wire_denied_decode(const uint8_t *data, size_t len, struct wire_denied *denied_r);
/* Of this kernel's headers; NULL when they do not know it. */
const char *wire_syscall_name(uint32_t arch, uint32_t number);
const char *wire_arch_name(uint32_t arch, uint32_t number); /* "x86_64"; never NULL */

/* Appends a whole frame. */
void wire_frame_append(struct buf *out, unsigned type, unsigned flags, uint64_t id,
                       const void *payload, size_t len);

/* Cuts a stream into frames: for the engine. */
struct wire_reader {
    struct buf in;
    bool from_executor;
    uint64_t limit; /* bytes that one frame's payload may have, ≤ WIRE_PAYLOAD_MAX */
    size_t taken;   /* wire.c's own: bytes of `in` that were handed out */
    bool ended;     /* wire.c's own: the final frame was handed out */
};
/* 1: a frame (payload borrowed until the next call that changes reader); 0: more bytes are needed;
 * -1: refused, *why_r says it. Append received bytes to reader->in; call until it returns 0 (only
 * then does `in` shrink). Bytes behind a final frame are refused. Release with
 * buf_free(&reader->in). */
int wire_reader_next(struct wire_reader *reader, struct wire_header *header_r,
                     const uint8_t **payload_r, const char **why_r);

/* ---- supervisor ↔ zygote: a SOCK_SEQPACKET pair, descriptor 3 in the zygote ------------------ */

enum wire_control_type {
    /* to the zygote */
    WIRE_CTL_SETUP = 1, /* flags, memory_max; first, once */
    WIRE_CTL_SPAWN, /* cookie: fork an executor; its socket, and the cgroup that it begins in, if
                       any */
    WIRE_CTL_KILL,  /* cookie: SIGKILL it, if it still is */
    /* from the zygote */
    WIRE_CTL_UP,     /* text: a JSON array of layers, see PROTOCOL.md; ready to spawn */
    WIRE_CTL_DOWN,   /* text: why it cannot go on; it exits */
    WIRE_CTL_FAILED, /* cookie, and the socket that came with SPAWN; status: errno of the failed
                        fork */
    WIRE_CTL_EXITED  /* cookie and how: everything below */
};
/* The descriptors of a packet, each or -1; a cgroup comes with a socket only. */
enum { WIRE_CTL_SOCKET, WIRE_CTL_CGROUP, WIRE_CTL_FDS };
enum { WIRE_SETUP_STRICT = 1 /* a missing layer is fatal */ };
#define WIRE_CTL_TEXT_MAX 8192
struct wire_control {
    uint16_t type, version;              /* WIRE_VERSION */
    uint32_t flags;                      /* SETUP: WIRE_SETUP_* */
    uint64_t cookie;                     /* the supervisor's name for an executor */
    int32_t status;                      /* EXITED: as waitpid gives it; FAILED: errno */
    uint32_t pid;                        /* EXITED: in the zygote's pid namespace */
    uint64_t user_us, system_us, maxrss; /* EXITED: rusage; maxrss in bytes */
    uint64_t memory_max;                 /* SETUP: the largest `memory` that a START will carry */
    uint32_t spare;                      /* SETUP: reserved, 0 */
    uint32_t text_len;                   /* bytes of text behind the struct */
};
/* One packet each. Native byte order: both ends are one host's, of one build (version is checked).
 * fds: descriptors to pass; NULL: none. 0, or -1 with errno. */
int wire_control_send(int socket, const struct wire_control *control, const char *text,
                      const int fds[WIRE_CTL_FDS]);
/* Receives one packet; text is NUL-terminated. What is not -1 in fds_r is a new close-on-exec
 * descriptor. 1: one; 0: end of file; -1 with errno (EAGAIN; EPROTO for a malformed one). */
int wire_control_receive(int socket, struct wire_control *control_r, char text_r[WIRE_CTL_TEXT_MAX],
                         int fds_r[WIRE_CTL_FDS]);
/* For packets of which none can have text: what has is malformed. */
int wire_control_receive_bare(int socket, struct wire_control *control_r, int fds_r[WIRE_CTL_FDS]);

#endif
