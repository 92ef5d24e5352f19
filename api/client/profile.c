#include "client/profile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/config.h"
#include "base/file.h"
#include "base/nearest.h"
#include "client/term.h"

enum { TOKEN_MAX = 4096, URL_MAX = 2000, PROFILES_MAX = 1 << 20 };

static const struct config_key client_keys[] = {
    {.section = "c9ctl", .key = "profile", .type = CONFIG_STRING, .help = "The profile to use."},
};
static const struct config_key profile_keys[] = {
    {.section = "profile", .key = "url", .type = CONFIG_STRING, .help = "The server."},
    {.section = "profile", .key = "token", .type = CONFIG_SECRET, .help = "The bearer token."},
    {.section = "profile",
     .key = "ca_file",
     .type = CONFIG_STRING,
     .help = "Certificates to trust, PEM."},
};

static void wipe(char *secret)
{
    if (secret != NULL)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

void profile_free(struct profile *profile)
{
    free(profile->name);
    free(profile->url);
    free(profile->ca_file);
    wipe(profile->token);
    *profile = (struct profile)PROFILE_INIT;
}

/* An empty variable is one that is not set. */
static const char *env(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && *value != '\0' ? value : NULL;
}

char *profile_path(void)
{
    const char *path = env("C9CTL_CONFIG"), *config = env("XDG_CONFIG_HOME"), *home = env("HOME");
    if (path != NULL)
        return xstrdup(path);
    if (config != NULL && config[0] == '/')
        return xasprintf("%s/c9d/c9ctl.conf", config);
    return home != NULL ? xasprintf("%s/.config/c9d/c9ctl.conf", home) : NULL;
}

int profile_url_check(const char *url, struct error *err)
{
    const char *rest = strncmp(url, "http://", 7) == 0    ? url + 7
                       : strncmp(url, "https://", 8) == 0 ? url + 8
                       : strncmp(url, "unix:/", 6) == 0   ? url + 5
                                                          : NULL;
    if (rest == NULL || *rest == '\0')
        return error_set(err, E_INVALID_REQUEST,
                         "'%.200s' is no server's address: give http://HOST:PORT, https://HOST or "
                         "unix:/PATH/OF/SOCKET",
                         url);
    if (strlen(url) > URL_MAX)
        return error_set(err, E_INVALID_REQUEST, "the address is longer than %d bytes", URL_MAX);
    for (const char *p = url; *p != '\0'; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7f)
            return error_set(err, E_INVALID_REQUEST,
                             "the address has a blank or control character in it");
    bool http = strncmp(url, "http", 4) == 0;
    if (http && rest[strcspn(rest, "@?#")] != '\0')
        return error_set(
            err, E_INVALID_REQUEST,
            "the address may not have a user, query or fragment in it: a token is given "
            "by --token-file or `c9ctl login`");
    return 0;
}

/* ---- tokens ---- */

static int token_check(const char *token, const char *from, struct error *err)
{
    size_t n =
        strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=");
    if (n > 0 && token[n] == '\0' && n <= TOKEN_MAX)
        return 0;
    return error_set(err, E_AUTHENTICATION_REQUIRED,
                     n == 0 && *token == '\0' ? "%s: there is no token in it"
                                              : "%s: that is no bearer token (letters, digits and "
                                                "-._~+/= on one line)",
                     from);
}

/* Without echo, when a person types it. */
static ssize_t token_ask(char *out, size_t max)
{
    struct termios was, quiet;
    bool asked = tcgetattr(STDIN_FILENO, &was) == 0;
    if (asked) {
        term_write(STDERR_FILENO, "Token: ", 7);
        quiet = was;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    }
    ssize_t n = read(STDIN_FILENO, out, max);
    if (asked) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
        term_write(STDERR_FILENO, "\n", 1);
    }
    return n;
}

