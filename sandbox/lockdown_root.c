/* An empty root that cannot be written to: no files, no /proc, no sockets to find. */
#include "sandbox/lockdown.h"

#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Any folder will do to mount the new root on: it is gone afterwards. */
#define ROOT_PLACE "/tmp"
#define ROOT_FLAGS (MS_NOSUID | MS_NODEV | MS_NOEXEC)

int lockdown_root_enter(void)
{
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return -1;
    const char *place = access(ROOT_PLACE, F_OK) == 0 ? ROOT_PLACE : "/proc";
    if (mount("none", place, "tmpfs", ROOT_FLAGS, "size=4k,nr_inodes=2,mode=0555") < 0 ||
        chdir(place) < 0)
        return -1;
    /* pivot_root(2), NOTES: the old root lands on top of the new one and is taken off it. */
    if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        return -1;
    return mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY | ROOT_FLAGS, NULL);
}
