/* checkpoint.c - the small text files in a partition's directory.
 *
 *   leat-checkpoint          "leat-checkpoint 1\nlog-start N\nrecovery-point N\n"
 *   leader-epoch-checkpoint  "0\nCOUNT\nEPOCH START\n..."               as Kafka writes it
 *   partition.metadata       "version: 0\ntopic_id: BASE64\n"           as Kafka writes it
 *
 * The first two are published whole. A damaged one is reported and then treated as missing: the log
 * start falls back to the first segment, recovery begins at the front, epochs are found again in
 * the batches.
 */
#include "log/log_int.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/base64.h"

#define TEXT_FILE_MAX (1u << 20)

static void path_of(const struct log_partition *partition, const char *name, char *dest)
{
    snprintf(dest, LOG_PATH_MAX, "%s/%s", partition->directory, name);
}

/* OK with *out empty when the file is missing. */
static enum status read_text(struct log_partition *partition, const char *name, struct buf *out,
                             struct error *err)
{
    char path[LOG_PATH_MAX];
    struct error local = {0};

    path_of(partition, name, path);
    enum status status = io_read_file(partition->log->io, path, out, &local);
    if (status == ERR_NOT_FOUND || status == ERR_LIMIT) {
        buf_clear(out);
        return OK;
    }
    return status == OK ? OK : error_set(err, status, "%s", local.text);
}

/* The next line without its newline; false at the end, or when the last line has no newline. */
static bool take_line(struct str *text, struct str *out)
{
    const char *newline = text->length ? memchr(text->data, '\n', text->length) : NULL;
    if (!newline)
        return false;
    size_t length = (size_t)(newline - text->data);
    *out = (struct str){text->data, length};
    *text = (struct str){newline + 1, text->length - length - 1};
    return true;
}

static bool take_number(struct str *text, struct str name, int64_t *out)
{
    struct str line;
    if (!take_line(text, &line) || !str_starts(line, name))
        return false;
    line = (struct str){line.data + name.length, line.length - name.length};
    return str_to_i64(line, out, NULL) && *out >= 0;
}

enum status checkpoint_write(struct log_partition *partition, int64_t log_start,
                             int64_t recovery_point, struct error *err)
{
    char path[LOG_PATH_MAX], text[128];

    path_of(partition, "leat-checkpoint", path);
    int length = snprintf(text, sizeof(text),
                          "leat-checkpoint 1\nlog-start %" PRId64 "\nrecovery-point %" PRId64 "\n",
                          log_start, recovery_point);
    TRY(io_publish(partition->log->io, path, text, (size_t)length, err));
    mutex_lock(&partition->lock);
    partition->recovery_point = recovery_point;
    mutex_unlock(&partition->lock);
    return OK;
}

enum status checkpoint_read(struct log_partition *partition, int64_t *out_log_start,
                            int64_t *out_recovery_point, struct error *err)
{
    struct buf bytes;
    struct str line;
    int64_t log_start = 0, recovery_point = 0;

    *out_log_start = *out_recovery_point = 0;
    buf_init(&bytes, TEXT_FILE_MAX);
    enum status status = read_text(partition, "leat-checkpoint", &bytes, err);
    struct str text = {(const char *)bytes.data, bytes.length};
    if (status == OK && text.length) {
        if (take_line(&text, &line) && str_eq(line, STR("leat-checkpoint 1")) &&
            take_number(&text, STR("log-start "), &log_start) &&
            take_number(&text, STR("recovery-point "), &recovery_point) && text.length == 0) {
            *out_log_start = log_start;
            *out_recovery_point = recovery_point;
        } else {
            logger_write(LOG_WARN, "log", "partition %s: leat-checkpoint is damaged: ignored",
                         partition->name);
            *out_log_start = -1;
        }
    }
    buf_fini(&bytes);
    return status;
}

enum status epochs_write(struct log_partition *partition, struct error *err)
{
    char path[LOG_PATH_MAX];
    struct buf text;