char *profile_token_read(const char *path, struct error *err)
{
    bool standard = strcmp(path, "-") == 0;
    autofd int fd = standard ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (!standard && fd < 0) {
        error_errno(err, E_AUTHENTICATION_REQUIRED, "%s: cannot read the token", path);
        return NULL;
    }
    char text[TOKEN_MAX + 2];
    size_t len = 0;
    for (ssize_t n = 1; n > 0 && len + 1 < sizeof(text) && memchr(text, '\n', len) == NULL;
         len += (size_t)n) {
        size_t room = sizeof(text) - 1 - len;
        n = standard ? token_ask(text + len, room) : read(fd, text + len, room);
        if (n < 0) {
            error_errno(err, E_AUTHENTICATION_REQUIRED, "%s: cannot read the token", path);
            return NULL;
        }
    }
    text[len] = '\0';
    text[strcspn(text, "\r\n")] = '\0';
    char *token =
        token_check(text, standard ? "standard input" : path, err) == 0 ? xstrdup(text) : NULL;
    explicit_bzero(text, sizeof(text));
    return token;
}

/* ---- resolving ---- */

/* What was found first wins. */
static void take(char **to, const char **origin, const char *value, const char *from)
{
    if (*to != NULL || value == NULL || *value == '\0')
        return;
    *to = xstrdup(value);
    *origin = from;
}

static void warn_readable(const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && (st.st_mode & 077) != 0)
        term_say("%s has a token in it and others can read it: chmod 600 %s", path, path);
}

static int profile_missing(const struct config *config, const char *path, const char *name,
                           struct error *err)
{
    const char *names[64];
    size_t n = config_instances(config, "profile", names, countof(names));
    const char *near = nearest_name(name, names, n);
    return error_set(err, E_CONFIG_INVALID, "%s has no [profile %s]%s%s%s; `c9ctl login` makes one",
                     path, name, near != NULL ? "; did you mean " : "", near != NULL ? near : "",
                     near != NULL ? "?" : "");
}

static int profile_use(struct config *config, const char *path, const char *wanted,
                       struct profile *profile, struct error *err)
{
    const char *names[64];
    if (config_declare(config, client_keys, countof(client_keys), err) < 0)
        return -1;
    size_t n = config_instances(config, "profile", names, countof(names));
    const char *name = wanted != NULL ? wanted : config_string(config, "c9ctl", NULL, "profile");
    if (name == NULL && n == 1)
        name = names[0];
    bool found = false;
    for (size_t i = 0; i < n; i++) {
        /* A token file that is missing spoils its own profile, not the others. */
        if (name == NULL || strcmp(names[i], name) != 0)
            continue;
        found = true;
        if (config_declare_instance(config, "profile", name, profile_keys, countof(profile_keys),
                                    err) < 0)
            return -1;
    }
    if (name == NULL)
        return 0;
    if (!found)
        return profile_missing(config, path, name, err);
    profile->name = xstrdup(name);
    if (profile->url == NULL) {
        const char *token = config_string(config, "profile", name, "token");
        if (profile->token == NULL && token != NULL &&
            strncmp(config_origin(config, "profile", name, "token"), path, strlen(path)) == 0)
            warn_readable(path);
        take(&profile->url, &profile->url_origin, config_string(config, "profile", name, "url"),
             "the profile");
        take(&profile->token, &profile->token_origin, token, "the profile");
        const char *unused = NULL;
        take(&profile->ca_file, &unused, config_string(config, "profile", name, "ca_file"), "");
    }
    return 0;
}

int profile_resolve(const struct args *args, struct profile *profile_r, struct error *err)
{
    profile_auto p = PROFILE_INIT;
    take(&p.url, &p.url_origin, args_get(args, "--url"), "--url");
    const char *wanted = args_get(args, "--profile");
    /* A profile that was asked for on the command line is not mixed with the environment. */
    if (wanted == NULL) {
        take(&p.url, &p.url_origin, env("C9CTL_URL"), "C9CTL_URL");
        take(&p.token, &p.token_origin, env("C9CTL_TOKEN"), "C9CTL_TOKEN");
        wanted = env("C9CTL_PROFILE");
    }
    const char *file = args_get(args, "--token-file");
    if (file == NULL && p.token == NULL && args_get(args, "--profile") == NULL)
        file = env("C9CTL_TOKEN_FILE");
    if (file != NULL) {
        wipe(p.token);
        p.token = profile_token_read(file, err);
        p.token_origin = "the token file";
        if (p.token == NULL)
            return -1;
    }
    autofree char *path = profile_path();
    if (path != NULL && access(path, F_OK) == 0) {
        struct config *config = config_load(path, err);
        int rc = config == NULL ? -1 : profile_use(config, path, wanted, &p, err);
        config_free(config);
        if (rc < 0)
            return -1;
    } else if (wanted != NULL) {
        return error_set(err, E_CONFIG_INVALID,
                         "there is no profile '%s': %s does not exist; `c9ctl login URL --profile "
                         "%s` makes it",
                         wanted, path != NULL ? path : "the file", wanted);
    }
    take(&p.url, &p.url_origin, PROFILE_URL_DEFAULT, "the default");
    size_t len = strlen(p.url);
    while (len > 0 && p.url[len - 1] == '/')
        p.url[--len] = '\0';
    if (profile_url_check(p.url, err) < 0)
        return error_wrap(err, "%s", p.url_origin);
    if (p.token != NULL && token_check(p.token, p.token_origin, err) < 0)
        return -1;
    *profile_r = p;
    p = (struct profile)PROFILE_INIT;
    return 0;
}

