#include "service/identity.h"

#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "host/storage.h"
#include "service/audit.h"
#include "service/jwks.h"
#include "service/jwt.h"
#include "service/service-private.h"
#include "service/token.h"
#include "store/people.h"
#include "store/store.h"
#include "store/token.h"

enum { PROVIDERS_MAX = 32, SUBJECT_MAX = 512, SECRET_MIN = 32, WORD_MAX = 128 };

static const char section[] = "jwt";
static const struct config_key keys[] = {
    {section, "issuer", CONFIG_STRING, NULL, 0, 0, NULL, "The claim iss of its tokens."},
    {section, "audience", CONFIG_LIST, NULL, 0, 0, NULL,
     "One of these must be in the claim aud; any: it need not."},
    {section, "secret", CONFIG_SECRET, NULL, 0, 0, NULL,
     "The secret its tokens are signed with (HS256 …), of at least 32 bytes; or:"},
    {section, "jwks", CONFIG_STRING, NULL, 0, 0, NULL,
     "The file, or the URL, of its public keys as a JWK Set."},
    {section, "algorithms", CONFIG_LIST, NULL, 0, 0, NULL,
     "What its tokens may be signed with (default HS256 with a secret, RS256 PS256 ES256 with keys)."},
    {section, "skew", CONFIG_DURATION, "60s", 0, 3600 * CLOCK_SECOND, NULL,
     "How far its clock may be from ours."},
    {section, "refresh", CONFIG_DURATION, "1h", CLOCK_SECOND, 7 * 86400 * CLOCK_SECOND, NULL,
     "How old its keys may grow before they are read again."},
    {section, "refresh_pause", CONFIG_DURATION, "30s", CLOCK_SECOND, 86400 * CLOCK_SECOND, NULL,
     "Between two readings at least, however many tokens name keys that are not known."},
    {section, "user_claim", CONFIG_STRING, "sub", 0, 0, NULL,
     "Where the user's unchanging id is; a.b is the member b of a."},
    {section, "email_claim", CONFIG_STRING, "email", 0, 0, NULL, "Where his e-mail address is."},
    {section, "name_claim", CONFIG_STRING, "name", 0, 0, NULL, "Where his name is."},
    {section, "organization", CONFIG_STRING, NULL, 0, 0, NULL,
     "The organization that its users act in, by name or id (default the one of `c9d init`); or:"},
    {section, "organization_claim", CONFIG_STRING, NULL, 0, 0, NULL,
     "Where the organization's name or id is."},
    {section, "role", CONFIG_CHOICE, "member", 0, 0, "owner|admin|member|viewer",
     "The role of users that are made."},
    {section, "role_claim", CONFIG_STRING, NULL, 0, 0, NULL,
     "Where the role is, such as app_metadata.role; it is taken over at every sign-in."},
    {section, "roles", CONFIG_LIST, NULL, 0, 0, NULL,
     "What the values of role_claim mean: VALUE=ROLE … (default the roles' own names but owner)."},
    {section, "scopes", CONFIG_LIST,
     "agents:read agents:write agents:execute executions:read skills:read skills:write usage:read",
     0, 0, NULL, "The scopes its tokens have."},
    {section, "provision", CONFIG_BOOL, "no", 0, 0, NULL,
     "Make a user of whoever comes with a good token."},
    {section, "link_by_email", CONFIG_BOOL, "no", 0, 0, NULL,
     "Whoever comes with a known user's e-mail address is that user: only for providers that check addresses."},
};

struct provider {
    const char *name, *issuer, *audience, *algorithms;
    const char *user_claim, *email_claim, *name_claim, *organization, *organization_claim;
    const char *role, *role_claim, *roles;
    bool provision, link;
    int64_t skew;
    struct principal scopes; /* its scopes only */
    struct jwks *keys;
};

struct identities {
    size_t n;
    struct provider providers[];
};

/* ---- configuration ---- */

int identities_declare(struct config *config, struct error *err)
{
    const char *names[PROVIDERS_MAX];
    size_t n = config_instances(config, section, names, PROVIDERS_MAX);
    int status = 0;
    for (size_t i = 0; i < n; i++)
        if (config_declare_instance(config, section, names[i], keys, countof(keys), err) < 0)
            status = -1;
    return status;
}

