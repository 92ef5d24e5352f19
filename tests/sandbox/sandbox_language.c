/* The language of skills under the real policy: no row of sandbox_vm_rows.h needs a further system
 * call. */
#include "harness.h"
#include "unit/sandbox_vm_rows.h"

static struct zygote_under_test z;
static struct frame frame;

static void test_rows(void)
{
    for (size_t i = 0; i < sizeof(vm_rows) / sizeof(vm_rows[0]); i++) {
        char *source = NULL;
        int none, fd = zygote_spawn_one(&z, i + 1);
        if (asprintf(&source, "return { run = function(input, ctx)\n%s\nend }", vm_rows[i].body) <
            0)
            abort();
        bool fine = fd >= 0 && frame_is(fd, &frame, WIRE_READY) &&
                    execution_begin(fd, 2000000, 64u << 20, source);
        while (fine && frame_read(fd, &frame) && !wire_row(frame.header.type)->final)
            ;
        fine = fine && frame.header.type == WIRE_RESULT &&
               frame.header.length == WIRE_STATS_SIZE + 4 &&
               memcmp(frame.payload + WIRE_STATS_SIZE, "true", 4) == 0;
        free(source);
        close(fd);
        fine = zygote_next(&z, WIRE_CTL_EXITED, &none) && fine;
        if (!ok(fine && z.last.status == 0, "%s", vm_rows[i].says))
            printf("# status %#x, %.300s\n", (unsigned)z.last.status,
                   (const char *)frame.payload + WIRE_STATS_SIZE);
    }
}

int main(void)
{
#ifdef __SANITIZE_THREAD__
    skip("an executor has one thread, and TSan loses track of Lua's longjmp", "the language");
    return done_testing();
#endif
    for (size_t i = 0; i < user_count(); i++) {
        if (!ok(zygote_start(&z, users[i], NULL, 0, 128u << 20), "a zygote of %s",
                user_name(users[i])))
            continue;
        test_rows();
        is_int(zygote_stop(&z), 0, "the zygote of %s ends", user_name(users[i]));
    }
    return done_testing();
}
