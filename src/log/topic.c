/* topic.c - topics: made, deleted, grown, configured, found.
 *
 * The catalog file is what counts: a topic exists when the catalog that names it is durable. Its
 * partitions' directories are made and synced before, and removed after; log_open removes those
 * that no catalog names. Locks: catalog_lock for whole calls that change, log->lock for the table.
 */
#include "log/log_int.h"

#include <stdio.h>

#include "base/must.h"

#define CONFIG_COUNT_MAX 1000

/* ---- memory ---- */

static void free_entries(struct log_config_entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        mem_free((void *)entries[i].key);
        mem_free((void *)entries[i].value);
    }
    mem_free(entries);
}

static char *copy_text(const char *text)
{
    size_t size_bytes = strlen(text) + 1;
    char *copy = mem_alloc(size_bytes);
    if (copy)
        memcpy(copy, text, size_bytes);
    return copy;
}

static enum status copy_entries(const struct log_config_entry *entries, size_t count,
                                struct log_config_entry **out, struct error *err)
{
    struct log_config_entry *copies = mem_calloc(count + 1, sizeof(*copies));
    if (!copies)
        return error_memory(err, "a topic's configs", count * sizeof(*copies));
    for (size_t i = 0; i < count; i++) {
        copies[i].key = copy_text(entries[i].key);
        copies[i].value = copy_text(entries[i].value);
        if (!copies[i].key || !copies[i].value) {
            free_entries(copies, i + 1);
            return error_memory(err, "a topic's configs", 64);
        }
    }
    *out = copies;
    return OK;
}

enum status topic_new(struct log_topic **out, struct log *log, struct str name, const uint8_t *id,
                      const struct log_config_entry *entries, size_t count, struct error *err)
{
    struct log_topic *topic = mem_calloc(1, sizeof(*topic));
    if (!topic)
        return error_memory(err, "a topic", sizeof(*topic));
    topic->refs = 1;
    topic->log = log;
    memcpy(topic->name, name.data, name.length);
    memcpy(topic->id, id, LOG_UUID_BYTES);
    enum status status = log_config_parse(entries, count, &topic->config, err);
    if (status == OK)
        status = copy_entries(entries, count, &topic->entries, err);
    if (status != OK) {
        log_topic_unref(topic);
        return status;
    }
    topic->entry_count = count;
    *out = topic;
    return OK;
}

/* New partitions (unopened) up to count. The caller holds the only reference, or log->lock. */
enum status topic_set_partition_capacity(struct log_topic *topic, uint32_t count, struct error *err)
{
    struct log_partition **grown =
        mem_realloc(topic->partitions, count * sizeof(*topic->partitions));
    if (!grown)
        return error_memory(err, "a topic's partitions", count * sizeof(*grown));
    topic->partitions = grown;
    while (topic->partition_count < count) {
        TRY(partition_new(&topic->partitions[topic->partition_count], topic, topic->partition_count,
                          err));
        topic->partition_count++;
    }
    return OK;
}

struct log_topic *log_topic_ref(struct log_topic *topic)
{
    atomic_fetch_add_explicit(&topic->refs, 1, memory_order_relaxed);
    return topic;
}

