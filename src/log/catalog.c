/* catalog.c - the file leat-log.catalog: which topics there are, their ids and configs, and the two
 * numbers that must never go back (leader epoch, next id).
 *
 * It is small and always written whole (io_publish), so a crash leaves the old or the new one.
 * On disk, little-endian, version 1:
 *   "LEATLOG1" | u32 payload bytes | u32 CRC-32C of the payload | payload
 *   payload: cluster id (16) | i32 leader epoch | i64 next id | u32 topics, each:
 *     u16 name bytes, name | id (16) | u32 partitions | u16 configs, each: u16 key bytes, key,
 *     u16 value bytes, value
 * Everything read is checked; a damaged catalog is ERR_CORRUPT, for without it nothing can be
 * trusted to be there.
 */
#include "log/log_int.h"

#include <stdio.h>

#include "base/crc32c.h"

#define CATALOG_MAGIC        "LEATLOG1"
#define CATALOG_HEADER_BYTES 16
#define CATALOG_MAX_BYTES    (256u << 20)
#define TOPIC_MAX            1000000

static void put_int(struct buf *out, uint64_t value, size_t size_bytes)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < size_bytes; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    buf_append(out, bytes, size_bytes);
}

static void put_text(struct buf *out, const char *text)
{
    size_t length = strlen(text);
    put_int(out, length, 2);
    buf_append(out, text, length);
}

static void put_topic(struct buf *out, const struct log_topic *topic)
{
    put_text(out, topic->name);
    buf_append(out, topic->id, LOG_UUID_BYTES);
    put_int(out, topic->partition_count, 4);
    put_int(out, topic->entry_count, 2);
    for (size_t i = 0; i < topic->entry_count; i++) {
        put_text(out, topic->entries[i].key);
        put_text(out, topic->entries[i].value);
    }
}

enum status catalog_write(struct log *log, const struct log_topic *added,
                          const struct log_topic *left_out, struct error *err)
{
    struct buf payload, file;
    char path[LOG_PATH_MAX];
    uint32_t count = added ? 1 : 0;

    buf_init(&payload, CATALOG_MAX_BYTES);
    buf_init(&file, CATALOG_MAX_BYTES + CATALOG_HEADER_BYTES);
    buf_append(&payload, log->cluster_id, LOG_UUID_BYTES);
    put_int(&payload, (uint32_t)log->leader_epoch, 4);
    put_int(&payload, (uint64_t)log->next_id, 8);
    mutex_lock(&log->lock);
    for (size_t i = 0; i < log->topic_count; i++)
        count += log->topics[i] != left_out;
    put_int(&payload, count, 4);
    for (size_t i = 0; i < log->topic_count; i++)
        if (log->topics[i] != left_out)
            put_topic(&payload, log->topics[i]);
    mutex_unlock(&log->lock);
    if (added)
        put_topic(&payload, added);

    buf_append(&file, CATALOG_MAGIC, 8);
    put_int(&file, payload.length, 4);
    put_int(&file, crc32c(0, payload.data, payload.length), 4);
    buf_append(&file, payload.data, payload.length);
    enum status status = buf_check(&payload, "the log's catalog", err);
    if (status == OK)
        status = buf_check(&file, "the log's catalog", err);
    if (status == OK) {
        snprintf(path, sizeof(path), "%s/leat-log.catalog", log->directory);
        status = io_publish(log->io, path, file.data, file.length, err);
    }
    buf_fini(&payload);
    buf_fini(&file);
    return status;
}

/* ---- reading ---- */

struct reader {
    const uint8_t *next, *end;
    bool failed;
};

static const uint8_t *take(struct reader *reader, size_t size_bytes)
{
    if (reader->failed || (size_t)(reader->end - reader->next) < size_bytes) {
        reader->failed = true;
        return NULL;
    }
    const uint8_t *bytes = reader->next;
    reader->next += size_bytes;
    return bytes;
}

