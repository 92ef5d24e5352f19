/* The allocator that Lua lives in: one range, mapped once, no system call after that.
 *
 * The range is pages. A table beside it has a row for each page; all that is known of a block is in
 * the row of its page, so that blocks have no headers. Small blocks come from slabs, runs of one to
 * eight pages that hold blocks of one class; larger ones are runs of pages of their own. Free runs
 * are joined with their neighbours and kept in bins by size; what is free behind the last run in
 * use is "the top".
 *
 * An execution's first small blocks lie side by side in a few pages of their own, whatever their
 * class: each page that is touched costs a fault, and most skills need no more. There nothing is
 * used twice; behind them come the slabs.
 *
 * The same requests get the same addresses, always: nothing here depends on anything but them.
 *
 * Bounds on what is touched: a class is at most a quarter above its request (a sixteenth lost at a
 * slab's end), a run at most a page above; a slab that empties goes back, so that classes can trade
 * pages. What stays is fragmentation by survivors, which no allocator that cannot move blocks
 * bounds well; so the pages end at twice the limit and ARENA_SLACK: beyond that a request fails as
 * over the limit. */
#include "sandbox/vm.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

enum {
    PAGE_BITS = 12,
    PAGE = 1 << PAGE_BITS,
    GRAIN = 16, /* alignment, and the unit of offsets in a slab */
    SMALL_MAX = 4096 - 512,
    SLAB_PAGES_MAX = 8,
    FIRST_PAGES = 6, /* for the first small blocks */
    BIN_EXACT = 16,  /* bins of one size each; above, eight for each power of two */
    BIN_COUNT = 16 + 8 * 20,
    BIN_WORDS = (BIN_COUNT + 63) / 64,
    NONE = 0, /* page 0 is never handed out, so that 0 can end lists */
};

/* Addresses are the same in every executor on every start, as replay wants it. Far from where Linux
 * puts programs, libraries and stacks, on x86-64 and arm64. */
#ifdef __SANITIZE_THREAD__ /* has its shadow there */
#define ARENA_BASE ((void *)0x7ea000000000)
#else
#define ARENA_BASE ((void *)0x200000000000)
#endif
#define ARENA_SLACK ((size_t)4 << 20)
#define RANGE_FLAGS (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

static const uint16_t class_sizes[] = {
    16,  32,  48,  64,  80,  96,   112,  128,  160,  192,  224,  256,  320,       384,
    448, 512, 640, 768, 896, 1024, 1280, 1536, 1792, 2048, 2560, 3072, SMALL_MAX,
};
enum { CLASS_COUNT = countof(class_sizes) };

enum page_state { PAGE_INSIDE, PAGE_FREE, PAGE_LARGE, PAGE_SLAB, PAGE_FIRST };

/* What a page is. Of a free or large run the first row counts, and of a free one the last has
 * `run`, so that the one behind finds its begin; of a slab every row has state and head. */
struct page {
    uint8_t state, class;
    uint16_t used;       /* slab: blocks handed out */
    uint16_t fresh;      /* slab: blocks ever handed out; those behind were never touched */
    uint16_t spare;      /* slab: first of the returned blocks, in grains + 1; 0 none */
    uint32_t run;        /* pages */
    uint32_t head;       /* slab: its first page */
    uint32_t prev, next; /* free: in its bin; slab with room: in its class */
};

static struct {
    uint8_t *base;
    struct page *pages;
    uint32_t most;       /* as there are rows in the table */
    uint32_t mapped;     /* in an executor, until it is sealed: what it inherits */
    uint32_t count, top; /* pages that may be used; those from top on are free */
    size_t limit, used, peak;
    bool exceeded;
    uint8_t *fresh, *fresh_end;    /* of the pages for the first blocks, what was not handed out */
    uint32_t partial[CLASS_COUNT]; /* slabs with room */
    uint32_t bins[BIN_COUNT];
    uint64_t bin_map[BIN_WORDS];
    uint8_t class_of[SMALL_MAX / GRAIN + 1]; /* by size in grains */
    uint8_t slab_pages[CLASS_COUNT];
    uint16_t slab_blocks[CLASS_COUNT];
} arena;

