/* Anybody's bytes as a file of an exported execution: its launch and its journal are read or
 * refused with a reason, and what was read can be written and is read again. */
#include <string.h>

#include "base/json.h"
#include "service/journal-private.h"
#include "service/launch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void one_launch(const json_t *json)
{
    error_auto err = ERROR_INIT;
    struct launch *launch = NULL, *again = NULL;
    int read = launch_from_json(json, &launch, &err);
    must((read == 0) == (err.code == E_NONE) && (read == 0) == (launch != NULL));
    if (read < 0)
        return;
    must(launch->n_skills > 0 && launch->refs == 1);
    jx_auto *written = launch_to_json(launch);
    must(written != NULL && launch_from_json(written, &again, &err) == 0);
    must(again->n_skills == launch->n_skills);
    for (size_t i = 0; i < launch->n_skills; i++)
        must((again->skills[i].input == NULL) == (launch->skills[i].input == NULL));
    jx_auto *twice = launch_to_json(again);
    must(json_equal(twice, written));
    launch_unref(again);
    launch_unref(launch);
}

static void one_journal(const json_t *json)
{
    error_auto err = ERROR_INIT;
    journal_auto journal = {NULL, 0}, again = {NULL, 0};
    int read = journal_copy_from_json(json, &journal, &err);
    must((read == 0) == (err.code == E_NONE));
    if (read < 0)
        return;
    jx_auto *written = journal_copy_to_json(&journal);
    must(written != NULL && journal_copy_from_json(written, &again, &err) == 0);
    must(again.n == journal.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    jx_auto *file = jx_decode((const char *)data, size, "fuzz", NULL);
    one_launch(json_object_get(file, "launch"));
    one_journal(json_object_get(file, "journal"));
    return 0;
}
