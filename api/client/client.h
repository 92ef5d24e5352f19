/* c9ctl: what its commands share. A command returns an exit code and has said everything that there
 * is to say. One thread. */
#ifndef C9_CLIENT_CLIENT_H
#define C9_CLIENT_CLIENT_H

#include <jansson.h>
#include <stdbool.h>

#include "client/http.h"
#include "client/usage.h"

enum client_exit {
    EXIT_DONE = 0,   /* also: the execution completed */
    EXIT_FAILED = 1, /* the server refused, or the execution failed */
    EXIT_USAGE = 2,
    EXIT_UNREACHABLE = 3, /* no server, or the token is missing or refused */
    EXIT_CANCELLED = 4,   /* the execution was cancelled */
    EXIT_DIFFERS = 5,     /* apply --dry-run: there is something to do */
    EXIT_LEFT = 130       /* Ctrl-C: left; the execution goes on */
};

struct client {
    struct profile profile;
    struct http *http; /* NULL until the first request */
    bool json;
};
void client_free(struct client *client);

/* Reads the profile; the first request does it too. */
int client_open(struct client *client, const struct args *args);

/* Sends a request and decodes the answer; json_r (may be NULL; NULL for an empty answer) is the
 * caller's. Not a 2xx: the problem is printed and its exit code returned. */
int client_call(struct client *client, const struct args *args, const struct http_request *request,
                json_t **json_r);
/* The same for a GET. */
int client_get(struct client *client, const struct args *args, const char *path, json_t **json_r);
/* Decodes a reply as client_call does, and prints the problem when it is one. */
int client_reply(struct client *client, const struct http_reply *reply, json_t **json_r);

/* Prints an error that arose here; returns the exit code for it. */
int client_fail(const struct client *client, const struct error *err);
/* Prints a JSON value for --json: indented on a terminal, compact else, one line break behind. */
int client_print_json(const json_t *value);
/* Text to stdout; EXIT_FAILED when it cannot be written. */
int client_print(const struct buf *text);

/* The id of what ref names: ref itself when it is an id, or the one with that name. kind: "agent",
 * "persona", "user" … (resolvers[]); others are taken as they are. To be freed; NULL with the exit
 * code in *exit_r. */
char *client_resolve(struct client *client, const struct args *args, const char *kind,
                     const char *ref, int *exit_r);

/* Asks on a terminal; true without one, or with --yes. */
bool client_confirm(const struct args *args, const char *question, const char *what);

/* The whole of a file ("-": standard input) of at most max bytes; -1 with err. */
int client_read_file(const char *path, size_t max, struct buf *out, struct error *err);

#endif