/* ---- set-up ---------------------------------------------------------------------------------- */

/* The fewest pages of which at most a sixteenth is lost at the end. */
static void class_set_up(unsigned c)
{
    unsigned pages = 1;
    while (pages < SLAB_PAGES_MAX && pages * PAGE % class_sizes[c] > pages * PAGE / 16)
        pages++;
    arena.slab_pages[c] = (uint8_t)pages;
    arena.slab_blocks[c] = (uint16_t)(pages * PAGE / class_sizes[c]);
}

static void *range_map(size_t bytes)
{
    void *p =
        mmap(ARENA_BASE, bytes, PROT_READ | PROT_WRITE, RANGE_FLAGS | MAP_FIXED_NOREPLACE, -1, 0);
#ifdef C9_SANITIZED /* whose shadow may be there */
    if (p == MAP_FAILED)
        p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, RANGE_FLAGS, -1, 0);
#endif
    return p == MAP_FAILED ? NULL : p;
}

/* Pages for a limit. */
static size_t pages_of_limit(size_t limit)
{
    return limit < SIZE_MAX / 4 ? (2 * limit + ARENA_SLACK) / PAGE : SIZE_MAX;
}

int arena_map(size_t limit_max)
{
    size_t count = pages_of_limit(limit_max);
    if (count >= UINT32_MAX) {
        errno = EINVAL;
        return -1;
    }
    size_t table = (count * sizeof(struct page) + PAGE - 1) / PAGE * PAGE;
    uint8_t *range = range_map(table + count * PAGE);
    if (range == NULL)
        return -1;
    arena.pages = (struct page *)range;
    arena.base = range + table;
    arena.count = arena.mapped = arena.most = (uint32_t)count;
    arena.top = 1;
    arena.limit = limit_max;
    for (unsigned c = 0; c < CLASS_COUNT; c++) {
        class_set_up(c);
        for (unsigned g = c > 0 ? class_sizes[c - 1] / GRAIN + 1 : 0; g <= class_sizes[c] / GRAIN;
             g++)
            arena.class_of[g] = (uint8_t)c;
    }
    return 0;
}

static void first_open(void);

void arena_limit(size_t bytes)
{
    size_t count = pages_of_limit(bytes);
    if (count < arena.top)
        count = arena.top;
    arena.count = count < arena.most ? (uint32_t)count : arena.most;
    arena.limit = bytes;
    arena.peak = arena.used;
    arena.exceeded = false;
    if (arena.fresh == NULL)
        first_open();
}

int arena_inherit(size_t usual_limit)
{
    size_t end = pages_of_limit(usual_limit);
    if (end >= arena.most)
        return 0;
    arena.mapped = (uint32_t)end;
    return madvise(arena.base + end * PAGE, (arena.most - end) * (size_t)PAGE, MADV_DONTFORK);
}

int arena_seal(void)
{
    uint32_t is = arena.mapped, wanted = arena.count;
    arena.mapped = arena.most = wanted;
    if (is > wanted)
        return (int)syscall(SYS_munmap, arena.base + (size_t)wanted * PAGE,
                            (size_t)(is - wanted) * PAGE);
    if (is == wanted)
        return 0;
    void *more = arena.base + (size_t)is * PAGE;
    return (void *)syscall(SYS_mmap, more, (size_t)(wanted - is) * PAGE, PROT_READ | PROT_WRITE,
                           RANGE_FLAGS | MAP_FIXED_NOREPLACE, -1, 0) == more
               ? 0
               : -1;
}

size_t arena_used(void)
{
    return arena.used;
}

size_t arena_peak(void)
{
    return arena.peak;
}

bool arena_exceeded(void)
{
    return arena.exceeded;
}