static int wrong(const struct provider *p, struct error *err, const char *message)
{
    return error_set(err, E_CONFIG_INVALID, "[jwt %s] %s", p->name, message);
}

/* The next word of a list at *p into out; false at its end. */
static bool word_next(const char **p, char out[WORD_MAX])
{
    *p += strspn(*p, " \t,");
    size_t n = strcspn(*p, " \t,");
    snprintf(out, WORD_MAX, "%.*s", (int)(n < WORD_MAX ? n : WORD_MAX - 1), *p);
    *p += n;
    return n > 0;
}

/* Every algorithm fits the kind of key: else a public key could be taken for a secret. */
static int algorithms_check(const struct provider *p, bool symmetric, struct error *err)
{
    char word[WORD_MAX];
    for (const char *at = p->algorithms; word_next(&at, word);) {
        const struct jose_algorithm *algorithm = jose_algorithm(word);
        if (algorithm == NULL)
            return error_set(err, E_CONFIG_INVALID,
                             "[jwt %s] algorithms: %s is none that c9d verifies", p->name, word);
        if (algorithm->symmetric != symmetric)
            return error_set(err, E_CONFIG_INVALID, "[jwt %s] algorithms: %s does not go with %s",
                             p->name, word, symmetric ? "secret" : "jwks");
    }
    return 0;
}

static int scopes_check(struct provider *p, const char *words, struct error *err)
{
    char word[WORD_MAX];
    jx_auto *names = json_array();
    while (word_next(&words, word)) {
        if (scope_by_name(word) < 0)
            return error_set(err, E_CONFIG_INVALID, "[jwt %s] scopes: there is no scope %s",
                             p->name, word);
        json_array_append_new(names, json_string(word));
    }
    token_scopes_take(names, &p->scopes);
    return 0;
}

static int roles_check(const struct provider *p, struct error *err)
{
    char word[WORD_MAX];
    for (const char *at = p->roles; at != NULL && word_next(&at, word);) {
        const char *equals = strrchr(word, '=');
        if (equals == NULL || permission_role_rank(equals + 1) == 0)
            return error_set(
                err, E_CONFIG_INVALID,
                "[jwt %s] roles: %s is not VALUE=ROLE with owner, admin, member or viewer", p->name,
                word);
    }
    return 0;
}

static int provider_read(struct provider *p, const struct config *config, const char *name,
                         struct error *err)
{
#define TEXT(key) config_string(config, section, name, key)
    const char *secret = TEXT("secret"), *source = TEXT("jwks");
    *p = (struct provider){
        .name = name,
        .issuer = TEXT("issuer"),
        .audience = TEXT("audience"),
        .algorithms = TEXT("algorithms"),
        .user_claim = TEXT("user_claim"),
        .email_claim = TEXT("email_claim"),
        .name_claim = TEXT("name_claim"),
        .organization = TEXT("organization"),
        .organization_claim = TEXT("organization_claim"),
        .role = TEXT("role"),
        .role_claim = TEXT("role_claim"),
        .roles = TEXT("roles"),
        .provision = config_bool(config, section, name, "provision"),
        .link = config_bool(config, section, name, "link_by_email"),
        .skew = config_int(config, section, name, "skew"),
    };
    if (p->issuer == NULL)
        return wrong(p, err, "issuer: must be given");
    if (p->audience == NULL)
        return wrong(p, err, "audience: must be given (or: any)");
    if ((secret == NULL) == (source == NULL))
        return wrong(p, err, "needs secret, or jwks, and not both");
    if (secret != NULL && strlen(secret) < SECRET_MIN)
        return wrong(p, err, "secret: must have at least 32 bytes");
    if (p->algorithms == NULL)
        p->algorithms = secret != NULL ? "HS256" : "RS256 PS256 ES256";
    if (algorithms_check(p, secret != NULL, err) < 0 || roles_check(p, err) < 0 ||
        scopes_check(p, TEXT("scopes"), err) < 0)
        return -1;
    p->keys = secret != NULL ? jwks_secret(name, secret)
                             : jwks_new(name, source, config_int(config, section, name, "refresh"),
                                        config_int(config, section, name, "refresh_pause"));
    return 0;
#undef TEXT
}

