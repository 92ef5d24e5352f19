/* <c9d/plugin.h>: all that a plugin of c9d sees.
 *
 * A plugin is a shared object that exports one symbol,
 *
 *     const struct c9d_plugin c9d_plugin = { .abi = C9D_ABI, .kind = C9D_KIND_MODEL, … };
 *
 * c9d loads it with dlopen(RTLD_NOW | RTLD_LOCAL) and looks at `abi` before anything else; a
 * plugin of another ABI is refused and nothing in it is called.
 *
 * ABI ledger. The number changes whenever a struct here changes size or meaning.
 *   1  first
 *   2  queue: a job names its agent, and agents take turns
 *   3  storage: version
 *   4  storage: a batch may say that another one comes right behind it
 *   5  storage: a backup is made from settings, beside whoever has the database
 *
 * Conventions. Functions return 0 or a negative C9D_E_*; on failure they fill the c9d_fault they
 * were given. Strings are UTF-8 and NUL-terminated unless a length stands beside them. Times are
 * microseconds. What a function says nothing else about may be called from any thread, also at the
 * same time. A plugin starts no process, installs no signal handler and never exits. */
#ifndef C9D_PLUGIN_H
#define C9D_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#define C9D_ABI 5u

enum c9d_kind { C9D_KIND_STORAGE = 1, C9D_KIND_QUEUE = 2, C9D_KIND_MODEL = 3 };

/* Why something failed. */
enum c9d_failure {
    C9D_E_FAILED = -1,   /* anything else: I/O error, broken database, refused settings */
    C9D_E_CONFLICT = -2, /* storage: a unique or foreign key, a check, or an unmet `expect` */
    C9D_E_BUSY = -3,     /* held by another process, or overloaded: may succeed later */
    C9D_E_FULL = -4,     /* no space */
    C9D_E_VERSION = -5   /* storage: the database is newer than this program */
};

struct c9d_fault {
    char message[512]; /* what, where, what to do; filled by the one who returns the failure */
};

/* ---- settings -------------------------------------------------------------------------------- */

enum c9d_type {
    C9D_TYPE_STRING,
    C9D_TYPE_INT,
    C9D_TYPE_BOOL,
    C9D_TYPE_DURATION,
    C9D_TYPE_SIZE,
    C9D_TYPE_SECRET
};

/* One key that the plugin understands in its section of the configuration. */
struct c9d_setting {
    const char *name;
    enum c9d_type type;
    const char *otherwise; /* default as text, NULL for none */
    const char *help;      /* one sentence */
    int required;          /* refused when neither given nor defaulted */
};

struct c9d_settings; /* the values; valid during open only */

/* ---- what the host offers a plugin ----------------------------------------------------------- */

enum c9d_log_level { C9D_LOG_DEBUG, C9D_LOG_INFO, C9D_LOG_WARN, C9D_LOG_ERROR };

struct c9d_storage_ops;
struct c9d_storage;

struct c9d_host {
    void (*log)(const char *plugin, enum c9d_log_level level, const char *message);
    /* Values by the name in the plugin's table; NULL or 0 when not given. INT, SIZE (bytes),
     * DURATION (µs) and BOOL (0 or 1) by setting_int, the others by setting_text (valid during
     * open). */
    const char *(*setting_text)(const struct c9d_settings *settings, const char *name);
    int64_t (*setting_int)(const struct c9d_settings *settings, const char *name);
    int64_t (*now)(void); /* CLOCK_REALTIME, µs */
    const char
        *state_folder; /* where the plugin may keep files; exists; lives as long as the host */
    /* For queue plugins only: the storage that c9d runs on, for a queue that lives in the store's
     * own rows. NULL for other kinds. */
    const struct c9d_storage_ops *storage_ops;
    struct c9d_storage *storage;
};

/* ---- storage: an SQL engine ------------------------------------------------------------------ */
/* The SQL is the dialect that SQLite ≥ 3.40 and PostgreSQL ≥ 15 share: $1 parameters, ON CONFLICT,
 * RETURNING, ->>. A storage plugin does not know what an agent is. */

enum c9d_value_type { C9D_NULL, C9D_INT, C9D_REAL, C9D_TEXT, C9D_BLOB };

struct c9d_value {
    enum c9d_value_type type;
    size_t len; /* of text and blob, bytes */
    union {
        int64_t i;
        double d;
        const char *s; /* text (not necessarily NUL-terminated) or blob */
    } u;
};

/* One row; valid during the callback only. Return 0 to go on, anything else to stop early (which is
 * not an error). Text values are NUL-terminated as well. */
typedef int (*c9d_row_fn)(void *arg, const struct c9d_value *columns, size_t n);