    buf_init(&text, TEXT_FILE_MAX);
    mutex_lock(&partition->lock);
    buf_printf(&text, "0\n%u\n", partition->epoch_count);
    for (uint32_t i = 0; i < partition->epoch_count; i++)
        buf_printf(&text, "%" PRId32 " %" PRId64 "\n", partition->epochs[i].epoch,
                   partition->epochs[i].start_offset);
    partition->epochs_dirty = false;
    mutex_unlock(&partition->lock);
    enum status status = buf_check(&text, "leader epochs", err);
    if (status == OK) {
        path_of(partition, "leader-epoch-checkpoint", path);
        status = io_publish(partition->log->io, path, text.data, text.length, err);
    }
    if (status != OK) {
        mutex_lock(&partition->lock);
        partition->epochs_dirty = true;
        mutex_unlock(&partition->lock);
    }
    buf_fini(&text);
    return status;
}

static bool parse_epochs(struct log_partition *partition, struct str text, enum status *status,
                         struct error *err)
{
    struct str line;
    int64_t version, count, epoch, start, last_epoch = -1, last_start = -1;

    if (!take_number(&text, STR(""), &version) || version != 0 ||
        !take_number(&text, STR(""), &count))
        return false;
    for (int64_t i = 0; i < count; i++) {
        if (!take_line(&text, &line))
            return false;
        const char *blank = memchr(line.data, ' ', line.length);
        if (!blank)
            return false;
        size_t length = (size_t)(blank - line.data);
        if (!str_to_i64((struct str){line.data, length}, &epoch, NULL) ||
            !str_to_i64((struct str){blank + 1, line.length - length - 1}, &start, NULL) ||
            epoch <= last_epoch || epoch > INT32_MAX || start < last_start)
            return false;
        *status = partition_note_epoch(partition, (int32_t)epoch, start, err);
        if (*status != OK)
            return true;
        last_epoch = epoch;
        last_start = start;
    }
    return text.length == 0;
}

enum status epochs_read(struct log_partition *partition, struct error *err)
{
    struct buf bytes;

    buf_init(&bytes, TEXT_FILE_MAX);
    enum status status = read_text(partition, "leader-epoch-checkpoint", &bytes, err);
    partition->epoch_count = 0;
    if (status == OK && bytes.length &&
        !parse_epochs(partition, (struct str){(const char *)bytes.data, bytes.length}, &status,
                      err)) {
        logger_write(LOG_WARN, "log", "partition %s: leader-epoch-checkpoint is damaged: ignored",
                     partition->name);
        partition->epoch_count = 0;
    }
    partition->epochs_dirty = false;
    buf_fini(&bytes);
    return status;
}

/* ---- partition.metadata ---- */

static int metadata_text(const struct log_partition *partition, char *dest, size_t dest_bytes)
{
    char id[24];
    id[base64_encode_url(id, partition->topic_id, LOG_UUID_BYTES)] = '\0';
    return snprintf(dest, dest_bytes, "version: 0\ntopic_id: %s\n", id);
}

enum status partition_metadata_write(struct log_partition *partition, struct error *err)
{
    char path[LOG_PATH_MAX], text[64];
    int length = metadata_text(partition, text, sizeof(text));
    path_of(partition, "partition.metadata", path);
    return io_publish(partition->log->io, path, text, (size_t)length, err);
}

enum status partition_metadata_matches(struct log_partition *partition, bool *out_present,
                                       bool *out_matches, struct error *err)
{
    struct buf bytes;
    char text[64];
    int length = metadata_text(partition, text, sizeof(text));

    buf_init(&bytes, TEXT_FILE_MAX);
    enum status status = read_text(partition, "partition.metadata", &bytes, err);
    *out_present = bytes.length > 0;
    /* Kafka ends the file without a newline */
    *out_matches =
        bytes.length >= (size_t)length - 1 && memcmp(bytes.data, text, (size_t)length - 1) == 0;
    buf_fini(&bytes);
    return status;
}
