/* simio_disk.c - the simulated disk: two images per node and what lies between them.
 *
 * What a crash does to a file: every 512-byte sector is as it was at some moment between the last
 * sync and now, each sector at a moment of its own (so writes are dropped, torn and reordered, but
 * a sector is never half written); the size likewise, so that a file may end in zeros never
 * written. To directories: any subset of the un-synced changes has happened, a rename whole or not
 * at all. Which is drawn in four manners - nothing, everything, a moment with one torn write, each
 * sector for itself - because an even draw would hardly ever give the first three.
 */
#include "os/simio_int.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/must.h"

static struct sim_node *node_new(struct sim_disk *disk, bool is_directory)
{
    struct sim_node *node = mem_calloc(1, sizeof(*node));
    if (!node)
        return NULL;
    node->is_directory = is_directory;
    node->writes_last = &node->writes;
    node->all_next = disk->all;
    disk->all = node;
    return node;
}

enum status sim_disk_init(struct sim_disk *disk, struct error *err)
{
    *disk = (struct sim_disk){0};
    disk->changes_last = &disk->changes;
    disk->root = node_new(disk, true);
    return disk->root ? OK : error_memory(err, "the simulated disk", sizeof(struct sim_node));
}

static void free_writes(struct sim_node *file)
{
    struct sim_write *next;
    for (struct sim_write *write = file->writes; write; write = next) {
        next = write->next;
        mem_free(write);
    }
    file->writes = NULL;
    file->writes_last = &file->writes;
    file->write_count = 0;
}

static void free_entries(struct sim_entry **entries)
{
    struct sim_entry *next;
    for (struct sim_entry *entry = *entries; entry; entry = next) {
        next = entry->next;
        mem_free(entry);
    }
    *entries = NULL;
}

static void free_changes(struct sim_disk *disk)
{
    struct sim_change *next;
    for (struct sim_change *change = disk->changes; change; change = next) {
        next = change->next;
        mem_free(change->made);
        mem_free(change);
    }
    disk->changes = NULL;
    disk->changes_last = &disk->changes;
}

void sim_disk_fini(struct sim_disk *disk)
{
    free_changes(disk);
    struct sim_node *next;
    for (struct sim_node *node = disk->all; node; node = next) {
        next = node->all_next;
        free_writes(node);
        free_entries(&node->entries);
        free_entries(&node->durable_entries);
        mem_free(node->now);
        mem_free(node->durable);
        mem_free(node);
    }
}

/* ---- names ---- */

static struct sim_entry **find_entry(struct sim_entry **entries, const char *name)
{
    while (*entries && strcmp((*entries)->name, name) < 0)
        entries = &(*entries)->next;
    return entries;
}

static void insert_entry(struct sim_entry **entries, struct sim_entry *entry)
{
    struct sim_entry **place = find_entry(entries, entry->name);
    must(!*place || strcmp((*place)->name, entry->name) != 0);
    entry->next = *place;
    *place = entry;
}

/* Takes it out and frees it; its node, or NULL. */
static struct sim_node *delete_entry(struct sim_entry **entries, const char *name)
{
    struct sim_entry **place = find_entry(entries, name), *entry = *place;
    if (!entry || strcmp(entry->name, name) != 0)
        return NULL;
    struct sim_node *node = entry->node;
    *place = entry->next;
    mem_free(entry);
    return node;
}

static struct sim_entry *entry_new(const char *name, struct sim_node *node)
{
    struct sim_entry *entry = mem_calloc(1, sizeof(*entry));
    if (!entry)
        return NULL;
    must(strlen(name) < SIM_NAME_MAX);
    memcpy(entry->name, name, strlen(name) + 1);
    entry->node = node;
    return entry;
}

struct sim_node *sim_find(struct sim_disk *disk, const char *path, struct sim_node **parent,
                          char *name, int *errno_value)
{
    struct sim_node *node = disk->root;
    *parent = NULL;
    *errno_value = 0;
    name[0] = '\0';
    for (;;) {
        path += strspn(path, "/");
        size_t length = strcspn(path, "/");
        if (length == 0)
            return node;
        if (length == 1 && path[0] == '.') {
            path++;
            continue;
        }
        *parent = NULL;
        *errno_value = !node ? ENOENT : !node->is_directory ? ENOTDIR : ENAMETOOLONG;
        if (!node || !node->is_directory || length >= SIM_NAME_MAX)
            return NULL;
        memcpy(name, path, length);
        name[length] = '\0';
        path += length;
        *parent = node;
        struct sim_entry *entry = *find_entry(&node->entries, name);
        node = entry && strcmp(entry->name, name) == 0 ? entry->node : NULL;
        *errno_value = node ? 0 : ENOENT;
    }
}