static uint64_t take_int(struct reader *reader, size_t size_bytes)
{
    const uint8_t *bytes = take(reader, size_bytes);
    uint64_t value = 0;
    for (size_t i = 0; bytes && i < size_bytes; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

static char *take_text(struct reader *reader, struct arena *arena)
{
    size_t length = take_int(reader, 2);
    const uint8_t *bytes = take(reader, length);
    return bytes ? arena_strndup(arena, (const char *)bytes, length) : NULL;
}

static enum status read_topic(struct log *log, struct reader *reader, struct arena *arena,
                              struct error *err)
{
    struct log_topic *topic = NULL;
    const char *name = take_text(reader, arena);
    const uint8_t *id = take(reader, LOG_UUID_BYTES);
    uint32_t partition_count = (uint32_t)take_int(reader, 4);
    size_t entry_count = take_int(reader, 2);
    struct log_config_entry *entries = ARENA_ARRAY(arena, entry_count + 1, struct log_config_entry);

    for (size_t i = 0; entries && i < entry_count && !reader->failed; i++) {
        entries[i].key = take_text(reader, arena);
        entries[i].value = take_text(reader, arena);
        if (!entries[i].key || !entries[i].value)
            break;
    }
    TRY(arena_check(arena, "the log's catalog", err));
    if (reader->failed || partition_count < 1 || partition_count > LOG_PARTITION_MAX ||
        !topic_name_valid(str_of(name), NULL))
        return error_set(err, ERR_CORRUPT, "the log's catalog is damaged");
    TRY(topic_new(&topic, log, str_of(name), id, entries, entry_count, err));
    enum status status = topic_set_partition_capacity(topic, partition_count, err);
    if (status == OK)
        status = topic_insert(log, topic, err);
    if (status != OK)
        log_topic_unref(topic);
    return status;
}

enum status catalog_decode(struct log *log, const uint8_t *bytes, size_t size_bytes,
                           struct error *err)
{
    struct reader reader = {bytes, bytes + size_bytes, false};
    struct arena arena;
    const uint8_t *magic = take(&reader, 8);
    uint64_t payload_bytes = take_int(&reader, 4), crc = take_int(&reader, 4);

    if (reader.failed || memcmp(magic, CATALOG_MAGIC, 8) != 0 ||
        payload_bytes != (uint64_t)(reader.end - reader.next) ||
        crc32c(0, reader.next, payload_bytes) != crc)
        return error_set(err, ERR_CORRUPT, "the log's catalog is damaged or of another version");
    const uint8_t *cluster_id = take(&reader, LOG_UUID_BYTES);
    log->leader_epoch = (int32_t)take_int(&reader, 4);
    log->next_id = (int64_t)take_int(&reader, 8);
    uint32_t topic_count = (uint32_t)take_int(&reader, 4);
    if (reader.failed || topic_count > TOPIC_MAX || log->leader_epoch < 0 || log->next_id < 0)
        return error_set(err, ERR_CORRUPT, "the log's catalog is damaged");
    memcpy(log->cluster_id, cluster_id, LOG_UUID_BYTES);

    enum status status = OK;
    arena_init(&arena, NULL, CATALOG_MAX_BYTES);
    for (uint32_t i = 0; i < topic_count && status == OK; i++) {
        status = read_topic(log, &reader, &arena, err);
        arena_reset(&arena);
    }
    arena_fini(&arena);
    if (status == OK && reader.next != reader.end)
        status = error_set(err, ERR_CORRUPT, "the log's catalog has bytes left over");
    return status;
}

enum status catalog_read(struct log *log, struct error *err)
{
    char path[LOG_PATH_MAX];
    struct buf bytes;

    buf_init(&bytes, CATALOG_MAX_BYTES + CATALOG_HEADER_BYTES);
    snprintf(path, sizeof(path), "%s/leat-log.catalog", log->directory);
    enum status status = io_read_file(log->io, path, &bytes, err);
    if (status == OK) {
        status = catalog_decode(log, bytes.data, bytes.length, err);
        if (status != OK)
            error_prefix(err, "%s", path);
    }
    buf_fini(&bytes);
    return status;
}
