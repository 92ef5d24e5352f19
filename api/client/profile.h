/* Where the server is and who we are: options over environment over the profile in the file.
 *
 *     # ~/.config/c9d/c9ctl.conf
 *     [c9ctl]
 *     profile = home
 *     [profile home]
 *     url = http://127.0.0.1:8420
 *     token_file = home.token          # or: token = …
 *
 * Environment: C9CTL_URL, C9CTL_TOKEN, C9CTL_TOKEN_FILE, C9CTL_PROFILE, C9CTL_CONFIG (the file).
 * One thread. */
#ifndef C9_CLIENT_PROFILE_H
#define C9_CLIENT_PROFILE_H

#include <stdbool.h>

#include "base/error.h"
#include "client/usage.h"

#define PROFILE_URL_DEFAULT "http://127.0.0.1:8420"

struct profile {
    char *name;    /* NULL: none in use */
    char *url;     /* without a slash at its end: "http://…", "https://…" or "unix:/path" */
    char *token;   /* NULL: none */
    char *ca_file; /* NULL: the system's */
    const char *url_origin, *token_origin; /* for messages: "--url", "C9CTL_URL", "profile", … */
};
#define PROFILE_INIT                                                                               \
    {                                                                                              \
        0                                                                                          \
    }
void profile_free(struct profile *profile);
#define profile_auto cleanup(profile_free) struct profile

/* Reads --profile, --url and --token-file of args, the environment and the file. */
int profile_resolve(const struct args *args, struct profile *profile_r, struct error *err);

/* The configuration file's path; to be freed. NULL without HOME. */
char *profile_path(void);
/* Whether a URL is one that c9ctl can use; the message says what is wrong. */
int profile_url_check(const char *url, struct error *err);
/* Reads a token from a file, "-" for standard input (asked for without echo on a terminal). To be
 * freed; NULL on failure. */
char *profile_token_read(const char *path, struct error *err);

/* Writes [profile NAME] with url and token into the file (mode 0600, made with its folder when
 * there is none, replaced atomically); all else in it stays. It becomes the default when there is
 * none. token may be NULL. */
int profile_save(const char *path, const char *name, const char *url, const char *token,
                 struct error *err);

#endif