static struct sim_change *append_change(struct sim_disk *disk, struct sim_node *from,
                                        const char *from_name, struct sim_node *to,
                                        struct sim_entry *made)
{
    struct sim_change *change = mem_calloc(1, sizeof(*change));
    if (!change)
        return NULL;
    change->from = from;
    change->to = to;
    change->made = made;
    if (from)
        memcpy(change->from_name, from_name, strlen(from_name) + 1);
    *disk->changes_last = change;
    disk->changes_last = &change->next;
    return change;
}

void sim_release(struct sim_disk *disk, struct sim_node *node)
{
    if (!node->is_directory && node->link_count == 0 && node->open_count == 0)
        disk->used_bytes -= node->now_bytes;
}

struct sim_node *sim_create(struct sim_disk *disk, struct sim_node *parent, const char *name,
                            bool is_directory)
{
    struct sim_node *node = node_new(disk, is_directory);
    struct sim_entry *entry = node ? entry_new(name, node) : NULL;
    struct sim_entry *made = entry ? entry_new(name, node) : NULL;
    if (!made || !append_change(disk, NULL, NULL, parent, made)) {
        mem_free(made);
        mem_free(entry);
        return NULL; /* the node stays in `all`, unreachable */
    }
    insert_entry(&parent->entries, entry);
    node->link_count = 1;
    return node;
}

bool sim_remove(struct sim_disk *disk, struct sim_node *parent, const char *name)
{
    if (!append_change(disk, parent, name, NULL, NULL))
        return false;
    struct sim_node *node = delete_entry(&parent->entries, name);
    must(node);
    node->link_count--;
    sim_release(disk, node);
    return true;
}

bool sim_move(struct sim_disk *disk, struct sim_node *from, const char *from_name,
              struct sim_node *to, const char *to_name)
{
    struct sim_node *node = (*find_entry(&from->entries, from_name))->node;
    struct sim_entry *entry = entry_new(to_name, node);
    struct sim_entry *made = entry ? entry_new(to_name, node) : NULL;
    if (!made || !append_change(disk, from, from_name, to, made)) {
        mem_free(made);
        mem_free(entry);
        return false;
    }
    delete_entry(&from->entries, from_name);
    struct sim_node *replaced = delete_entry(&to->entries, to_name);
    if (replaced) {
        replaced->link_count--;
        sim_release(disk, replaced);
    }
    insert_entry(&to->entries, entry);
    return true;
}

static void make_durable(struct sim_change *change)
{
    if (change->from)
        delete_entry(&change->from->durable_entries, change->from_name);
    if (!change->to)
        return;
    delete_entry(&change->to->durable_entries, change->made->name);
    insert_entry(&change->to->durable_entries, change->made);
    change->made = NULL;
}

/* Applies the chosen changes in their order and takes them off the list. */
static void apply_chosen(struct sim_disk *disk)
{
    struct sim_change **link = &disk->changes, *change;
    while ((change = *link)) {
        if (!change->chosen) {
            link = &change->next;
            continue;
        }
        *link = change->next;
        make_durable(change);
        mem_free(change);
    }
    disk->changes_last = link;
}

/* True: there were some. */
static bool choose_changes_of(struct sim_disk *disk, struct sim_node *directory)
{
    bool more = false;
    for (struct sim_change *change = disk->changes; change; change = change->next) {
        if (change->chosen || (change->from != directory && change->to != directory))
            continue;
        change->chosen = more = true;
    }
    return more;
}

/* A rename between two directories drags the other's changes along: otherwise an older one could be
 * applied after it. */
void sim_sync_directory(struct sim_disk *disk, struct sim_node *directory)
{
    bool more = choose_changes_of(disk, directory);
    while (more) {
        more = false;
        for (struct sim_change *change = disk->changes; change; change = change->next)
            if (change->chosen && change->from && change->to) {
                more = choose_changes_of(disk, change->from) || more;
                more = choose_changes_of(disk, change->to) || more;
            }
    }
    apply_chosen(disk);
}

