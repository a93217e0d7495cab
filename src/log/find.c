/* find.c - offsets by time, exact to the record.
 *
 * The time index gives the place to start, headers the batch, the records inside the offset. Only
 * what lies below the high watermark and not below the log start counts.
 */
#include "log/log_int.h"

#include "base/must.h"

#define PLAIN_BYTES_MAX (256u << 20) /* of one batch, decompressed */

struct search {
    struct log_partition *partition;
    int64_t log_start, high_watermark;
    struct segment **segments; /* referenced */
    uint64_t *visible_bytes;
    uint32_t count;
    int64_t found_offset, found_ms;
};

static enum status search_open(struct search *search, struct log_partition *partition,
                               struct error *err)
{
    enum status status = OK;

    *search = (struct search){.partition = partition, .found_offset = -1, .found_ms = -1};
    mutex_lock(&partition->lock);
    search->log_start = partition->log_start;
    search->high_watermark = partition->high_watermark;
    uint32_t count = partition->segment_count;
    search->segments = mem_calloc(count + 1, sizeof(*search->segments));
    search->visible_bytes = mem_calloc(count + 1, sizeof(*search->visible_bytes));
    if (!search->segments || !search->visible_bytes) {
        status = error_memory(err, "a search by time", count * sizeof(*search->segments));
        goto out;
    }
    for (; search->count < count; search->count++) {
        search->segments[search->count] = segment_ref(partition->segments[search->count]);
        search->visible_bytes[search->count] = partition->segments[search->count]->visible_bytes;
    }
out:
    mutex_unlock(&partition->lock);
    return status;
}

static void search_close(struct search *search)
{
    for (uint32_t i = 0; i < search->count; i++)
        segment_unref(search->segments[i]);
    mem_free(search->segments);
    mem_free(search->visible_bytes);
}

/* Look at one record; false: the search is over. */
typedef bool (*record_fn)(struct search *search, int64_t offset, int64_t timestamp_ms,
                          int64_t wanted_ms);

static bool take_first_at(struct search *search, int64_t offset, int64_t timestamp_ms,
                          int64_t wanted_ms)
{
    if (timestamp_ms < wanted_ms)
        return true;
    search->found_offset = offset;
    search->found_ms = timestamp_ms;
    return false;
}

static bool take_largest(struct search *search, int64_t offset, int64_t timestamp_ms,
                         int64_t wanted_ms)
{
    if (timestamp_ms > search->found_ms) {
        search->found_offset = offset;
        search->found_ms = timestamp_ms;
    }
    return true;
}

static enum status read_batch(struct segment *segment, uint64_t position, uint32_t size_bytes,
                              struct buf *out, struct error *err)
{
    struct io_file *file;
    size_t got = 0;
    uint8_t *dest = buf_room(out, size_bytes);

    if (!dest)
        return buf_check(out, "a batch of the log", err);
    TRY(segment_file_use(segment, false, &file, err));
    enum status status =
        segment->io->ops->pread(segment->io, file, dest, size_bytes, position, &got, err);
    segment_file_done(segment);
    out->length = got;
    if (status == OK && got < size_bytes)
        status = error_set(err, ERR_CORRUPT, "%s.log is shorter than it was", segment->path);
    return status;
}

/* Every record of a batch through fn. *out_over: fn ended the search. */
static enum status search_batch(struct search *search, struct segment *segment, uint64_t position,
                                uint32_t size_bytes, record_fn fn, int64_t wanted_ms,
                                bool *out_over, struct error *err)
{
    struct buf bytes, plain;
    struct record_batch batch;
    struct record_cursor cursor;
    struct record records[64];
    uint32_t count = 1;

    buf_init(&bytes, RECORD_BATCH_MAX_BYTES);
    buf_init(&plain, PLAIN_BYTES_MAX);
    enum status status = read_batch(segment, position, size_bytes, &bytes, err);
    if (status == OK)
        status = record_batch_parse(&batch, bytes.data, bytes.length, err);
    if (status == OK)
        status = record_batch_check(&batch, err);
    if (status == OK)
        status = record_cursor_open(&cursor, &batch, &plain, PLAIN_BYTES_MAX, err);
    while (status == OK && count > 0 && !*out_over) {
        status = record_cursor_read(&cursor, records, COUNT_OF(records), &count, err);
        for (uint32_t i = 0; i < count && !*out_over; i++) {
            int64_t offset = batch.base_offset + records[i].offset_delta;
            if (offset >= search->log_start && offset < search->high_watermark)
                *out_over = !fn(search, offset,
                                record_timestamp_ms(&batch, records[i].timestamp_delta), wanted_ms);
        }
    }
    buf_fini(&bytes);
    buf_fini(&plain);
    return status;
}