int identities_new(const struct config *config, struct identities **identities_r, struct error *err)
{
    const char *names[PROVIDERS_MAX];
    size_t n = config_instances(config, section, names, PROVIDERS_MAX);
    *identities_r = NULL;
    if (n == 0)
        return 0;
    if (jose_load(err) < 0)
        return -1;
    struct identities *identities =
        xcalloc(1, sizeof(*identities) + n * sizeof(identities->providers[0]));
    for (size_t i = 0; i < n; i++) {
        identities->n++;
        if (provider_read(&identities->providers[i], config, names[i], err) < 0) {
            identities_free(identities);
            return -1;
        }
    }
    *identities_r = identities;
    return 0;
}

void identities_free(struct identities *identities)
{
    for (size_t i = 0; identities != NULL && i < identities->n; i++)
        jwks_free(identities->providers[i].keys);
    free(identities);
}

int identities_start(struct identities *identities, struct service *service, struct error *err)
{
    for (size_t i = 0; identities != NULL && i < identities->n; i++)
        if (jwks_start(identities->providers[i].keys, service, err) < 0)
            return -1;
    return 0;
}

/* ---- claims ---- */

static int refuse(struct error *err, const char *fmt, const char *what)
{
    error_set(err, E_AUTHENTICATION_REQUIRED, fmt, what);
    return -1;
}

static const char *claim_text(const struct jwt *jwt, const char *path)
{
    const char *text = path != NULL ? json_string_value(jwt_claim(jwt->claims, path)) : NULL;
    return text != NULL && text[0] != '\0' ? text : NULL;
}

/* The role that a value of role_claim stands for, into role_r; false: none. */
static bool role_of_value(const struct provider *p, const char *value, char role_r[8])
{
    char word[WORD_MAX];
    size_t len = strlen(value);
    if (p->roles == NULL) {
        snprintf(role_r, 8, "%s", value);
        return len < 8 && permission_role_rank(value) > 0 && strcmp(value, "owner") != 0;
    }
    for (const char *at = p->roles; word_next(&at, word);) {
        const char *equals = strrchr(word, '=');
        if ((size_t)(equals - word) == len && memcmp(word, value, len) == 0) {
            snprintf(role_r, 8, "%s", equals + 1);
            return true;
        }
    }
    return false;
}

/* The claim may be a text, or an array of which the mightiest counts. False: it says nothing. */
static bool role_claimed(const struct provider *p, const struct jwt *jwt, char role_r[8])
{
    const json_t *claim = p->role_claim != NULL ? jwt_claim(jwt->claims, p->role_claim) : NULL;
    char role[8];
    role_r[0] = '\0';
    if (json_is_string(claim))
        return role_of_value(p, json_string_value(claim), role_r);
    for (size_t i = 0; i < json_array_size(claim); i++) {
        const char *value = json_string_value(json_array_get(claim, i));
        if (value != NULL && role_of_value(p, value, role) &&
            permission_role_rank(role) > permission_role_rank(role_r))
            memcpy(role_r, role, sizeof(role));
    }
    return role_r[0] != '\0';
}

static int organization_of(const struct provider *p, struct service *service, const struct jwt *jwt,
                           char id_r[UUID_SIZE], struct error *err)
{
    const char *ref =
        p->organization_claim != NULL ? claim_text(jwt, p->organization_claim) : p->organization;
    if (ref == NULL && p->organization_claim != NULL)
        return refuse(err, "the JWT does not say its organization (%s)", p->organization_claim);
    if (ref == NULL) {
        autofree char *own = store_instance_get(service->storage, STORE_ORGANIZATION, err);
        if (own == NULL)
            return -1;
        snprintf(id_r, UUID_SIZE, "%s", own);
        return 0;
    }
    int found = store_organization_find(service->storage, ref, id_r, err);
    return found <= 0 ? found : refuse(err, "the JWT's organization %.100s does not exist", ref);
}