/* ---- bytes ---- */

static bool make_room(struct sim_node *file, uint64_t size_bytes)
{
    if (size_bytes <= file->capacity)
        return true;
    uint64_t capacity = file->capacity ? file->capacity : 4096;
    while (capacity < size_bytes)
        capacity *= 2;
    uint8_t *now = mem_calloc(1, capacity), *durable = mem_calloc(1, capacity);
    if (!now || !durable) {
        mem_free(now);
        mem_free(durable);
        return false;
    }
    if (file->capacity) {
        memcpy(now, file->now, file->now_bytes);
        memcpy(durable, file->durable, file->durable_bytes);
    }
    mem_free(file->now);
    mem_free(file->durable);
    file->now = now;
    file->durable = durable;
    file->capacity = capacity;
    return true;
}

static struct sim_write *append_write(struct sim_node *file, const void *bytes, uint64_t size_bytes,
                                      uint64_t offset, uint64_t size_after)
{
    uint64_t copied = bytes ? size_bytes : 0;
    struct sim_write *write = mem_alloc(sizeof(*write) + copied);
    if (!write)
        return NULL;
    *write = (struct sim_write){.offset = offset,
                                .size_bytes = size_bytes,
                                .size_after = size_after,
                                .is_truncation = !bytes};
    if (copied)
        memcpy(write->bytes, bytes, copied);
    *file->writes_last = write;
    file->writes_last = &write->next;
    file->write_count++;
    return write;
}

int sim_write(struct sim_disk *disk, struct sim_node *file, const void *bytes, uint64_t size_bytes,
              uint64_t offset)
{
    int errno_value = 0;
    uint64_t end = offset + size_bytes;
    uint64_t growth = end > file->now_bytes ? end - file->now_bytes : 0;
    if (disk->capacity_bytes && disk->used_bytes + growth > disk->capacity_bytes) {
        uint64_t left =
            disk->capacity_bytes > disk->used_bytes ? disk->capacity_bytes - disk->used_bytes : 0;
        uint64_t over = growth - left;
        size_bytes = over < size_bytes ? size_bytes - over : 0;
        errno_value = ENOSPC;
        end = offset + size_bytes;
        growth = size_bytes && end > file->now_bytes ? end - file->now_bytes : 0;
    }
    if (size_bytes == 0)
        return errno_value;
    uint64_t size_after = file->now_bytes + growth;
    if (!make_room(file, size_after) || !append_write(file, bytes, size_bytes, offset, size_after))
        return ENOMEM;
    memcpy(file->now + offset, bytes, size_bytes);
    file->now_bytes = size_after;
    disk->used_bytes += growth;
    return errno_value;
}

int sim_truncate(struct sim_disk *disk, struct sim_node *file, uint64_t size_bytes)
{
    uint64_t old_bytes = file->now_bytes;
    if (size_bytes > old_bytes && disk->capacity_bytes &&
        disk->used_bytes + size_bytes - old_bytes > disk->capacity_bytes)
        return ENOSPC;
    uint64_t cut = old_bytes > size_bytes ? old_bytes - size_bytes : 0;
    if (!make_room(file, size_bytes) || !append_write(file, NULL, cut, size_bytes, size_bytes))
        return ENOMEM;
    if (cut)
        memset(file->now + size_bytes, 0, cut);
    file->now_bytes = size_bytes;
    disk->used_bytes = disk->used_bytes - old_bytes + size_bytes;
    return 0;
}

/* Brings one piece of a write, inside one sector, to the durable image. */
static void apply_piece(struct sim_node *file, const struct sim_write *write, uint64_t offset,
                        uint64_t size_bytes)
{
    if (write->is_truncation)
        memset(file->durable + offset, 0, size_bytes);
    else
        memcpy(file->durable + offset, write->bytes + (offset - write->offset), size_bytes);
}

static void apply_write(struct sim_node *file, const struct sim_write *write)
{
    if (write->size_bytes)
        apply_piece(file, write, write->offset, write->size_bytes);
}

static void set_durable_size(struct sim_node *file, uint64_t size_bytes)
{
    file->durable_bytes = size_bytes;
    if (size_bytes < file->capacity)
        memset(file->durable + size_bytes, 0, file->capacity - size_bytes);
}