/* ---- saving ---- */

/* Appends what the file holds but the section "[profile NAME]", and says if there is a [c9ctl]. */
static void keep_others(struct buf *out, const char *text, const char *name, bool *has_default_r)
{
    autofree char *ours = xasprintf("[profile %s]", name);
    bool skipping = false;
    for (const char *p = text; *p != '\0';) {
        size_t n = strcspn(p, "\n");
        const char *s = p + strspn(p, " \t");
        if (*s == '[') {
            skipping = strncmp(s, ours, strlen(ours)) == 0;
            *has_default_r = *has_default_r || strncmp(s, "[c9ctl]", 7) == 0;
        }
        size_t whole = n + (p[n] == '\n');
        if (!skipping)
            buf_append(out, p, whole);
        p += whole;
    }
    while (out->len > 1 && out->data[out->len - 1] == '\n' && out->data[out->len - 2] == '\n')
        out->data[--out->len] = '\0';
    if (out->len > 0 && out->data[out->len - 1] != '\n')
        buf_append_char(out, '\n');
}

static int folders_make(const char *path, struct error *err)
{
    autofree char *folder = xstrdup(path);
    for (char *p = strchr(folder + 1, '/'); p != NULL; p = strchr(p + 1, '/')) {
        *p = '\0';
        if (mkdir(folder, 0700) < 0 && errno != EEXIST)
            return error_errno(err, E_CONFIG_INVALID, "%s: cannot make the folder", folder);
        *p = '/';
    }
    return 0;
}

static int file_replace(const char *path, const struct buf *content, struct error *err)
{
    autofree char *fresh = xasprintf("%s.new-XXXXXX", path);
    autofd int fd = mkostemp(fresh, O_CLOEXEC); /* mode 0600 */
    if (fd < 0)
        return error_errno(err, E_CONFIG_INVALID, "%s: cannot write", fresh);
    if (term_write(fd, content->data, content->len) < 0 || fsync(fd) < 0 ||
        rename(fresh, path) < 0) {
        error_errno(err, E_CONFIG_INVALID, "%s: cannot write", path);
        unlink(fresh);
        return -1;
    }
    return 0;
}

int profile_save(const char *path, const char *name, const char *url, const char *token,
                 struct error *err)
{
    buf_auto old = BUF_INIT, fresh = BUF_INIT;
    bool has_default = false;
    buf_append_str(&old, "");
    if ((access(path, F_OK) == 0 &&
         file_read(path, PROFILES_MAX, E_CONFIG_INVALID, &old, err) < 0) ||
        folders_make(path, err) < 0)
        return -1;
    keep_others(&fresh, old.data, name, &has_default);
    if (!has_default)
        buf_printf(&fresh, "%s[c9ctl]\nprofile = %s\n", fresh.len > 0 ? "\n" : "", name);
    buf_printf(&fresh, "\n[profile %s]\nurl = %s\n", name, url);
    if (token != NULL)
        buf_printf(&fresh, "token = %s\n", token);
    int rc = file_replace(path, &fresh, err);
    if (old.len > 0)
        explicit_bzero(old.data, old.len);
    explicit_bzero(fresh.data, fresh.len);
    return rc;
}