/* ---- users ---- */

/* What is being made of a token. */
struct arrival {
    const struct provider *provider;
    const struct jwt *jwt;
    const char *subject, *email;
    char organization_id[UUID_SIZE], user_id[UUID_SIZE],
        role[8];     /* as the store has them; role "": no member */
    char claimed[8]; /* role; "": none */
};

/* For the audit log: he himself, by way of the provider. */
static void arrival_audit(struct service *service, struct storage_batch *batch,
                          const struct arrival *a, const char *event)
{
    struct origin origin = {.operation = event};
    struct principal who = {.origin = &origin};
    memcpy(who.user_id, a->user_id, UUID_SIZE);
    memcpy(who.organization_id, a->organization_id, UUID_SIZE);
    jx_auto *after = json_pack("{s:s, s:s, s:s}", "issuer", a->provider->issuer, "subject",
                               a->subject, "role", a->role);
    audit_change(service, batch, &who, "user", a->user_id, NULL, after);
}

static const char *arrival_name(const struct arrival *a)
{
    const char *name = claim_text(a->jwt, a->provider->name_claim);
    return name != NULL ? name : a->email != NULL ? a->email : a->subject;
}

/* The known user with this address, or a new one; 1 when there may be neither. */
static int user_make(struct service *service, struct arrival *a, struct storage_batch *batch,
                     struct error *err)
{
    struct user_meta known = {.id = ""};
    if (a->email != NULL && store_user_by_email(service->storage, a->email, &known, err) < 0)
        return -1;
    bool linked = known.id[0] != '\0' && a->provider->link && strcmp(known.kind, "person") == 0;
    if (!linked && !a->provider->provision)
        return 1;
    if (linked)
        memcpy(a->user_id, known.id, UUID_SIZE);
    else
        uuid_make(a->user_id);
    /* An address that is somebody else's stays his. */
    const struct user_row row = {.id = a->user_id,
                                 .name = arrival_name(a),
                                 .email = known.id[0] == '\0' ? a->email : NULL,
                                 .kind = "person",
                                 .at = clock_wall_us()};
    if (!linked)
        store_user_insert(batch, &row);
    store_identity_insert(batch, a->provider->issuer, a->subject, a->user_id, row.at);
    return 0;
}

static int arrive_commit(struct service *service, struct storage_batch *batch, struct error *err)
{
    error_auto failure = ERROR_INIT;
    if (storage_commit(service->storage, batch, &failure) == 0)
        return 0;
    if (failure.code != E_INVALID_STATE)
        return error_move(err, &failure);
    if (jx_int(failure.details, "statement", -1) == 0)
        return error_set(err, E_ORGANIZATION_LIMIT_EXCEEDED,
                         "the organization has as many users as its settings.maxUsers, or [limits] "
                         "users, allows");
    return 1; /* the same user came twice at once */
}

/* Makes of somebody who is not one yet a member, as far as the configuration says. 1: look again.
 */
static int arrive(struct service *service, struct arrival *a, struct error *err)
{
    static const char stranger[] = "the JWT's user %.200s is not a member of the organization";
    bool member = false;
    struct storage_batch *batch = storage_batch_new();
    store_user_limit(batch, a->organization_id, service->users_max);
    int made = a->user_id[0] == '\0' ? user_make(service, a, batch, err) : !a->provider->provision;
    if (made == 0 && a->provider->link) {
        struct user_meta meta;
        jx_auto *user = NULL;
        made = store_user_get(service->storage, a->organization_id, a->user_id, &meta, &user, err);
        member = user != NULL;
    }
    if (made == 0 && !member && !a->provider->provision)
        made = 1;
    if (made != 0) {
        storage_batch_free(batch);
        return made < 0 ? -1 : refuse(err, stranger, a->subject);
    }
    if (!member) {
        snprintf(a->role, sizeof(a->role), "%s",
                 a->claimed[0] != '\0' ? a->claimed : a->provider->role);
        store_member_insert(batch, a->organization_id, a->user_id, a->role, clock_wall_us());
    }
    arrival_audit(service, batch, a, "signIn");
    int committed = arrive_commit(service, batch, err);
    return committed < 0 ? -1 : 1;
}

