/* The code that executors run, mapped in each of them from its first instruction.
 *
 * When a process forks, the kernel copies the page table of a mapping only where some page of the
 * mapping is the process's own; of a file's pages it lets the child fault in what it touches. For
 * an executor those were eight faults of 64 KiB each, a tenth of what its process costs. So one
 * page of code and one of constants is written once, with what is there, and becomes the zygote's
 * own: from then on the mapping is copied, though nothing in it differs from the file. */
#include "sandbox/near.h"

#include <link.h>
#include <stdint.h>
#include <sys/mman.h>

#include "base/cleanup.h"

/* zygote.ld's; without it (sanitizers) there are none. */
extern char near_text[] __attribute__((weak)), near_text_end[] __attribute__((weak));
extern char near_rodata[] __attribute__((weak)), near_rodata_end[] __attribute__((weak));

enum { PAGE = 4096 };

static const struct range {
    char *begin, *end;
} ranges[] = {{near_text, near_text_end}, {near_rodata, near_rodata_end}};

static void range_touch(const struct range *range)
{
    for (const volatile char *at = range->begin; at < range->end; at += PAGE)
        (void)*at;
}

/* The whole mapping changes and changes back, or it would be three. Where that is refused (SELinux
 * forbids to change code), executors fault. */
static void mapping_own(char *begin, size_t len, int prot, const struct range *range)
{
    if (mprotect(begin, len, prot | PROT_WRITE) < 0)
        return;
    *(volatile char *)begin = *begin;
    mprotect(begin, len, prot);
    madvise(begin, len, MADV_DONTNEED); /* the copy; and all that only the start needed */
    range_touch(range);
}

static int segments(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size, (void)arg;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type != PT_LOAD || (p->p_flags & PF_W) != 0)
            continue;
        uintptr_t begin = (info->dlpi_addr + p->p_vaddr) / PAGE * PAGE,
                  end = (info->dlpi_addr + p->p_vaddr + p->p_memsz + PAGE - 1) / PAGE * PAGE;
        for (size_t r = 0; r < countof(ranges); r++)
            if (ranges[r].begin != NULL && (uintptr_t)ranges[r].begin >= begin &&
                (uintptr_t)ranges[r].end <= end)
                mapping_own((char *)begin, end - begin,
                            PROT_READ | ((p->p_flags & PF_X) != 0 ? PROT_EXEC : 0), &ranges[r]);
    }
    return 1; /* the program itself is the first */
}

void near_keep(void)
{
    dl_iterate_phdr(segments, NULL);
}
