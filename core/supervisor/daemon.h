/* The parts of a c9d process, put together in one place and in one order; every command takes as
 * many as it needs. */
#ifndef C9_SUPERVISOR_DAEMON_H
#define C9_SUPERVISOR_DAEMON_H

#include "base/config.h"
#include "base/error.h"
#include "host/host.h"
#include "host/model.h"
#include "host/queue.h"
#include "host/storage.h"
#include "service/service.h"
#include "supervisor/engine.h"

enum { DAEMON_MODELS_MAX = 64 };

struct http_server;
struct retention;
struct scheduler;

struct daemon {
    struct config *config;
    struct config_key *keys; /* of this room: some defaults are known at run time only */
    struct executors *executors;
    struct host *host;
    struct storage *storage;
    struct queue *queue;
    struct model *models[DAEMON_MODELS_MAX];
    size_t n_models;
    struct service *service;
    struct engine *engine;
    struct scheduler *scheduler;
    struct retention *retention;
    struct http_server *http;
};

/* Each needs those above it; all return 0 or -1. */
int daemon_configure(struct daemon *d, const char *path,
                     struct error *err); /* path NULL: defaults and environment */
int daemon_open_sandbox(struct daemon *d, struct error *err); /* the zygote: before any thread */
int daemon_open_storage(struct daemon *d,
                        struct error *err); /* state folder, plugin host, storage, migrations */
/* A copy of what the configuration names; needs nothing but that. */
int daemon_backup_storage(struct daemon *d, const char *path, struct error *err);
int daemon_open_models(struct daemon *d, struct error *err); /* and the queue */
int daemon_open_engine(struct daemon *d,
                       struct error *err); /* service, engine and scheduler, started */
int daemon_open_http(struct daemon *d, struct error *err);
/* Whatever was opened, in the opposite order. */
void daemon_close(struct daemon *d);
/* Instead of opening storage and queue: declares what their plugins and the models' have as keys.
 */
int daemon_declare_plugins(struct daemon *d, struct error *err);
/* After everything was declared: keys that nobody knows. */
int daemon_check_config(struct daemon *d, struct error *err);
/* Reads the file again and applies what can change while running (the log's level and format). */
void daemon_reload(struct daemon *d, const char *path);

/* One row a command of c9d. */
struct command {
    const char *name, *usage, *help;
    int (*run)(int argc, char **argv); /* argv[0] is the command's name; the exit status */
};
int command_run(int argc, char **argv);
int command_init(int argc, char **argv);
int command_check_config(int argc, char **argv);
int command_audit(int argc, char **argv);
int command_backup(int argc, char **argv);
int command_plugins(int argc, char **argv);
int command_check_sandbox(int argc, char **argv);
int command_replay(int argc, char **argv);
int command_skill_test(int argc, char **argv);

/* Options that commands share. */
struct command_options {
    const char *config; /* -c FILE; default C9_SYSCONFDIR/c9d/c9d.conf if it is there */
    bool json, again, defaults;
    const char *organization, *user, *operand;
};
/* 0, or -1 with usage on stderr. operand: whether one is wanted. */
int command_parse(int argc, char **argv, const char *usage, bool operand,
                  struct command_options *options_r);
/* "c9d: message" and what to do, on stderr. Returns 1. */
int command_fail(const struct error *err);

#endif