/* What the provider says of his role, it says at every sign-in. */
static int role_take(struct service *service, struct arrival *a, struct error *err)
{
    if (a->claimed[0] == '\0' || strcmp(a->claimed, a->role) == 0)
        return 0;
    struct arrival now = *a;
    memcpy(now.role, a->claimed, sizeof(now.role));
    struct storage_batch *batch = storage_batch_new();
    store_member_role_set(batch, a->organization_id, a->user_id, a->claimed);
    arrival_audit(service, batch, &now, "signIn");
    error_auto failure = ERROR_INIT;
    if (storage_commit(service->storage, batch, &failure) == 0) {
        memcpy(a->role, a->claimed, sizeof(a->role));
        return 0;
    }
    if (failure.code != E_INVALID_STATE)
        return error_move(err, &failure);
    return 0; /* the last owner stays one, whatever the provider says */
}

static int arrival_find(struct service *service, struct arrival *a, struct error *err)
{
    enum { TRIES = 3 };
    for (int i = 0; i < TRIES; i++) {
        if (store_identity_get(service->storage, a->provider->issuer, a->subject,
                               a->organization_id, a->user_id, a->role, err) < 0)
            return -1;
        if (a->role[0] != '\0')
            return role_take(service, a, err);
        if (arrive(service, a, err) < 0)
            return -1;
    }
    return error_set(err, E_UNAVAILABLE, "the user is being made; try again");
}

/* ---- authenticating ---- */

static const struct provider *provider_of(const struct identities *identities,
                                          const struct jwt *jwt)
{
    const char *issuer = jx_str(jwt->claims, "iss", "");
    for (size_t i = 0; i < identities->n; i++)
        if (strcmp(identities->providers[i].issuer, issuer) == 0)
            return &identities->providers[i];
    return NULL;
}

static int signature_check(const struct provider *p, struct service *service, const char *token,
                           size_t len, const struct jwt *jwt, struct error *err)
{
    const struct jose_algorithm *algorithm = jose_algorithm(jwt->alg);
    if (algorithm == NULL || !jwt_word_in(p->algorithms, jwt->alg))
        return refuse(err, "the JWT is signed with %.20s, which its issuer may not", jwt->alg);
    return jwks_verify(p->keys, service, token, len, algorithm, jwt->kid, err) == 1 ? 0 : -1;
}

int identities_authenticate(struct identities *identities, struct service *service,
                            const char *token, size_t len, int64_t now, struct principal *who_r,
                            int64_t *expires_at_r, struct error *err)
{
    cleanup(jwt_clear) struct jwt jwt = {0};
    if (jwt_decode(token, len, &jwt, err) < 0) {
        err->code = E_AUTHENTICATION_REQUIRED;
        return -1;
    }
    const struct provider *p = provider_of(identities, &jwt);
    if (p == NULL)
        return refuse(err, "the JWT's issuer %.100s is not one that is trusted here",
                      jx_str(jwt.claims, "iss", ""));
    if (signature_check(p, service, token, len, &jwt, err) < 0 ||
        jwt_check(jwt.claims, p->issuer, p->audience, now, p->skew, err) < 0)
        return -1;
    struct arrival a = {.provider = p,
                        .jwt = &jwt,
                        .subject = claim_text(&jwt, p->user_claim),
                        .email = claim_text(&jwt, p->email_claim)};
    if (a.subject == NULL || strlen(a.subject) > SUBJECT_MAX)
        return refuse(err, "the JWT does not say whose it is (%s)", p->user_claim);
    role_claimed(p, &jwt, a.claimed);
    if (organization_of(p, service, &jwt, a.organization_id, err) < 0 ||
        arrival_find(service, &a, err) < 0)
        return -1;
    struct principal who = p->scopes;
    memcpy(who.user_id, a.user_id, UUID_SIZE);
    memcpy(who.organization_id, a.organization_id, UUID_SIZE);
    memcpy(who.role, a.role, sizeof(who.role));
    *who_r = who;
    *expires_at_r = jwt_expiry(jwt.claims) + p->skew;
    return 0;
}