struct c9d_statement {
    const char
        *sql; /* a constant of the program, so a driver may key prepared statements by address */
    const struct c9d_value *params;
    size_t n_params;
    int64_t expect; /* < 0: any number of rows may change; else exactly so many must, or the
                     * batch is rolled back with C9D_E_CONFLICT */
    c9d_row_fn
        row; /* for RETURNING or SELECT inside the batch; may be NULL; called on the
              * driver's thread before `done`, and again from the start if the driver retries */
    void *row_arg;
};

/* Statements that take effect together or not at all. Owned by the caller, who must leave it and
 * all it points to alone from submit until done. */
struct c9d_batch {
    const struct c9d_statement *statements;
    size_t n;
    /* Called exactly once, on a thread of the driver's, when the batch is durable (status 0) or
     * rolled back (negative). It must be quick and may submit further batches. */
    void (*done)(struct c9d_batch *batch, int status);
    void *arg;              /* the caller's */
    int more;               /* 1: another one is submitted right behind it, by the same thread */
    size_t failed;          /* set on failure: index of the statement, n when at commit */
    struct c9d_fault fault; /* set on failure */
    struct c9d_batch *next; /* the driver's while it has the batch */
};

/* One step of the schema's history: `sql` may hold many statements. Applied in one transaction
 * with the recording of its number. Type tokens in it, to be replaced by the driver, are
 * @ID@ (UUID text), @TEXT@, @INT@ (64 bit), @REAL@, @BLOB@, @TIME@ (64-bit µs), @JSON@ (JSON as
 * text),
 * @BOOL@ (0 or 1), and behind CREATE TABLE (…) one of @STRICT@ and @STRICT_BY_KEY@: rows lie in the
 * order of the primary key, where the driver can do that. @JOIN@ is the aggregate that joins texts,
 * with the text between them. */
struct c9d_migration {
    int64_t version; /* 1, 2, 3 … without gaps */
    const char *sql;
};

struct c9d_storage_ops {
    int (*open)(const struct c9d_host *host, const struct c9d_settings *settings,
                struct c9d_storage **storage_r, struct c9d_fault *fault);
    void (*close)(struct c9d_storage *storage); /* finishes what was submitted */
    /* Brings the schema to the last migration; once, before anything else. An older database is
     * copied first (the driver says where in the log); a newer one is C9D_E_VERSION. */
    int (*migrate)(struct c9d_storage *storage, const struct c9d_migration *migrations, size_t n,
                   struct c9d_fault *fault);
    /* Runs one SELECT on a connection of the calling thread; sees all batches done before the call.
     */
    int (*query)(struct c9d_storage *storage, const char *sql, const struct c9d_value *params,
                 size_t n_params, c9d_row_fn row, void *arg, struct c9d_fault *fault);
    void (*submit)(struct c9d_storage *storage, struct c9d_batch *batch);
    /* 1: this process alone has the database (so all leases of a former process are void). */
    int (*exclusive)(struct c9d_storage *storage);
    /* Writes a consistent copy of the database that the settings name to a new file, which appears
     * when it is whole, also while a c9d works with it. NULL when it cannot. */
    int (*backup)(const struct c9d_host *host, const struct c9d_settings *settings,
                  const char *path, struct c9d_fault *fault);
    /* A number that was never given before whenever anything was committed since the last call, by
     * this process or another; while it stays the same, so does what queries see. 0: not known just
     * now. It must cost no more than a few reads of memory. NULL: never known. */
    uint64_t (*version)(struct c9d_storage *storage);
};

/* ---- queue: who runs what, when -------------------------------------------------------------- */

struct c9d_job {
    char id[37];          /* the execution's */
    char agent[37];       /* agents take turns */
    int64_t priority;     /* higher first */
    int64_t available_at; /* wall µs; not before */
    int64_t attempt;      /* of the claim: 1 for the first */
};

struct c9d_queue;

struct c9d_queue_ops {
    /* 1: a row of agent_executions with status 'pending' or 'running' is a job by itself; push and
     * ack are never called, since the domain's own statements set status, priority,
     * available_at, lease_owner, lease_until and attempt. */
    int rows_are_jobs;
    int (*open)(const struct c9d_host *host, const struct c9d_settings *settings,
                struct c9d_queue **queue_r, struct c9d_fault *fault);
    void (*close)(struct c9d_queue *queue);
    int (*push)(struct c9d_queue *queue, const struct c9d_job *job, struct c9d_fault *fault);
    /* Up to max jobs that are available and not under a live lease, best first: by priority; within
     * one, agents take turns; within an agent, by age. What was claimed before and given back, or
     * lost with its lease, goes before what was not. Each is leased to owner until now + lease. May
     * block for the store's time. Returns how many, or negative. */
    int (*claim)(struct c9d_queue *queue, const char *owner, int64_t lease, size_t max,
                 struct c9d_job *jobs_r, struct c9d_fault *fault);
    /* Extends all leases of owner to now + lease. */
    int (*renew)(struct c9d_queue *queue, const char *owner, int64_t lease,
                 struct c9d_fault *fault);
    /* Done with: the job is gone. Ok when owner no longer has it. */
    int (*ack)(struct c9d_queue *queue, const char *owner, const char *id, struct c9d_fault *fault);
    /* Gives it back, available after delay. */
    int (*release)(struct c9d_queue *queue, const char *owner, const char *id, int64_t delay,
                   struct c9d_fault *fault);
    /* Jobs waiting (available or delayed, not leased). */
    int (*depth)(struct c9d_queue *queue, int64_t *depth_r, struct c9d_fault *fault);
    /* A descriptor that is readable when there may be work, or -1: then claim is tried every
     * second. Read by the host until it would block. With rows_are_jobs it need not tell of rows
     * that this process writes: the host claims after those by itself. */
    int (*fd)(struct c9d_queue *queue);
};