void log_topic_unref(struct log_topic *topic)
{
    if (!topic || atomic_fetch_sub_explicit(&topic->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (uint32_t i = 0; i < topic->partition_count; i++)
        log_partition_unref(topic->partitions[i]);
    mem_free(topic->partitions);
    free_entries(topic->entries, topic->entry_count);
    mem_free(topic);
}

/* ---- the table ---- */

/* log->lock held. The place of name; true when it is there. */
static bool find_place(const struct log *log, struct str name, size_t *out_index)
{
    size_t low = 0, high = log->topic_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = str_compare(str_of(log->topics[middle]->name), name);
        if (order == 0) {
            *out_index = middle;
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *out_index = low;
    return false;
}

enum status topic_insert(struct log *log, struct log_topic *topic, struct error *err)
{
    size_t place;
    enum status status = OK;

    mutex_lock(&log->lock);
    if (find_place(log, str_of(topic->name), &place)) {
        status = error_set(err, ERR_EXISTS, "topic '%s' exists already", topic->name);
        goto out;
    }
    if (log->topic_count == log->topic_capacity) {
        size_t wanted = log->topic_capacity ? log->topic_capacity * 2 : 16;
        struct log_topic **grown = mem_realloc(log->topics, wanted * sizeof(*grown));
        if (!grown) {
            status = error_memory(err, "the table of topics", wanted * sizeof(*grown));
            goto out;
        }
        log->topics = grown;
        log->topic_capacity = wanted;
    }
    memmove(log->topics + place + 1, log->topics + place,
            (log->topic_count - place) * sizeof(struct log_topic *));
    log->topics[place] = topic;
    log->topic_count++;
out:
    mutex_unlock(&log->lock);
    return status;
}

struct log_topic *log_topic_find(struct log *log, struct str name)
{
    struct log_topic *topic = NULL;
    size_t place;

    mutex_lock(&log->lock);
    if (find_place(log, name, &place))
        topic = log_topic_ref(log->topics[place]);
    mutex_unlock(&log->lock);
    return topic;
}

struct log_topic *log_topic_find_id(struct log *log, const uint8_t id[LOG_UUID_BYTES])
{
    struct log_topic *topic = NULL;

    mutex_lock(&log->lock);
    for (size_t i = 0; i < log->topic_count && !topic; i++)
        if (memcmp(log->topics[i]->id, id, LOG_UUID_BYTES) == 0)
            topic = log_topic_ref(log->topics[i]);
    mutex_unlock(&log->lock);
    return topic;
}

struct log_topic_info log_topic_info(const struct log_topic *topic)
{
    mutex_lock(&topic->log->lock);
    struct log_topic_info info = {topic->name, topic->id, topic->partition_count};
    mutex_unlock(&topic->log->lock);
    return info;
}

struct log_config log_topic_config(const struct log_topic *topic)
{
    mutex_lock(&topic->log->lock);
    struct log_config config = topic->config;
    mutex_unlock(&topic->log->lock);
    return config;
}

bool log_topic_config_text(const struct log_topic *topic, const char *key, char *dest,
                           size_t dest_bytes, bool *out_given)
{
    size_t def_count;
    const struct option_def *defs = log_config_defs(&def_count);
    const struct option_def *def = option_find(defs, def_count, str_of(key));

    if (!def)
        return false;
    *out_given = false;
    snprintf(dest, dest_bytes, "%s", def->default_value);
    mutex_lock(&topic->log->lock);
    for (size_t i = 0; i < topic->entry_count; i++)
        if (strcmp(topic->entries[i].key, key) == 0) {
            snprintf(dest, dest_bytes, "%s", topic->entries[i].value);
            *out_given = true;
        }
    mutex_unlock(&topic->log->lock);
    return true;
}

struct log_partition *log_topic_partition(const struct log_topic *topic, uint32_t partition_index)
{
    mutex_lock(&topic->log->lock);
    struct log_partition *partition =
        partition_index < topic->partition_count ? topic->partitions[partition_index] : NULL;
    mutex_unlock(&topic->log->lock);
    return partition;
}

enum status log_topic_list(struct log *log, log_topic_fn each, void *context, struct error *err)
{
    enum status status = OK;

    mutex_lock(&log->lock);
    size_t count = log->topic_count;
    struct log_topic **topics = mem_alloc(count * sizeof(struct log_topic *));
    for (size_t i = 0; topics && i < count; i++)
        topics[i] = log_topic_ref(log->topics[i]);
    mutex_unlock(&log->lock);
    if (!topics)
        return error_memory(err, "a list of topics", count * sizeof(struct log_topic *));
    for (size_t i = 0; i < count; i++) {
        if (status == OK)
            status = each(context, topics[i], err);
        log_topic_unref(topics[i]);
    }
    mem_free(topics);
    return status;
}

bool log_topic_nearest(struct log *log, struct str name, char *dest)
{
    const char *nearest = NULL;

    mutex_lock(&log->lock);
    const char **names = mem_alloc((log->topic_count + 1) * sizeof(char *));
    for (size_t i = 0; names && i < log->topic_count; i++)
        names[i] = log->topics[i]->name;
    if (names)
        nearest = str_nearest(name, names, log->topic_count);
    if (nearest)
        snprintf(dest, LOG_TOPIC_NAME_MAX + 1, "%s", nearest);
    mutex_unlock(&log->lock);
    mem_free(names);
    return nearest != NULL;
}

/* ---- changing ---- */

bool topic_name_valid(struct str name, struct error *err)
{
    bool valid = name.length > 0 && name.length <= LOG_TOPIC_NAME_MAX && !str_eq(name, STR(".")) &&
                 !str_eq(name, STR(".."));
    for (size_t i = 0; valid && i < name.length; i++) {
        char c = name.data[i];
        valid = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                c == '.' || c == '_' || c == '-';
    }
    if (!valid)
        error_set(err, ERR_NAME,
                  "'%.*s' is not a topic name: 1 to %d of the characters a-z, A-Z, 0-9, '.', '_' "
                  "and '-', and not '.' or '..'",
                  (int)(name.length < 300 ? name.length : 300), name.data, LOG_TOPIC_NAME_MAX);
    return valid;
}

enum status log_topic_check(struct log *log, struct str name, uint32_t partition_count,
                            const struct log_config_entry *configs, size_t config_count,
                            struct error *err)
{
    struct log_config config;

    if (!topic_name_valid(name, err))
        return ERR_NAME;
    if (partition_count < 1 || partition_count > LOG_PARTITION_MAX)
        return error_set(err, ERR_LIMIT, "a topic has 1 to %d partitions, not %u",
                         LOG_PARTITION_MAX, partition_count);
    if (config_count > CONFIG_COUNT_MAX)
        return error_set(err, ERR_LIMIT, "a topic has at most %d configs", CONFIG_COUNT_MAX);
    TRY(log_config_parse(configs, config_count, &config, err));
    struct log_topic *existing = log_topic_find(log, name);
    log_topic_unref(existing);
    return existing ? error_set(err, ERR_EXISTS, "topic '%.*s' exists already", (int)name.length,
                                name.data)
                    : OK;
}

enum status log_topic_create(struct log *log, struct str name, uint32_t partition_count,
                             const struct log_config_entry *configs, size_t config_count,
                             struct log_topic **out, struct error *err)
{
    struct log_topic *topic = NULL;
    uint8_t id[LOG_UUID_BYTES];
    enum status status;

    mutex_lock(&log->catalog_lock);
    status = log_topic_check(log, name, partition_count, configs, config_count, err);
    if (status != OK)
        goto out;
    log->io->ops->random(log->io, id, sizeof(id));
    id[6] = (uint8_t)((id[6] & 0x0f) | 0x40); /* a random UUID, version 4 */
    id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
    status = topic_new(&topic, log, name, id, configs, config_count, err);
    if (status == OK)
        status = topic_set_partition_capacity(topic, partition_count, err);
    for (uint32_t i = 0; i < partition_count && status == OK; i++)
        status = partition_create_files(topic->partitions[i], err);
    if (status == OK)
        status = log->io->ops->sync_directory(log->io, log->directory, err);
    if (status == OK)
        status = catalog_write(log, topic, NULL, err);
    if (status == OK)
        status = topic_insert(log, topic, err);
    if (status == OK && out)
        *out = log_topic_ref(topic);
    if (status != OK)
        log_topic_unref(topic);
out:
    mutex_unlock(&log->catalog_lock);
    return status;
}

static struct log_topic *find_or_error(struct log *log, struct str name, struct error *err)
{
    struct log_topic *topic = log_topic_find(log, name);
    if (!topic)
        error_set(err, ERR_NOT_FOUND, "there is no topic '%.*s'",
                  (int)(name.length < 300 ? name.length : 300), name.data);
    return topic;
}

enum status log_topic_delete(struct log *log, struct str name, struct error *err)
{
    enum status status = ERR_NOT_FOUND;
    size_t place;

    mutex_lock(&log->catalog_lock);
    struct log_topic *topic = find_or_error(log, name, err);
    if (!topic)
        goto out;
    status = catalog_write(log, NULL, topic, err);
    if (status != OK)
        goto out;
    mutex_lock(&log->lock);
    bool found = find_place(log, name, &place);
    must(found);
    memmove(log->topics + place, log->topics + place + 1,
            (log->topic_count - place - 1) * sizeof(struct log_topic *));
    log->topic_count--;
    mutex_unlock(&log->lock);
    log_topic_unref(topic); /* the table's */

    for (uint32_t i = 0; i < topic->partition_count; i++) {
        struct error local = {0};
        if (partition_delete(topic->partitions[i], &local) != OK)
            logger_write(LOG_WARN, "log",
                         "files of deleted partition %s stay until the next start: %s",
                         topic->partitions[i]->name, local.text);
    }
out:
    log_topic_unref(topic);
    mutex_unlock(&log->catalog_lock);
    return status;
}

enum status log_topic_grow(struct log *log, struct str name, uint32_t partition_count,
                           struct error *err)
{
    enum status status = ERR_NOT_FOUND;
    struct log_topic *wider = NULL;

    mutex_lock(&log->catalog_lock);
    struct log_topic *topic = find_or_error(log, name, err);
    if (!topic)
        goto out;
    if (partition_count <= topic->partition_count || partition_count > LOG_PARTITION_MAX) {
        status =
            error_set(err, ERR_LIMIT, "topic '%s' has %u partitions: it can grow to %d, not to %u",
                      topic->name, topic->partition_count, LOG_PARTITION_MAX, partition_count);
        goto out;
    }
    /* a wider copy: it makes the new partitions, and its arrays change place with the topic's */
    status = topic_new(&wider, log, name, topic->id, topic->entries, topic->entry_count, err);
    if (status == OK)
        status = topic_set_partition_capacity(wider, partition_count, err);
    for (uint32_t i = topic->partition_count; i < partition_count && status == OK; i++)
        status = partition_create_files(wider->partitions[i], err);
    if (status == OK)
        status = log->io->ops->sync_directory(log->io, log->directory, err);
    if (status == OK)
        status = catalog_write(log, wider, topic, err);
    if (status != OK)
        goto out;
    mutex_lock(&log->lock);
    struct log_partition **old = topic->partitions;
    for (uint32_t i = 0; i < topic->partition_count; i++) {
        struct log_partition *unused = wider->partitions[i];
        wider->partitions[i] = old[i];
        old[i] = unused;
    }
    topic->partitions = wider->partitions;
    wider->partitions = old;
    wider->partition_count = topic->partition_count;
    topic->partition_count = partition_count;
    uint32_t old_count = wider->partition_count;
    mutex_unlock(&log->lock);
    for (uint32_t i = 0; i < old_count; i++)
        partition_wake_all(topic->partitions[i]);
out:
    log_topic_unref(wider);
    log_topic_unref(topic);
    mutex_unlock(&log->catalog_lock);
    return status;
}

/* The topic's entries with the changes laid over them, in the arena. */
static enum status merge_entries(const struct log_topic *topic,
                                 const struct log_config_entry *configs, size_t config_count,
                                 struct arena *arena, struct log_config_entry **out,
                                 size_t *out_count, struct error *err)
{
    struct log_config_entry *merged =
        ARENA_ARRAY(arena, topic->entry_count + config_count + 1, struct log_config_entry);
    size_t count = 0;

    TRY(arena_check(arena, "a topic's configs", err));
    for (size_t i = 0; i < topic->entry_count; i++) {
        bool changed = false;
        for (size_t k = 0; k < config_count && !changed; k++)
            changed = strcmp(configs[k].key, topic->entries[i].key) == 0;
        if (!changed)
            merged[count++] = topic->entries[i];
    }
    for (size_t k = 0; k < config_count; k++)
        if (configs[k].value)
            merged[count++] = configs[k];
    *out = merged;
    *out_count = count;
    return OK;
}

enum status log_topic_configure(struct log *log, struct str name,
                                const struct log_config_entry *configs, size_t config_count,
                                bool validate_only, struct error *err)
{
    struct log_topic *changed = NULL;
    struct log_config_entry *merged = NULL;
    struct arena arena;
    size_t count = 0;
    enum status status = ERR_NOT_FOUND;

    arena_init(&arena, NULL, 1 << 20);
    mutex_lock(&log->catalog_lock);
    struct log_topic *topic = find_or_error(log, name, err);
    if (!topic)
        goto out;
    if (config_count > CONFIG_COUNT_MAX) {
        status = error_set(err, ERR_LIMIT, "a topic has at most %d configs", CONFIG_COUNT_MAX);
        goto out;
    }
    status = merge_entries(topic, configs, config_count, &arena, &merged, &count, err);
    if (status == OK)
        status = topic_new(&changed, log, name, topic->id, merged, count, err);
    if (status != OK || validate_only)
        goto out;
    changed->partition_count = topic->partition_count; /* for the catalog alone */
    status = catalog_write(log, changed, topic, err);
    changed->partition_count = 0;
    if (status != OK)
        goto out;
    mutex_lock(&log->lock);
    struct log_config_entry *old = topic->entries;
    size_t old_count = topic->entry_count;
    topic->entries = changed->entries;
    topic->entry_count = changed->entry_count;
    topic->config = changed->config;
    changed->entries = old;
    changed->entry_count = old_count;
    for (uint32_t i = 0; i < topic->partition_count; i++) {
        mutex_lock(&topic->partitions[i]->lock);
        topic->partitions[i]->config = topic->config;
        mutex_unlock(&topic->partitions[i]->lock);
    }
    mutex_unlock(&log->lock);
out:
    log_topic_unref(changed);
    log_topic_unref(topic);
    mutex_unlock(&log->catalog_lock);
    arena_fini(&arena);
    return status;
}
