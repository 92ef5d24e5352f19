/* The allocator of Lua's memory: blocks never overlap, limits hold, the same requests get the same
 * addresses, and what is touched stays within twice the limit. */
#include "tap.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/vm.h"

enum { MIB = 1 << 20 };
static const size_t limit = 64u * MIB;

static uint64_t seed;
static uint32_t rnd(uint32_t n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % n;
}

/* Sizes as Lua has them: mostly small, some tables and strings, few large. */
static size_t rnd_size(void)
{
    uint32_t kind = rnd(100);
    return kind < 85 ? 1 + rnd(128) : kind < 97 ? 1 + rnd(4096) : 1 + rnd(200000);
}

struct block {
    uint8_t *p;
    size_t size;
    uint8_t fill;
};

static bool block_good(const struct block *b)
{
    for (size_t i = 0; i < b->size; i++)
        if (b->p[i] != b->fill)
            return false;
    return true;
}

/* A random life; digest of all addresses, or 0 when a block was damaged. */
static uint64_t random_life(unsigned steps, bool write)
{
    enum { BLOCKS = 2000 };
    static struct block blocks[BLOCKS];
    uint64_t digest = 1;
    size_t counted = arena_used();
    memset(blocks, 0, sizeof(blocks));
    for (unsigned i = 0; i < steps; i++) {
        struct block *b = &blocks[rnd(BLOCKS)];
        size_t size = rnd(3) == 0 ? 0 : rnd_size(), old = b->size;
        if (write && b->p != NULL && !block_good(b))
            return 0;
        uint8_t *p = arena_realloc(NULL, b->p, b->p ? old : 5, size);
        if (size > 0 && p == NULL)
            return 0;
        counted = counted - old + size;
        *b = (struct block){p, size, b->fill};
        if ((uintptr_t)p % 16 != 0 || arena_used() != counted)
            return 0;
        if (write && p != NULL) {
            for (size_t k = 0; k < (old < size ? old : size); k++)
                if (p[k] != b->fill)
                    return 0;
            b->fill = (uint8_t)rnd(256);
            memset(p, b->fill, size);
        }
        digest = digest * 31 + (uintptr_t)p;
    }
    for (unsigned i = 0; i < BLOCKS; i++) {
        if (write && blocks[i].p != NULL && !block_good(&blocks[i]))
            return 0;
        arena_realloc(NULL, blocks[i].p, blocks[i].size, 0);
    }
    return digest;
}

/* Runs in a child, so that each starts with a fresh arena; its answer. */
static uint64_t in_child(uint64_t (*fn)(void))
{
    uint64_t *answer =
        mmap(NULL, sizeof(*answer), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        arena_limit(limit);
        *answer = fn();
        _exit(0);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    uint64_t got = status == 0 ? *answer : 0;
    munmap(answer, sizeof(*answer));
    return got;
}

static uint64_t life_a(void)
{
    seed = 1;
    return random_life(60000, false);
}
static uint64_t life_written(void)
{
    seed = 2;
    uint64_t digest = random_life(60000, true);
    return arena_used() == 0 ? digest : 0;
}

/* The lowest and highest byte handed out: between them lies all that can have been touched. */
static uintptr_t lowest = UINTPTR_MAX, highest;

static void *fill_again(void *old, size_t old_size, size_t size)
{
    uint8_t *p = arena_realloc(NULL, old, old_size, size);
    if (p == NULL)
        return NULL;
    memset(p + old_size, 1, size - old_size);
    lowest = (uintptr_t)p < lowest ? (uintptr_t)p : lowest;
    highest = (uintptr_t)p + size > highest ? (uintptr_t)p + size : highest;
    return p;
}

static void *fill(size_t size)
{
    return fill_again(NULL, 0, size);
}

/* Fill with one size, keep every n-th, fill with the next size …: survivors pin slabs. */
static uint64_t nasty_survivors(void)
{
    enum { KEEP = 64, MANY = 1 << 21 };
    static void *kept[MANY];
    static const size_t sizes[] = {48, 112, 240, 500, 1000, 2000, 3500};
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        size_t n = 0;
        while (n < MANY && (kept[n] = fill(sizes[s])) != NULL)
            n++;
        for (size_t i = 0; i < n; i++)
            if (i % KEEP != 0)
                arena_realloc(NULL, kept[i], sizes[s], 0);
    }
    return highest - lowest;
}