static enum status seek_time(struct search *search, struct segment *segment, int64_t wanted_ms,
                             uint64_t *out_position, struct error *err)
{
    struct log_partition *partition = search->partition;
    enum status status = OK;

    mutex_lock(&partition->lock);
    bool in_memory = segment->index_in_memory;
    if (in_memory)
        status = segment_seek_time(segment, wanted_ms, out_position, err);
    mutex_unlock(&partition->lock);
    return in_memory ? status : segment_seek_time(segment, wanted_ms, out_position, err);
}

/* Batches of segment i that may hold a record at or after wanted_ms (and above what was found). */
static enum status search_file(struct search *search, uint32_t i, record_fn fn, int64_t wanted_ms,
                               bool *out_over, struct error *err)
{
    struct segment *segment = search->segments[i];
    struct segment_walk walk = {0};
    struct record_batch batch;
    uint64_t position = 0, at;

    TRY(seek_time(search, segment, wanted_ms, &position, err));
    if (position >= search->visible_bytes[i])
        return OK;
    TRY(segment_walk_open(&walk, segment, position, search->visible_bytes[i], false, err));
    enum status status = OK;
    while (status == OK && !*out_over) {
        status = segment_walk_next(&walk, &batch, &at, err);
        if (status != OK)
            break;
        if (batch.attributes & RECORD_CONTROL || batch.max_timestamp_ms < wanted_ms ||
            batch.max_timestamp_ms <= search->found_ms ||
            record_batch_last_offset(&batch) < search->log_start)
            continue;
        status = search_batch(search, segment, at, batch.size_bytes, fn, wanted_ms, out_over, err);
    }
    segment_walk_close(&walk);
    return status == ERR_END ? OK : status;
}

/* The same; what retention takes meanwhile has no records any more. */
static enum status search_segment(struct search *search, uint32_t i, record_fn fn,
                                  int64_t wanted_ms, bool *out_over, struct error *err)
{
    struct log_partition *partition = search->partition;
    enum status status = search_file(search, i, fn, wanted_ms, out_over, err);
    if (status == OK)
        return OK;
    mutex_lock(&partition->lock);
    bool gone = search->segments[i]->next_offset <= partition->log_start;
    mutex_unlock(&partition->lock);
    if (!gone)
        return status;
    if (err)
        error_clear(err);
    return OK;
}

enum status log_find_time(struct log_partition *partition, int64_t timestamp_ms,
                          int64_t *out_offset, int64_t *out_timestamp_ms, struct error *err)
{
    struct search search;
    bool over = false;

    enum status status = search_open(&search, partition, err);
    for (uint32_t i = 0; i < search.count && status == OK && !over; i++) {
        mutex_lock(&partition->lock);
        bool may = search.segments[i]->max_timestamp_ms >= timestamp_ms;
        mutex_unlock(&partition->lock);
        if (may)
            status = search_segment(&search, i, take_first_at, timestamp_ms, &over, err);
    }
    search_close(&search);
    *out_offset = search.found_offset;
    *out_timestamp_ms = search.found_ms;
    return status;
}

enum status log_find_latest_time(struct log_partition *partition, int64_t *out_offset,
                                 int64_t *out_timestamp_ms, struct error *err)
{
    struct search search;
    bool over = false;

    enum status status = search_open(&search, partition, err);
    for (uint32_t i = 0; i < search.count && status == OK; i++) {
        mutex_lock(&partition->lock);
        bool whole = search.segments[i]->visible_bytes == search.segments[i]->size_bytes;
        int64_t max_ms = search.segments[i]->max_timestamp_ms;
        mutex_unlock(&partition->lock);
        /* the index leads to the maximum of a segment that is shown whole */
        if (max_ms > search.found_ms)
            status = search_segment(&search, i, take_largest, whole ? max_ms : 0, &over, err);
    }
    search_close(&search);
    *out_offset = search.found_offset;
    *out_timestamp_ms = search.found_ms;
    return status;
}
