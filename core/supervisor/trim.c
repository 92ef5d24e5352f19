#include "supervisor/trim.h"

#include <link.h>
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Only what the loader never writes to: a page that was written is nobody's copy, and would be
 * lost. */
static int object_trim(struct dl_phdr_info *object, size_t size, void *arg)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    (void)size, (void)arg;
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W) != 0 ||
            (segment->p_flags & PF_R) == 0)
            continue;
        uintptr_t begin = (object->dlpi_addr + segment->p_vaddr + page - 1) & ~(page - 1);
        uintptr_t end = (object->dlpi_addr + segment->p_vaddr + segment->p_memsz) & ~(page - 1);
        if (begin < end)
            madvise((void *)begin, end - begin, MADV_DONTNEED); /* the vdso has no file: refused */
    }
    return 0;
}

void trim_after_start(void)
{
    malloc_trim(0);
    dl_iterate_phdr(object_trim, NULL);
}
