/* Runs a fuzz target over its corpus as a TAP test: tests/fuzz/corpus/TARGET/ (every file once),
 * and a few thousand mutations of each from a fixed seed. */
#include <dirent.h>
#include <stdint.h>

#include "tap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MUTATIONS = 200, INPUT_MAX = 1 << 20 };

static uint64_t random_state = 0x9e3779b97f4a7c15u;
static uint64_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static uint8_t *block(size_t size)
{
    uint8_t *bytes = malloc(size > 0 ? size : 1);
    if (bytes != NULL)
        return bytes;
    fprintf(stderr, "driver: out of memory\n");
    abort();
}

static void run_mutations(const uint8_t *data, size_t size)
{
    uint8_t *copy = block(size);
    for (int i = 0; i < MUTATIONS; i++) {
        memcpy(copy, data, size);
        size_t len = size;
        for (uint64_t n = random_next() % 4 + 1; n > 0 && len > 0; n--)
            copy[random_next() % len] = (uint8_t)random_next();
        if (random_next() % 4 == 0)
            len = len > 0 ? random_next() % len : 0;
        /* An exact-size block, so that a sanitizer sees the first byte read past the end. */
        uint8_t *exact = block(len);
        memcpy(exact, copy, len);
        LLVMFuzzerTestOneInput(exact, len);
        free(exact);
    }
    free(copy);
}

static bool run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        return false;
    uint8_t *data = block(INPUT_MAX);
    size_t size = fread(data, 1, INPUT_MAX, f);
    fclose(f);
    LLVMFuzzerTestOneInput(data, size);
    run_mutations(data, size);
    free(data);
    return true;
}

int main(int argc, char **argv)
{
    const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
    char dir[512];
    snprintf(dir, sizeof(dir), argc > 1 ? "%s" : "tests/fuzz/corpus/%s", argc > 1 ? argv[1] : name);
    DIR *d = opendir(dir);
    if (!ok(d != NULL, "%s has a seed corpus in %s", name, dir))
        return done_testing();
    int files = 0;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        char path[1024];
        snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        if (e->d_name[0] != '.' && run_file(path))
            files++;
    }
    closedir(d);
    ok(files > 0, "%s takes its %d seeds and %d mutations of each", name, files, MUTATIONS);
    return done_testing();
}
