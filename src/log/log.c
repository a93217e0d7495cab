/* log.c - opening and closing the log: catalog, clean-shutdown mark, leader epoch, orphans.
 *
 * Order at the open, so that a crash at any point is an unclean start again: read the catalog; read
 * and remove the mark; unclean: publish the raised epoch; recover each partition. At the close the
 * mark is the last thing written.
 */
#include "log/log.h"

#include <stdio.h>

#include "base/must.h"
#include "log/log_int.h"

#define CLEAN_MARK         ".kafka_cleanshutdown"
#define PRODUCER_EXPIRY_MS 86400000 /* a day, Kafka's default */
#define DIRECTORY_MAX      (LOG_PATH_MAX - 2 * LOG_TOPIC_NAME_MAX)

enum log_durability log_durability(const struct log *log)
{
    return log->durability;
}

const char *log_directory(const struct log *log)
{
    return log->directory;
}

const uint8_t *log_cluster_id(const struct log *log)
{
    return log->cluster_id;
}

int32_t log_leader_epoch(const struct log *log)
{
    return log->leader_epoch;
}

enum status log_reserve_ids(struct log *log, uint32_t count, int64_t *out_first, struct error *err)
{
    mutex_lock(&log->catalog_lock);
    int64_t first = log->next_id;
    log->next_id += count;
    enum status status = catalog_write(log, NULL, NULL, err);
    mutex_unlock(&log->catalog_lock);
    *out_first = first;
    return status;
}

static enum status log_new(struct log **out, const struct log_settings *settings, struct error *err)
{
    size_t path_bytes = strlen(settings->directory) + 1;

    if (path_bytes > DIRECTORY_MAX)
        return error_set(err, ERR_LIMIT, "the log's directory name is longer than %d bytes",
                         DIRECTORY_MAX);
    struct log *log = mem_calloc(1, sizeof(*log));
    char *directory = log ? mem_alloc(path_bytes) : NULL;
    if (!directory) {
        mem_free(log);
        return error_memory(err, "the log", sizeof(*log) + path_bytes);
    }
    memcpy(directory, settings->directory, path_bytes);
    log->io = settings->io;
    log->owner = settings->owner;
    log->directory = directory;
    log->durability = settings->durability;
    log->dirty = settings->dirty;
    log->hurry = settings->hurry;
    log->dirty_context = settings->dirty_context;
    log->producer_expiry_ms =
        settings->producer_expiry_ms ? settings->producer_expiry_ms : PRODUCER_EXPIRY_MS;
    mutex_init(&log->catalog_lock);
    mutex_init(&log->lock);
    mutex_init(&log->dirty_lock);
    *out = log;
    return OK;
}

static void log_free(struct log *log)
{
    while (log->dirty_partitions) { /* a partition failed: its references are given back */
        struct log_partition *partition = log->dirty_partitions;
        log->dirty_partitions = partition->next;
        log_partition_unref(partition);
    }
    for (size_t i = 0; i < log->topic_count; i++) {
        must(atomic_load(&log->topics[i]->refs) == 1);
        log_topic_unref(log->topics[i]);
    }
    mem_free(log->topics);
    mutex_fini(&log->catalog_lock);
    mutex_fini(&log->lock);
    mutex_fini(&log->dirty_lock);
    mem_free(log->directory);
    mem_free(log);
}

/* ---- directories that no catalog names ---- */

struct orphans {
    struct log *log;
    bool first_open; /* there is no catalog */
    bool removed;
};

/* "orders-0": does the catalog know it? */
static bool is_known(struct log *log, struct str name, uint64_t partition_index)
{
    struct log_topic *topic = log_topic_find(log, name);
    bool known = topic && partition_index < topic->partition_count;
    log_topic_unref(topic);
    return known;
}

static enum status check_orphan(void *context, const char *name, struct error *err)
{
    struct orphans *orphans = context;
    struct log *log = orphans->log;
    const char *dash = strrchr(name, '-');
    char path[LOG_PATH_MAX];
    struct io_stat stat;
    uint64_t index;

    if (!dash || !str_to_u64(str_of(dash + 1), &index, NULL) ||
        !topic_name_valid((struct str){name, (size_t)(dash - name)}, NULL) ||
        is_known(log, (struct str){name, (size_t)(dash - name)}, index))
        return OK;
    if (snprintf(path, sizeof(path), "%s/%s", log->directory, name) >= (int)sizeof(path))
        return OK;
    TRY(log->io->ops->stat(log->io, path, &stat, err));
    if (!stat.is_directory)
        return OK;
    if (orphans->first_open) {
        error_set(err, ERR_CORRUPT,
                  "%s has partitions (%s) but no leat-log.catalog, so nobody knows their topics",
                  log->directory, name);
        error_hint(err, "put the catalog back from a copy, or start with an empty directory");
        return ERR_CORRUPT;
    }
    logger_write(LOG_INFO, "log",
                 "%s belongs to no topic (a deletion or creation that was cut "
                 "short): it is removed",
                 path);
    /* a process that was killed may have renamed the catalog and not synced it: then the one that
     * still names these files could come back after they are gone */
    if (!orphans->removed)
        TRY(log->io->ops->sync_directory(log->io, log->directory, err));
    orphans->removed = true;
    return io_remove_tree(log->io, path, err);
}