void sim_sync_file(struct sim_node *file)
{
    if (!file->writes)
        return;
    for (struct sim_write *write = file->writes; write; write = write->next)
        apply_write(file, write);
    set_durable_size(file, file->now_bytes);
    free_writes(file);
}

/* How one crash treats one file: the moment (number of writes done) of a sector and of the size. */
enum manner { KEEP_NOTHING, KEEP_ALL, TEAR_ONE, EACH_SECTOR, MANNER_COUNT };
struct fate {
    enum manner manner;
    uint64_t moment; /* TEAR_ONE: writes before it are whole, this one is torn */
    uint64_t salt;
    uint64_t write_count;
};

static uint64_t moment_of(const struct fate *fate, uint64_t sector)
{
    uint64_t draw = rng_mix(fate->salt ^ sector);
    switch (fate->manner) {
    case KEEP_NOTHING:
        return 0;
    case KEEP_ALL:
        return fate->write_count;
    case TEAR_ONE:
        return fate->moment + (draw & 1);
    default:
        return (draw & 3) == 0   ? fate->write_count
               : (draw & 3) == 1 ? 0
                                 : (draw >> 2) % (fate->write_count + 1);
    }
}

static void crash_file(struct sim_node *file, struct rng *rng)
{
    if (!file->writes)
        return;
    struct fate fate = {.manner = (enum manner)rng_below(rng, MANNER_COUNT),
                        .moment = rng_below(rng, file->write_count),
                        .salt = rng_next(rng),
                        .write_count = file->write_count};
    uint64_t size_moment = moment_of(&fate, UINT64_MAX), size_bytes = file->durable_bytes,
             index = 0;
    for (struct sim_write *write = file->writes; write; write = write->next, index++) {
        uint64_t end = write->offset + write->size_bytes;
        for (uint64_t at = write->offset, next; at < end; at = next) {
            uint64_t sector = at / SIM_SECTOR_BYTES;
            next = (sector + 1) * SIM_SECTOR_BYTES < end ? (sector + 1) * SIM_SECTOR_BYTES : end;
            if (index < moment_of(&fate, sector))
                apply_piece(file, write, at, next - at);
        }
        if (index < size_moment)
            size_bytes = write->size_after;
    }
    set_durable_size(file, size_bytes);
    free_writes(file);
}

void sim_fail_sync_file(struct sim_node *file, struct rng *rng)
{
    crash_file(file, rng);
}

/* ---- the crash ---- */

static void crash_directories(struct sim_disk *disk, struct rng *rng)
{
    uint64_t count = 0, index = 0;
    for (struct sim_change *change = disk->changes; change; change = change->next)
        count++;
    enum manner manner = (enum manner)rng_below(rng, MANNER_COUNT);
    uint64_t moment = rng_below(rng, count + 1);
    for (struct sim_change *change = disk->changes; change; change = change->next, index++)
        change->chosen = manner == KEEP_ALL || (manner == TEAR_ONE && index < moment) ||
                         (manner == EACH_SECTOR && rng_below(rng, 2));
    apply_chosen(disk);
    free_changes(disk);
}

/* What cannot be reached from the root any more stays as it is and is freed with the disk. */
static void restore_directory(struct sim_disk *disk, struct sim_node *directory)
{
    free_entries(&directory->entries);
    struct sim_entry **last = &directory->entries;
    for (struct sim_entry *entry = directory->durable_entries; entry; entry = entry->next) {
        struct sim_entry *copy = entry_new(entry->name, entry->node);
        must(copy);
        *last = copy;
        last = &copy->next;
        entry->node->link_count = 1;
        if (entry->node->is_directory)
            restore_directory(disk, entry->node);
        else
            disk->used_bytes += entry->node->now_bytes;
    }
}

void sim_crash(struct sim_disk *disk, struct rng *rng)
{
    crash_directories(disk, rng);
    for (struct sim_node *node = disk->all; node; node = node->all_next) {
        crash_file(node, rng);
        node->locked = false;
        node->link_count = node->open_count = 0;
        node->now_bytes = node->durable_bytes;
        if (node->capacity)
            memcpy(node->now, node->durable, node->capacity);
    }
    disk->used_bytes = 0;
    restore_directory(disk, disk->root);
}
