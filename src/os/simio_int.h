/* simio_int.h - the simulated disk below simio.c: nodes, their un-synced writes, directory changes.
 *
 *   sim_disk.root -> sim_node (directory) -> entries -> sim_node (file or directory)
 *
 * Every node has two images: what calls see now, and what a crash cannot take. The way from one to
 * the other is a file's list of writes and the disk's list of directory changes.
 */
#ifndef LEAT_OS_SIMIO_INT_H
#define LEAT_OS_SIMIO_INT_H

#include "base/error.h"
#include "base/rng.h"
#include "base/str.h"

#define SIM_SECTOR_BYTES 512
#define SIM_NAME_MAX     256

struct sim_write { /* un-synced: bytes at offset, or a truncation (bytes NULL: zeros to size_after)
                    */
    struct sim_write *next;
    uint64_t offset, size_bytes; /* of what changes; a truncation's is what it cuts off */
    uint64_t size_after;         /* of the file */
    bool is_truncation;
    uint8_t bytes[];
};

struct sim_entry { /* sorted by name */
    struct sim_entry *next;
    struct sim_node *node;
    char name[SIM_NAME_MAX];
};

struct sim_node {
    struct sim_node *all_next; /* every node of the disk, for the end */
    bool is_directory;
    bool locked;
    int64_t modified_us;
    /* a file; both images have capacity bytes, zero from their size on */
    uint8_t *now, *durable;
    uint64_t now_bytes, durable_bytes, capacity;
    struct sim_write *writes, **writes_last;
    uint64_t write_count;
    unsigned link_count, open_count; /* neither: its bytes are free again */
    /* a directory */
    struct sim_entry *entries, *durable_entries;
};

/* One un-synced change: entry `from_name` leaves `from` and/or `made` (with its node) comes to
 * `to`. Kept or lost as a whole. */
struct sim_change {
    struct sim_change *next;
    struct sim_node *from, *to; /* NULL: no such half */
    struct sim_entry *made;     /* owned until it becomes durable */
    bool chosen;
    char from_name[SIM_NAME_MAX];
};

struct sim_disk {
    struct sim_node *root, *all;
    struct sim_change *changes, **changes_last;
    uint64_t used_bytes, capacity_bytes; /* capacity 0: unlimited */
};

enum status sim_disk_init(struct sim_disk *disk, struct error *err) STATUS_CHECKED;
void sim_disk_fini(struct sim_disk *disk);

/* The node, or NULL with *errno_value. parent and name (SIM_NAME_MAX bytes) of the last component
 * are given when its directory exists, even if it does not; parent NULL otherwise. */
struct sim_node *sim_find(struct sim_disk *disk, const char *path, struct sim_node **parent,
                          char *name, int *errno_value);

/* A new node at parent/name. NULL: no memory. */
struct sim_node *sim_create(struct sim_disk *disk, struct sim_node *parent, const char *name,
                            bool is_directory);
/* These two: false without memory, nothing changed. */
bool sim_remove(struct sim_disk *disk, struct sim_node *parent, const char *name);
bool sim_move(struct sim_disk *disk, struct sim_node *from, const char *from_name,
              struct sim_node *to, const char *to_name);

/* 0, ENOSPC (with as much written as fits) or ENOMEM (nothing). */
int sim_write(struct sim_disk *disk, struct sim_node *file, const void *bytes, uint64_t size_bytes,
              uint64_t offset);
int sim_truncate(struct sim_disk *disk, struct sim_node *file, uint64_t size_bytes);
void sim_sync_file(struct sim_node *file);
/* The system reports a write-back error once and forgets the pages: each sector has arrived or
 * never will, whatever is synced later. */
void sim_fail_sync_file(struct sim_node *file, struct rng *rng);
void sim_sync_directory(struct sim_disk *disk, struct sim_node *directory);
void sim_release(struct sim_disk *disk, struct sim_node *node); /* after link or open count fell */

/* Only what is durable remains, and of the rest what rng picks. Needs memory: without it, must().
 */
void sim_crash(struct sim_disk *disk, struct rng *rng);

#endif
