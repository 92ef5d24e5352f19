/* Secrets by reference: who gets one, where its value goes, and that it is taken out of whatever
 * comes back, in each way of writing it. */
#include "supervisor/engine-private.h"
#include "tap.h"

#include "lib/model_section.h"

/* A quote, a blank and a percent sign: each encoding differs from the value and the others. */
#define VALUE   "pa\"ss %word"
#define ENCODED "pa%22ss%20%25word"
#define JSON    "pa\\\"ss %word"

static const char configuration[] = "[secret odd]\n"
                                    "value = pa\"ss %word\n"
                                    "hosts = api.example.org *.example.com\n"
                                    "[secret part]\n"
                                    "value = abcdefgh\n"
                                    "hosts = api.example.org\n"
                                    "plain_http = yes\n"
                                    "[secret whole]\n"
                                    "value = abcdefghijkl\n"
                                    "hosts = api.example.org\n"
                                    "[secret org]\n"
                                    "value = of-an-organization\n"
                                    "hosts = *\n"
                                    "organizations = other\n"
                                    "[secret agent]\n"
                                    "value = of-an-agent\n"
                                    "hosts = *\n"
                                    "agents = Other Mine\n";

static struct engine engine;
static struct launch launch;
static struct run run = {.engine = &engine, .launch = &launch, .id = "one"};

static struct secrets *secrets_of(const char *text, struct error *err)
{
    struct config *config = section_config(text);
    struct secrets *secrets = secrets_declare(config, err) == 0 ? secrets_new(config, err) : NULL;
    config_free(config);
    return secrets;
}

static char reference[SECRET_REFERENCE_SIZE];

static bool referred(const char *name)
{
    error_auto err = ERROR_INIT;
    if (secret_reference(&run, name, reference, &err) == 0)
        return true;
    if (err.code != E_CAPABILITY_DENIED)
        ok(false, "%s", err.message);
    return false;
}

static void test_who(void)
{
    char other[SECRET_REFERENCE_SIZE];
    ok(referred("odd") && strncmp(reference, "c9-secret-", 10) == 0 &&
           strlen(reference) == SECRET_REFERENCE_SIZE - 1,
       "a secret that the manifest names is had by reference");
    memcpy(other, reference, sizeof(other));
    ok(referred("odd") && strcmp(reference, other) == 0, "the same one when asked again");
    ok(referred("part") && strcmp(reference, other) != 0, "another for another secret");
    snprintf(run.id, sizeof(run.id), "two");
    ok(referred("odd") && strcmp(reference, other) != 0, "another for another execution");
    snprintf(run.id, sizeof(run.id), "one");
    ok(!referred("unnamed"), "one that the manifest does not name is not had");
    ok(!referred("absent"), "nor one that is not there");
    ok(!referred("org"), "nor one of another organization");
    ok(referred("agent"), "one for this agent by its name is");
    launch.agent_name = "Not mine";
    ok(!referred("agent"), "and not for another agent");
    launch.agent_name = "Mine";
    run.rehearsal = json_object();
    ok(referred("absent"), "in an example whatever is named is there");
    json_decref(run.rehearsal);
    run.rehearsal = NULL;
}

/* What becomes of text; NULL with err when it is refused. */
static char *filled(const char *text, enum secret_place place, const char *scheme, const char *host,
                    struct error *err)
{
    buf_auto out = BUF_INIT;
    const struct secret_target target = {scheme, host};
    if (secrets_fill(&run, text, strlen(text), place, &target, &out, err) < 0)
        return NULL;
    return out.data != NULL ? buf_steal(&out) : xstrdup("");
}

static void fills(const char *before, const char *after, enum secret_place place, const char *want,
                  const char *what)
{
    error_auto err = ERROR_INIT;
    autofree char *text = xasprintf("%s%s%s", before, reference, after);
    autofree char *got = filled(text, place, "https", "api.example.org", &err);
    is_str(got, want, "%s", what);
}

static void refuses(const char *text, enum secret_place place, const char *scheme, const char *host,
                    const char *what)
{
    error_auto err = ERROR_INIT;
    autofree char *got = filled(text, place, scheme, host, &err);
    ok(got == NULL && err.code == E_ADDRESS_DENIED && strstr(err.message, "'odd'") != NULL &&
           strstr(err.message, VALUE) == NULL,
       "%s is refused, and the value is not told", what);
}