/* Strings built by doubling, each length a little different, with small survivors between. */
static uint64_t nasty_growth(void)
{
    for (unsigned round = 0; round < 200; round++) {
        size_t size = 1000 + round;
        void *p = fill(size);
        while (size < 8u * MIB) {
            void *q = fill_again(p, size, size + size / 2);
            if (q == NULL)
                break;
            p = q;
            size += size / 2;
            fill(40);
        }
        arena_realloc(NULL, p, size, 0);
    }
    return highest - lowest;
}

/* Large blocks of rising size, every second one dropped. */
static uint64_t nasty_holes(void)
{
    static void *kept[100000];
    for (size_t size = 5000; size < 300000; size += size / 3) {
        size_t n = 0;
        while ((kept[n] = fill(size)) != NULL)
            n++;
        for (size_t i = 0; i < n; i++)
            if (i % 4 != 0)
                arena_realloc(NULL, kept[i], size, 0);
    }
    return highest - lowest;
}

/* As an executor's: with pages for the first blocks. */
static uint64_t life_limited(void)
{
    arena_limit(limit);
    return life_written();
}

static uint64_t first_blocks(void)
{
    arena_limit(limit);
    char *a = arena_realloc(NULL, NULL, 0, 20), *b = arena_realloc(NULL, NULL, 0, 300);
    char *c = arena_realloc(NULL, NULL, 0, 3);
    bool close = b == a + 32 && c == b + 304;
    char *grown = arena_realloc(NULL, c, 3, 2000);
    bool stays = grown == c && arena_realloc(NULL, b, 300, 10) == b;
    arena_realloc(NULL, grown, 2000, 0);
    bool again = arena_realloc(NULL, NULL, 0, 8) == c;
    memset(a, 'a', 20);
    char *moved = arena_realloc(NULL, a, 20, 200);
    bool moves = moved != a && memcmp(moved, "aaaaaaaaaaaaaaaaaaaa", 20) == 0;
    size_t used = arena_used();
    for (int i = 0; i < 10000; i++) /* far beyond those pages, and then the slabs' */
        arena_realloc(NULL, arena_realloc(NULL, NULL, 0, 64), 64, i % 2 == 0 ? 0 : 80);
    return close && stays && again && moves && arena_used() == used + 5000 * 80;
}

static void test_limit(void)
{
    arena_limit(1000000);
    ok(!arena_exceeded(), "nothing was refused yet");
    void *a = arena_realloc(NULL, NULL, 0, 600000);
    ok(a != NULL && arena_used() == 600000, "what is asked for is what counts");
    ok(arena_realloc(NULL, NULL, 0, 400001) == NULL && arena_exceeded(),
       "a byte too many is refused");
    void *b = arena_realloc(NULL, NULL, 0, 400000);
    ok(b != NULL && arena_peak() == 1000000, "the last byte is not");
    ok(arena_realloc(NULL, b, 400000, 400001) == NULL, "growing is held to it too");
    b = arena_realloc(NULL, b, 400000, 10);
    ok(b != NULL && arena_used() == 600010, "shrinking works");
    arena_realloc(NULL, a, 600000, 0);
    arena_realloc(NULL, b, 10, 0);
    is_int(arena_used(), 0, "all is given back");
    is_int(arena_peak(), 1000000, "the peak stays");
    arena_limit(100);
    is_int(arena_peak(), 0, "until a new limit is set");
    ok(!arena_exceeded(), "which also forgets what was refused");
    ok(arena_realloc(NULL, NULL, 0, SIZE_MAX / 2) == NULL, "absurd sizes are refused");
    arena_limit(SIZE_MAX);
    ok(arena_realloc(NULL, NULL, 0, SIZE_MAX / 2) == NULL && arena_exceeded(),
       "also by the range's end");
    ok(arena_realloc(NULL, NULL, 0, (size_t)1 << 30) == NULL, "whatever the limit says");
}