/* ---- runs of pages --------------------------------------------------------------------------- */

/* The bin whose runs have at least its size: sizes are rounded down to it. */
static unsigned bin_below(uint32_t run)
{
    if (run < BIN_EXACT)
        return run;
    unsigned log = 31 - (unsigned)__builtin_clz(run);
    return BIN_EXACT + (log - 4) * 8 + (run >> (log - 3) & 7);
}

/* The first bin of which every run is enough for so many pages. */
static unsigned bin_above(uint32_t run)
{
    if (run < BIN_EXACT)
        return run;
    unsigned log = 31 - (unsigned)__builtin_clz(run);
    return bin_below(run + (1u << (log - 3)) - 1);
}

static void list_remove(uint32_t *first, uint32_t at)
{
    struct page *p = &arena.pages[at];
    if (p->prev != NONE)
        arena.pages[p->prev].next = p->next;
    else
        *first = p->next;
    if (p->next != NONE)
        arena.pages[p->next].prev = p->prev;
}

static void list_insert(uint32_t *first, uint32_t at)
{
    struct page *p = &arena.pages[at];
    p->prev = NONE;
    p->next = *first;
    if (*first != NONE)
        arena.pages[*first].prev = at;
    *first = at;
}

static void run_unbin(uint32_t at)
{
    unsigned bin = bin_below(arena.pages[at].run);
    list_remove(&arena.bins[bin], at);
    if (arena.bins[bin] == NONE)
        arena.bin_map[bin / 64] &= ~(1ull << bin % 64);
}

/* Makes the pages free, joined with free neighbours. Those right below the top become the top's. */
static void run_free(uint32_t at, uint32_t run)
{
    struct page *pages = arena.pages;
    if (at > 1 && pages[at - 1].state == PAGE_FREE) {
        uint32_t before = pages[at - 1].run;
        at -= before;
        run += before;
        run_unbin(at);
    }
    uint32_t behind = at + run;
    if (behind < arena.top && pages[behind].state == PAGE_FREE) {
        run += pages[behind].run;
        run_unbin(behind);
    }
    if (at + run == arena.top) {
        arena.top = at;
        return;
    }
    pages[at].state = pages[at + run - 1].state = PAGE_FREE;
    pages[at].run = pages[at + run - 1].run = run;
    unsigned bin = bin_below(run);
    list_insert(&arena.bins[bin], at);
    arena.bin_map[bin / 64] |= 1ull << bin % 64;
}

static uint32_t bin_search(unsigned from)
{
    for (unsigned word = from / 64; word < BIN_WORDS; word++) {
        uint64_t map = arena.bin_map[word];
        if (word == from / 64)
            map &= ~0ull << from % 64;
        if (map != 0)
            return arena.bins[word * 64 + (unsigned)__builtin_ctzll(map)];
    }
    return NONE;
}

/* A free run of at least so many pages: the first of the request's own bin if that is enough, else
 * the first of the next bin that has any. */
static uint32_t run_search(uint32_t need)
{
    uint32_t at = arena.bins[bin_below(need)];
    return at != NONE && arena.pages[at].run >= need ? at : bin_search(bin_above(need));
}

/* Takes pages out of the free ones; NONE when the range is full. Its rows are the caller's to fill.
 */
static uint32_t run_take(uint32_t need)
{
    uint32_t at = run_search(need);
    if (at == NONE) {
        if (arena.count - arena.top < need)
            return NONE;
        at = arena.top;
        arena.top += need;
        return at;
    }
    uint32_t run = arena.pages[at].run;
    run_unbin(at);
    /* The rows that neighbours will look at; those between may say anything. */
    arena.pages[at].state = arena.pages[at + need - 1].state = PAGE_INSIDE;
    if (run > need)
        run_free(at + need, run - need);
    return at;
}

/* ---- large blocks ---------------------------------------------------------------------------- */

static uint32_t pages_for(size_t size)
{
    return (uint32_t)((size + PAGE - 1) >> PAGE_BITS);
}

