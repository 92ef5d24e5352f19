/* Every command is a row of one table: help, completion and the parser read it there. */
#ifndef C9_CLIENT_COMMAND_H
#define C9_CLIENT_COMMAND_H

#include "client/client.h"
#include "client/format.h"

struct route;

/* Returns an exit code. */
typedef int (*command_fn)(struct client *client, const struct args *args);

struct command {
    const char *noun, *verb; /* verb NULL: the noun alone */
    const char *usage;       /* also its grammar: usage.h */
    const char *help;        /* one sentence */
    command_fn run;          /* or: */
    const struct route *route;
};
extern const struct command commands[];
extern const size_t commands_n;
/* What every command takes. */
extern const char commands_more[];

/* ---- plain routes: a row and no function ---- */

enum from_kind {
    FROM_TEXT,
    FROM_LIST,      /* repeatable, and split at commas: an array */
    FROM_TIME,      /* RFC 3339, or a duration; for a query back from now, for a body ahead */
    FROM_FLAG,      /* given: true */
    FROM_COUNT,     /* digits: an integer */
    FROM_DURATION,  /* "30s", "5m": milliseconds, an integer */
    FROM_BOOLEAN,   /* true or false */
    FROM_SECONDS,   /* the same in seconds */
    FROM_FILE,      /* the text of the file */
    FROM_LINE,      /* the first line of the file */
    FROM_JSON,      /* the JSON of the file */
    FROM_JSON_TEXT, /* the JSON itself */
    FROM_WHOLE      /* the JSON of the file is the whole body */
};
/* A member of the body, or a query parameter, and where it comes from. */
struct from {
    const char *name;
    const char *option; /* NULL: the first argument */
    enum from_kind kind;
    const char *resolve; /* "agent": a name becomes an id */
};

struct route {
    const char *method;
    const char *path;         /* "{agent}": the next argument, percent-encoded, its name resolved */
    const struct from *query; /* up to a row without name; NULL: none */
    const struct from *body;
    const struct column *columns; /* a list, in pages */
    size_t n_columns;
    bool whole;          /* the list has no pages */
    const char *members; /* what to show of an object, in order; NULL: all */
    int (*show)(struct client *client, const json_t *json); /* instead */
    const char *ask, *done; /* asked before, said behind when the answer is empty */
    size_t what;            /* the argument that these two are about */
};
int route_run(struct client *client, const struct args *args, const struct route *route);

/* ---- commands that are more than a route, one file each ---- */

int command_login(struct client *client, const struct args *args);
int command_status(struct client *client, const struct args *args);
int command_version(struct client *client, const struct args *args);
int command_help(struct client *client, const struct args *args);
int command_completion(struct client *client, const struct args *args);
int command_run(struct client *client, const struct args *args);
int command_chain_run(struct client *client, const struct args *args);
int command_execution_follow(struct client *client, const struct args *args);
int command_execution_logs(struct client *client, const struct args *args);
int command_agent_publish(struct client *client, const struct args *args);
int command_agent_diff(struct client *client, const struct args *args);
int command_apply(struct client *client, const struct args *args);
int command_export(struct client *client, const struct args *args);
int command_alias_set(struct client *client, const struct args *args);
int command_event_send(struct client *client, const struct args *args);
int command_replay(struct client *client, const struct args *args);
int command_skill_upload(struct client *client, const struct args *args);
int command_skill_get(struct client *client, const struct args *args);
int command_skill_new(struct client *client, const struct args *args);
int command_skill_test(struct client *client, const struct args *args);

/* Help of one command, to stdout or, after a mistake, to stderr. */
void command_usage(const struct command *command, int fd);

/* c9ctl from argv to exit code: what main() is. */
int client_main(int argc, char **argv);

/* Pages of a list until nextCursor ends or limit (0: none) items came. path has a '?' when it has a
 * query. merged_r: {"items":[…],"nextCursor":…}. */
int route_pages(struct client *client, const struct args *args, const char *path, size_t limit,
                json_t **merged_r);
/* --limit of args (default otherwise); false after having said what is wrong with it. */
bool route_limit(const struct args *args, size_t otherwise, size_t *limit_r);

#endif