/* Bytes from the range's begin on that are mapped, and 1 more when its last byte can be written. */
static size_t range_mapped(void)
{
    char line[512];
    size_t begin, end, mapped = 0, at = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    uint8_t *block = arena_realloc(NULL, NULL, 0, 5000);
    while (maps != NULL && block != NULL && fgets(line, sizeof(line), maps) != NULL)
        if (sscanf(line, "%zx-%zx", &begin, &end) == 2 &&
            (at == begin || (begin <= (size_t)block && (size_t)block < end))) {
            mapped += end - begin;
            at = end;
        }
    if (maps != NULL)
        fclose(maps);
    *((volatile uint8_t *)at - 1) = 1;
    return mapped + 1;
}

static size_t sealed_limit;
static uint64_t sealed(void)
{
    arena_limit(sealed_limit);
    return arena_seal() == 0 ? range_mapped() : 0;
}

static void test_inherit(void)
{
    sealed_limit = limit;
    uint64_t whole = in_child(sealed);
    ok(whole > 2 * limit, "sealed at the largest limit, the range is whole");
    ok(arena_inherit(limit / 2) == 0, "half of it is inherited from now on");
    if (getenv("C9_VALGRIND") != NULL)
        skip("valgrind takes what a fork leaves behind for mapped", "sealed at the largest");
    else
        is_int(in_child(sealed), whole, "sealed at the largest, a child has the whole");
    sealed_limit = limit / 2;
    is_int(in_child(sealed), whole - limit, "at half, half");
    sealed_limit = limit / 4;
    is_int(in_child(sealed), whole - limit - limit / 2, "at a quarter, a quarter");
}

static void test_resize(void)
{
    arena_limit(limit);
    uint8_t *p = arena_realloc(NULL, NULL, 0, 100000);
    is_int((uintptr_t)arena_realloc(NULL, p, 100000, 1000000), (uintptr_t)p,
           "a large block grows in place");
    is_int((uintptr_t)arena_realloc(NULL, p, 1000000, 50000), (uintptr_t)p, "and shrinks in place");
    uint8_t *q = arena_realloc(NULL, NULL, 0, 100000);
    ok(q == p + 53248, "what it gave away is used again");
    arena_realloc(NULL, q, 100000, 0);
    uint8_t *small = arena_realloc(NULL, p, 50000, 20);
    ok(small != NULL && small != p, "made small it moves, so that its pages are free");
    is_int((uintptr_t)arena_realloc(NULL, small, 20, 32), (uintptr_t)small,
           "within its class it stays");
    arena_realloc(NULL, small, 32, 0);
    is_int(arena_used(), 0, "nothing is left");
}

int main(void)
{
    ok(arena_map((size_t)1 << 60) < 0, "an absurd limit is refused");
    if (!ok(arena_map(limit) == 0, "the range is mapped"))
        return done_testing();
    uint64_t a = in_child(life_a);
    ok(a != 0 && a == in_child(life_a), "the same requests get the same addresses");
    ok(in_child(life_written) != 0, "blocks keep what is written, and all counts to zero");
    ok(in_child(life_limited) != 0, "also behind the pages for the first blocks");
    ok(in_child(first_blocks) == 1,
       "the first blocks lie side by side; the last one grows where it is, and goes");
    static const struct {
        const char *what;
        uint64_t (*fn)(void);
    } nasty[] = {
        {"survivors of every class", nasty_survivors},
        {"growing strings between survivors", nasty_growth},
        {"holes of rising size", nasty_holes},
    };
    for (size_t i = 0; i < sizeof(nasty) / sizeof(nasty[0]); i++) {
        uint64_t touched = in_child(nasty[i].fn);
        note("%s: %.1f MiB touched under a limit of %.0f MiB", nasty[i].what, (double)touched / MIB,
             (double)limit / MIB);
        ok(touched > 0 && touched <= 2 * limit + 4u * MIB, "%s touch no more than twice the limit",
           nasty[i].what);
    }
    test_limit();
    test_resize();
    test_inherit();
    return done_testing();
}