static void large_mark(uint32_t at, uint32_t run)
{
    arena.pages[at + run - 1].state = PAGE_INSIDE; /* it may have been a free run's last */
    arena.pages[at].state = PAGE_LARGE;
    arena.pages[at].run = run;
}

static void *large_new(size_t size)
{
    if (size > (size_t)arena.count << PAGE_BITS)
        return NULL;
    uint32_t need = pages_for(size), at = run_take(need);
    if (at == NONE)
        return NULL;
    large_mark(at, need);
    return arena.base + ((size_t)at << PAGE_BITS);
}

/* Makes a large block so many pages where it is: by giving its end away, or by taking what is free
 * behind it. */
static bool large_resize(uint32_t at, uint32_t need)
{
    struct page *pages = arena.pages;
    uint32_t run = pages[at].run, behind = at + run;
    if (need < run) {
        large_mark(at, need);
        run_free(at + need, run - need);
    } else if (need > run && behind == arena.top) {
        if (arena.count - behind < need - run)
            return false;
        arena.top = at + need;
        large_mark(at, need);
    } else if (need > run) {
        if (pages[behind].state != PAGE_FREE || pages[behind].run < need - run)
            return false;
        uint32_t rest = pages[behind].run - (need - run);
        run_unbin(behind);
        large_mark(at, need);
        if (rest > 0)
            run_free(at + need, rest);
    }
    return true;
}

/* ---- small blocks ---------------------------------------------------------------------------- */

static uint32_t slab_new(unsigned class)
{
    uint32_t run = arena.slab_pages[class], at = run_take(run);
    if (at == NONE)
        return NONE;
    for (uint32_t i = 0; i < run; i++) {
        arena.pages[at + i].state = PAGE_SLAB;
        arena.pages[at + i].head = at;
    }
    struct page *slab = &arena.pages[at];
    slab->class = (uint8_t) class;
    slab->used = slab->fresh = slab->spare = 0;
    slab->run = run;
    list_insert(&arena.partial[class], at);
    return at;
}

static void slab_release(uint32_t at)
{
    uint32_t run = arena.pages[at].run;
    list_remove(&arena.partial[arena.pages[at].class], at);
    for (uint32_t i = 0; i < run; i++)
        arena.pages[at + i].state = PAGE_INSIDE;
    run_free(at, run);
}

static void *small_new(unsigned class)
{
    uint32_t at = arena.partial[class];
    if (at == NONE && (at = slab_new(class)) == NONE)
        return NULL;
    struct page *slab = &arena.pages[at];
    uint8_t *begin = arena.base + ((size_t)at << PAGE_BITS), *block;
    if (slab->spare != 0) {
        block = begin + (size_t)(slab->spare - 1) * GRAIN;
        memcpy(&slab->spare, block, sizeof(slab->spare));
    } else {
        block = begin + (size_t)slab->fresh++ * class_sizes[class];
    }
    if (++slab->used == arena.slab_blocks[class])
        list_remove(&arena.partial[class], at);
    return block;
}

static void small_free(uint32_t at, void *ptr)
{
    struct page *slab = &arena.pages[at];
    unsigned class = slab->class;
    if (slab->used == arena.slab_blocks[class])
        list_insert(&arena.partial[class], at);
    size_t offset = (size_t)((uint8_t *)ptr - (arena.base + ((size_t)at << PAGE_BITS)));
    memcpy(ptr, &slab->spare, sizeof(slab->spare));
    slab->spare = (uint16_t)(offset / GRAIN + 1);
    /* The last slab of its class stays, lest a loop that makes and drops one object pays for a
     * slab. */
    if (--slab->used == 0 && (slab->prev != NONE || slab->next != NONE))
        slab_release(at);
}

/* ---- the first small blocks ------------------------------------------------------------------ */

static size_t grains(size_t size)
{
    return (size + GRAIN - 1) / GRAIN * GRAIN;
}