static enum status remove_orphans(struct log *log, bool first_open, struct error *err)
{
    struct orphans orphans = {log, first_open, false};
    TRY(log->io->ops->list(log->io, log->directory, check_orphan, &orphans, err));
    return orphans.removed ? log->io->ops->sync_directory(log->io, log->directory, err) : OK;
}

/* ---- open ---- */

/* Was the log closed? The mark goes, durably, before anything can change. */
static enum status take_clean_mark(struct log *log, bool *out_clean, struct error *err)
{
    char path[LOG_PATH_MAX];
    struct error local = {0};

    snprintf(path, sizeof(path), "%s/" CLEAN_MARK, log->directory);
    enum status status = log->io->ops->unlink(log->io, path, &local);
    *out_clean = status == OK;
    if (status == ERR_NOT_FOUND)
        return OK;
    if (status != OK)
        return error_set(err, status, "%s", local.text);
    return log->io->ops->sync_directory(log->io, log->directory, err);
}

/* The log's directory and those above it may have been made by a process that was killed before it
 * synced them: without their entries, nothing below is durable. */
static enum status sync_ancestors(struct log *log, struct error *err)
{
    char path[LOG_PATH_MAX];
    struct error local = {0};

    snprintf(path, sizeof(path), "%s", log->directory);
    for (size_t end = strlen(path); end > 0; end--) {
        if (path[end] != '/')
            continue;
        path[end] = '\0';
        enum status status = log->io->ops->sync_directory(log->io, end ? path : "/", &local);
        if (status != OK && status != ERR_ACCESS) /* not ours to read: not ours to have made */
            return error_set(err, status, "%s", local.text);
        error_clear(&local);
    }
    bool absolute = log->directory[0] == '/';
    return log->io->ops->sync_directory(log->io, absolute ? "/" : ".", err);
}

static enum status load_catalog(struct log *log, bool *out_first_open, struct error *err)
{
    struct error local = {0};

    *out_first_open = false;
    enum status status = catalog_read(log, &local);
    if (status == ERR_NOT_FOUND) {
        *out_first_open = true;
        return OK;
    }
    return status == OK ? OK : error_set(err, status, "%s", local.text);
}

static enum status load_partitions(struct log *log, bool clean, struct error *err)
{
    for (size_t i = 0; i < log->topic_count; i++)
        for (uint32_t k = 0; k < log->topics[i]->partition_count; k++)
            TRY(partition_load(log->topics[i]->partitions[k], clean, err));
    return OK;
}

enum status log_open(struct log **out, const struct log_settings *settings, struct error *err)
{
    struct log *log = NULL;
    bool first_open = false, clean = false;

    TRY(log_new(&log, settings, err));
    enum status status = io_make_directories(log->io, log->directory, err);
    if (status == OK)
        status = load_catalog(log, &first_open, err);
    if (status == OK)
        status = remove_orphans(log, first_open, err);
    if (status == OK)
        status = take_clean_mark(log, &clean, err);
    if (status != OK)
        goto out;
    if (first_open)
        status = sync_ancestors(log, err);
    if (status != OK)
        goto out;
    if (first_open)
        log->io->ops->random(log->io, log->cluster_id, sizeof(log->cluster_id));
    else if (!clean)
        log->leader_epoch++;
    if (first_open || !clean)
        status = catalog_write(log, NULL, NULL, err);
    if (status == OK)
        status = load_partitions(log, clean, err);
out:
    if (status == OK)
        *out = log;
    else
        log_free(log);
    return status;
}

/* ---- close ---- */

/* With LOG_PROCESS written bytes are not always on the dirty list. */
static void mark_unsynced(struct log *log)
{
    for (size_t i = 0; i < log->topic_count; i++)
        for (uint32_t k = 0; k < log->topics[i]->partition_count; k++)
            if (!log->topics[i]->partitions[k]->failed)
                partition_mark_dirty(log->topics[i]->partitions[k]);
}

static enum status close_partitions(struct log *log, struct error *err)
{
    for (size_t i = 0; i < log->topic_count; i++)
        for (uint32_t k = 0; k < log->topics[i]->partition_count; k++) {
            struct log_partition *partition = log->topics[i]->partitions[k];
            if (partition->failed)
                return error_set(err, ERR_IO, "partition %s had failed: %s", partition->name,
                                 partition->failure.text);
            TRY(partition_close_files(partition, err));
        }
    return OK;
}

enum status log_close(struct log *log, struct error *err)
{
    char path[LOG_PATH_MAX];

    if (!log)
        return OK;
    if (log->durability == LOG_PROCESS)
        mark_unsynced(log);
    enum status status = log_sync(log, err);
    if (status == OK)
        status = close_partitions(log, err);
    if (status == OK) {
        snprintf(path, sizeof(path), "%s/" CLEAN_MARK, log->directory);
        status = io_publish(log->io, path, "", 0, err);
    }
    log_free(log);
    return status;
}