static void test_fill(void)
{
    error_auto err = ERROR_INIT;
    referred("odd");
    fills("Bearer ", "", SECRET_IN_HEADER, "Bearer " VALUE, "a header gets the value");
    fills("a", "b", SECRET_IN_BODY, "a" VALUE "b", "so does a body");
    fills("https://h/p?key=", "&x=1", SECRET_IN_QUERY, "https://h/p?key=" ENCODED "&x=1",
          "a query gets it encoded");
    autofree char *twice = xasprintf("%s%s", reference, reference);
    autofree char *both = filled(twice, SECRET_IN_BODY, "https", "x.example.com", &err);
    is_str(both, VALUE VALUE, "each reference is filled, for any host of the list");
    autofree char *path = xasprintf("https://h/%s?x=1", reference);
    refuses(path, SECRET_IN_QUERY, "https", "api.example.org", "a reference in a path");
    refuses(reference, SECRET_IN_HEADER, "https", "example.net", "another host");
    refuses(reference, SECRET_IN_HEADER, "https", "example.com", "a host above the list's");
    refuses(reference, SECRET_IN_HEADER, "http", "api.example.org", "a way on which anybody reads");
    referred("part");
    autofree char *plain = filled(reference, SECRET_IN_HEADER, "http", "api.example.org", &err);
    is_str(plain, "abcdefgh", "unless the operator allows it");
    static const char *const texts[] = {"", "c9-secret-",
                                        "c9-secret-00000000000000000000000000000000",
                                        "c9-secret-c9-secret-x", "no reference"};
    for (size_t i = 0; i < countof(texts); i++) {
        autofree char *same = filled(texts[i], SECRET_IN_BODY, "https", "example.net", &err);
        is_str(same, texts[i], "'%s' stays as it is", texts[i]);
    }
    snprintf(run.id, sizeof(run.id), "two");
    autofree char *foreign = filled(reference, SECRET_IN_HEADER, "http", "api.example.org", &err);
    is_str(foreign, reference, "another execution's reference means nothing");
    snprintf(run.id, sizeof(run.id), "one");
}

static void hides(const char *text, const char *want, const char *what)
{
    autofree char *got = secrets_hide_text(&run, xstrdup(text));
    is_str(got, want, "%s", what);
}

static void test_hide(void)
{
    referred("odd");
    autofree char *want = xasprintf("<%s>", reference);
    hides("<" VALUE ">", want, "a value that comes back is the reference again");
    hides("<" ENCODED ">", want, "also percent-encoded");
    hides("<" JSON ">", want, "also as JSON writes it");
    hides("<of-an-organization>", "<" SECRET_HIDDEN ">", "one that is another's is hidden");
    referred("whole");
    autofree char *long_one = xasprintf("%s.", reference);
    hides("abcdefghijkl.", long_one, "one that begins like another is hidden whole");
    referred("part");
    autofree char *short_one = xasprintf("%s.", reference);
    hides("abcdefgh.", short_one, "and the other one is told from it");
    hides("nothing of it", "nothing of it", "other text stays as it is");
    hides("", "", "so does no text");
    error_auto err = ERROR_INIT;
    error_set(&err, E_HTTP_FAILED, "no route to %s", VALUE);
    error_detail(&err, "n", json_integer(1));
    secrets_hide_error(&run, &err);
    ok(err.code == E_HTTP_FAILED && strstr(err.message, VALUE) == NULL &&
           strstr(err.message, "no route to c9-secret-") != NULL &&
           jx_int(err.details, "n", 0) == 1,
       "an error's message too, and the rest of it stays");
}

static void test_configuration(void)
{
    static const struct {
        const char *text, *what;
    } rows[] = {
        {"[secret a]\nvalue = short\nhosts = h\n", "a value that could be any word"},
        {"[secret a]\nvalue = with\ttab-in-it\nhosts = h\n", "a value with a control character"},
        {"[secret a]\nhosts = h\n", "no value"},
        {"[secret a]\nvalue = long enough\n", "no hosts"},
        {"[secret a]\nvalue = long enough\nhosts = ,\n", "a list of no hosts"},
    };
    for (size_t i = 0; i < countof(rows); i++) {
        error_auto err = ERROR_INIT;
        struct secrets *secrets = secrets_of(rows[i].text, &err);
        ok(secrets == NULL && err.code == E_CONFIG_INVALID && strstr(err.message, "secret") != NULL,
           "%s is refused: %s", rows[i].what, err.message);
        secrets_free(secrets);
    }
    error_auto err = ERROR_INIT;
    struct secrets *none = secrets_of("", &err);
    ok(none != NULL, "no secret at all is fine");
    secrets_free(none);
}

int main(void)
{
    error_auto err = ERROR_INIT;
    engine.secrets = secrets_of(configuration, &err);
    if (engine.secrets == NULL) {
        printf("Bail out! %s\n", err.message);
        return 1;
    }
    snprintf(launch.agent_id, sizeof(launch.agent_id), "agent-id");
    snprintf(launch.organization_id, sizeof(launch.organization_id), "mine");
    launch.agent_name = "Mine";
    launch.needs =
        json_pack("{s:[s,s,s,s,s,s]}", "secrets", "odd", "part", "whole", "org", "agent", "absent");
    test_who();
    test_fill();
    test_hide();
    test_configuration();
    secrets_free(engine.secrets);
    json_decref(launch.needs);
    return done_testing();
}