static void first_open(void)
{
    uint32_t at = run_take(FIRST_PAGES);
    if (at == NONE)
        return;
    for (uint32_t i = 0; i < FIRST_PAGES; i++)
        arena.pages[at + i].state = PAGE_FIRST;
    arena.fresh = arena.base + ((size_t)at << PAGE_BITS);
    arena.fresh_end = arena.fresh + FIRST_PAGES * PAGE;
}

static void *first_new(size_t size)
{
    size_t need = grains(size);
    if ((size_t)(arena.fresh_end - arena.fresh) < need)
        return NULL;
    void *block = arena.fresh;
    arena.fresh += need;
    return block;
}

/* The last one can grow, as a buffer does, and go. */
static bool first_resize(uint8_t *ptr, size_t old_size, size_t size)
{
    if (grains(size) <= grains(old_size))
        return true;
    if (ptr + grains(old_size) != arena.fresh || (size_t)(arena.fresh_end - ptr) < grains(size))
        return false;
    arena.fresh = ptr + grains(size);
    return true;
}

static void first_free(uint8_t *ptr, size_t size)
{
    if (ptr + grains(size) == arena.fresh)
        arena.fresh = ptr;
}

/* ---- what Lua calls -------------------------------------------------------------------------- */

static uint32_t page_of(const void *ptr)
{
    return (uint32_t)((size_t)((const uint8_t *)ptr - arena.base) >> PAGE_BITS);
}

static void *block_new(size_t size)
{
    if (size > SMALL_MAX)
        return large_new(size);
    void *block = first_new(size);
    return block != NULL ? block : small_new(arena.class_of[(size + GRAIN - 1) / GRAIN]);
}

static void block_free(void *ptr, size_t size)
{
    uint32_t at = page_of(ptr);
    if (arena.pages[at].state == PAGE_SLAB)
        small_free(arena.pages[at].head, ptr);
    else if (arena.pages[at].state == PAGE_FIRST)
        first_free(ptr, size);
    else
        run_free(at, arena.pages[at].run);
}

/* Whether the block can have the new size where it is. */
static bool block_resize(void *ptr, size_t old_size, size_t size)
{
    uint32_t at = page_of(ptr);
    if (arena.pages[at].state == PAGE_FIRST)
        return first_resize(ptr, old_size, size);
    if (arena.pages[at].state != PAGE_SLAB)
        return size > SMALL_MAX && large_resize(at, pages_for(size));
    unsigned class = arena.pages[arena.pages[at].head].class;
    return size <= SMALL_MAX && arena.class_of[(size + GRAIN - 1) / GRAIN] == class;
}

static void *block_move(void *ptr, size_t old_size, size_t size)
{
    if (block_resize(ptr, old_size, size))
        return ptr;
    void *moved = block_new(size);
    if (moved == NULL)
        return size <= old_size ? ptr : NULL; /* Lua relies on it: shrinking does not fail */
    memcpy(moved, ptr, old_size < size ? old_size : size);
    block_free(ptr, old_size);
    return moved;
}

void *arena_realloc(void *ud, void *ptr, size_t old_size, size_t new_size)
{
    (void)ud;
    if (ptr == NULL)
        old_size = 0; /* Lua passes the kind of object instead */
    if (new_size == 0) {
        if (ptr != NULL)
            block_free(ptr, old_size);
        arena.used -= old_size;
        return NULL;
    }
    if (new_size > old_size &&
        (arena.used > arena.limit || new_size - old_size > arena.limit - arena.used)) {
        arena.exceeded = true;
        return NULL;
    }
    void *block = ptr == NULL ? block_new(new_size) : block_move(ptr, old_size, new_size);
    if (block == NULL) { /* too scattered to hold what the limit allows */
        arena.exceeded = true;
        return NULL;
    }
    arena.used = arena.used - old_size + new_size;
    if (arena.used > arena.peak)
        arena.peak = arena.used;
    return block;
}
