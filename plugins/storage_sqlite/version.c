/* Whether anything was committed since: from the header of the WAL's index, which lies in memory
 * that all connections of all processes share. SQLite itself looks there at the begin of each read,
 * and there only, for what a read sees (sqlite.org/walformat.html, "WAL-Index File Format"). Its
 * format is no promise: of another one nothing is said. */
#include "driver.h"

enum {
    FORMAT = 3007000,
    REGION = 32768, /* bytes that SQLite maps at a time */
};

/* Two copies lie there. A commit writes the second first, so that a reader of both sees if it came
 * in between. */
struct wal_header {
    uint32_t format, unused;
    uint32_t change; /* counts commits */
    uint8_t ready, big_endian;
    uint16_t page_size;
    uint32_t frames, pages, frame_sum[2], salt[2], sum[2];
};
_Static_assert(sizeof(struct wal_header) == 48, "as in the file");

void version_set_up(struct c9d_storage *storage)
{
    sqlite3_file *file = NULL;
    void volatile *region = NULL;
    if (storage->options.memory ||
        sqlite3_file_control(storage->writer->db, "main", SQLITE_FCNTL_FILE_POINTER, &file) !=
            SQLITE_OK ||
        file == NULL || file->pMethods == NULL || file->pMethods->iVersion < 2 ||
        file->pMethods->xShmMap(file, 0, REGION, 0, &region) != SQLITE_OK)
        return;
    storage->wal = region; /* mapped while the writer's connection is open */
}

static uint64_t version_of(const volatile struct wal_header *header)
{
    uint64_t commits_and_frames = (uint64_t)header->change << 32 | header->frames;
    return header->format == FORMAT && header->ready ? commits_and_frames + 1 : 0;
}

uint64_t driver_version(struct c9d_storage *storage)
{
    if (storage->options.memory)
        return atomic_load(&storage->memory_commits) + 1;
    if (storage->wal == NULL)
        return 0;
    uint64_t first = version_of(&storage->wal[0]);
    atomic_thread_fence(memory_order_acquire);
    return first == version_of(&storage->wal[1]) ? first : 0;
}