/* ---- model: a translator --------------------------------------------------------------------- */
/* No I/O: c9d does that. A chat request becomes an HTTP request; the bytes of the reply become
 * events. The chat request is an object (all members but messages may be absent):
 *
 * - "model": "name",
 * - "messages": [ { "role": "system"|"user"|"assistant"|"tool", "content": "text",
 *   "tool_calls": [ { "id", "name", "arguments": {…} } ], "tool_call_id": "…" } ],
 * - "tools": [ { "name", "description", "parameters": {JSON Schema} } ],
 * - "tool_choice": "auto"|"none"|"required"|{"name": "…"}, "response_schema": {JSON Schema},
 * - "temperature": n, "top_p": n, "max_tokens": n, "stop": ["…"], "seed": n, "stream": true. */

struct c9d_header {
    const char *name, *value;
};

/* Filled by request(); everything is owned by the plugin's `memory` and released by request_free.
 */
struct c9d_http_request {
    const char *method, *url; /* url NULL: no network; `body` is the reply itself, to be fed with
                               * status 200 after delay */
    const struct c9d_header *headers;
    size_t n_headers;
    const char *body;
    size_t body_len;
    int64_t delay; /* µs, only with url NULL */
    void *memory;
};

/* What a reply says, in order; any pointer is valid during the call only. */
struct c9d_model_sink {
    void *arg;
    void (*delta)(void *arg, const char *text, size_t len);
    /* Complete tool call; arguments is the provider's JSON text, not yet checked. */
    void (*tool_call)(void *arg, const char *id, const char *name, const char *arguments,
                      size_t len);
    void (*usage)(void *arg, int64_t input_tokens, int64_t output_tokens);
    void (*finish)(void *arg,
                   const char *reason);         /* "stop"|"length"|"tool_calls"|"content_filter" */
    void (*model)(void *arg, const char *name); /* the model that answered */
    /* The provider's error or a malformed reply. retry: 1 when the same request may succeed later;
     * retry_after in µs, 0 when not said. Nothing follows it. */
    void (*error)(void *arg, int status, const char *message, int retry, int64_t retry_after);
};

struct c9d_model;
struct c9d_reply;

struct c9d_model_ops {
    int (*open)(const struct c9d_host *host, const struct c9d_settings *settings,
                struct c9d_model **model_r, struct c9d_fault *fault);
    void (*close)(struct c9d_model *model);
    /* chat is JSON text as above. */
    int (*request)(struct c9d_model *model, const char *chat, size_t len,
                   struct c9d_http_request *request_r, struct c9d_fault *fault);
    void (*request_free)(struct c9d_http_request *request);
    /* One reply is used by one thread. The sink is copied. */
    struct c9d_reply *(*reply_new)(struct c9d_model *model, const struct c9d_model_sink *sink);
    /* Once per status line, then once per header (name in lower case). */
    void (*reply_status)(struct c9d_reply *reply, int status);
    void (*reply_header)(struct c9d_reply *reply, const char *name, const char *value);
    /* Bytes as they come, cut anywhere. Negative: stop reading (sink->error was called). */
    int (*reply_feed)(struct c9d_reply *reply, const char *data, size_t len);
    /* All was fed. Afterwards either finish or error has been called, exactly once. */
    void (*reply_end)(struct c9d_reply *reply);
    void (*reply_free)(struct c9d_reply *reply);
};

/* ---- the descriptor -------------------------------------------------------------------------- */

struct c9d_plugin {
    uint32_t abi; /* C9D_ABI; first, for ever */
    uint32_t kind;
    const char *name; /* "storage_sqlite": the file's name without .so */
    const char *version;
    const char *description;            /* one sentence */
    const struct c9d_setting *settings; /* ends with name NULL; may be NULL */
    union {
        const void *any;
        const struct c9d_storage_ops *storage;
        const struct c9d_queue_ops *queue;
        const struct c9d_model_ops *model;
    } ops;
};

#define C9D_EXPORT __attribute__((visibility("default")))
extern const struct c9d_plugin c9d_plugin;

#endif
