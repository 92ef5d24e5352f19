/* The rows of sandbox_vm_rows.h, and what seeds decide. */
#include <lua.h>

#include "sandbox_vm.h"
#include "sandbox_vm_rows.h"

int main(void)
{
    for (size_t i = 0; i < sizeof(vm_rows) / sizeof(vm_rows[0]); i++) {
        const char *got = vm_run(
            (struct vm_case){.source = vm_body(vm_rows[i].body), .start = {.seed = {1, 2, 3}}});
        if (!ok(strcmp(got, "true") == 0, "%s", vm_rows[i].says))
            printf("# got %s (status %d)\n", got, vm_end.status);
    }
    struct vm_case c = {.source =
                            vm_body("return { c9.uuid(), math.random(1000000), tostring({}) }"),
                        .start = {.seed = {9}}};
    char *once = strdup(vm_run(c));
    is_str(vm_run(c), once, "the same seed gives the same ids and numbers");
    c.start.seed[31] = 1;
    ok(strcmp(vm_run(c), once) != 0, "another seed gives others");
    free(once);
    return done_testing();
}
