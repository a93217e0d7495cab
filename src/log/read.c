/* read.c - readers: whole batches below the high watermark, in blocks that come back for reuse.
 *
 *   log_read: place (lock, index) -> pread into a block -> walk the headers -> complete the batch
 * in which the read ended -> struct buffer over the whole batches
 *
 * It never looks inside a batch. A block's memory returns to its reader's pool with the last
 * reference to the buffer, from any thread; the pool outlives the reader while blocks are out. So a
 * steady reader touches the same pages again and again (no page faults, warm cache) and calls the
 * allocator only for the small struct buffer.
 * Owner thread: the reader's; pools are locked.
 */
#include "log/log_int.h"

#include <inttypes.h>

#include "base/must.h"

#define BLOCK_BYTES_MIN 4096
#define FREE_BLOCKS_MAX 4

/* ---- blocks ---- */

struct block {
    struct block_pool *pool;
    struct block *next;
    size_t capacity;
    uint8_t *data; /* behind this header; capacity + BUFFER_PADDING bytes */
};

struct block_pool {
    struct mutex lock;
    struct mem_owner *owner;
    struct block *free_blocks; /* last used first */
    uint32_t free_count;
    uint32_t out_count;
    bool closed; /* the reader is gone: free what comes back */
};

static size_t block_total(size_t capacity)
{
    return 64 + capacity + BUFFER_PADDING;
}

static void block_free(struct block *block)
{
    mem_release(block->pool->owner, block_total(block->capacity));
    mem_free(block);
}

static enum status block_take(struct block_pool *pool, size_t size_bytes, struct block **out,
                              struct error *err)
{
    struct block *block = NULL;
    size_t capacity = BLOCK_BYTES_MIN;

    mutex_lock(&pool->lock);
    for (struct block **link = &pool->free_blocks; *link; link = &(*link)->next)
        if ((*link)->capacity >= size_bytes) {
            block = *link;
            *link = block->next;
            pool->free_count--;
            break;
        }
    pool->out_count += block != NULL;
    mutex_unlock(&pool->lock);
    if (block) {
        *out = block;
        return OK;
    }
    while (capacity < size_bytes)
        capacity *= 2;
    TRY(mem_reserve(pool->owner, block_total(capacity), err));
    block = mem_aligned(64, block_total(capacity));
    if (!block) {
        mem_release(pool->owner, block_total(capacity));
        return error_memory(err, "a block of the log", block_total(capacity));
    }
    *block = (struct block){.pool = pool, .capacity = capacity, .data = (uint8_t *)block + 64};
    memset(block->data + capacity, 0, BUFFER_PADDING);
    mutex_lock(&pool->lock);
    pool->out_count++;
    mutex_unlock(&pool->lock);
    *out = block;
    return OK;
}

static void pool_free(struct block_pool *pool)
{
    mutex_fini(&pool->lock);
    mem_free(pool);
}

static void block_give(struct block *block)
{
    struct block_pool *pool = block->pool;
    struct block *extra = NULL;

    mutex_lock(&pool->lock);
    if (pool->closed) {
        extra = block;
    } else {
        block->next = pool->free_blocks;
        pool->free_blocks = block;
        if (++pool->free_count > FREE_BLOCKS_MAX) { /* the one that was not used for longest */
            struct block **link = &pool->free_blocks;
            while ((*link)->next)
                link = &(*link)->next;
            extra = *link;
            *link = NULL;
            pool->free_count--;
        }
    }
    bool last = --pool->out_count == 0 && pool->closed;
    mutex_unlock(&pool->lock);
    if (extra)
        block_free(extra);
    if (last)
        pool_free(pool);
}

static void block_release(struct buffer *buffer, void *context)
{
    block_give(context);
}

/* Make *block (NULL: none yet) large enough, keeping its first used_bytes. */
static enum status block_grow(struct block_pool *pool, struct block **block, size_t used_bytes,
                              size_t size_bytes, struct error *err)
{
    struct block *larger = NULL;
    if (*block && (*block)->capacity >= size_bytes)
        return OK;
    TRY(block_take(pool, size_bytes, &larger, err));
    if (*block) {
        memcpy(larger->data, (*block)->data, used_bytes);
        block_give(*block);
    }
    *block = larger;
    return OK;
}

/* ---- readers ---- */

struct log_reader {
    struct log_partition *partition;
    struct block_pool *pool;
    struct segment *segment; /* where it stands; its file is in use. NULL: nowhere yet */
    struct io_file *file;
    int64_t next_offset;
    uint64_t position; /* of the batch that has next_offset, or of one before it */
};

enum status log_reader_open(struct log_reader **out, struct log_partition *partition,
                            struct error *err)
{
    struct log_reader *reader = mem_calloc(1, sizeof(*reader));
    struct block_pool *pool = reader ? mem_calloc(1, sizeof(*pool)) : NULL;

    if (!pool) {
        mem_free(reader);
        return error_memory(err, "a log reader", sizeof(*reader));
    }
    mutex_init(&pool->lock);
    pool->owner = partition->log->owner;
    reader->partition = log_partition_ref(partition);
    reader->pool = pool;
    *out = reader;
    return OK;
}

static void leave_segment(struct log_reader *reader)
{
    if (!reader->segment)
        return;
    segment_file_done(reader->segment);
    segment_unref(reader->segment);
    reader->segment = NULL;
    reader->file = NULL;
}

void log_reader_close(struct log_reader *reader)
{
    if (!reader)
        return;
    struct block_pool *pool = reader->pool;
    leave_segment(reader);
    log_partition_unref(reader->partition);
    mem_free(reader);

    mutex_lock(&pool->lock);
    struct block *blocks = pool->free_blocks;
    pool->free_blocks = NULL;
    pool->closed = true;
    bool last = pool->out_count == 0;
    mutex_unlock(&pool->lock);
    while (blocks) {
        struct block *next = blocks->next;
        block_free(blocks);
        blocks = next;
    }
    if (last)
        pool_free(pool);
}

/* What a read may touch, taken under the lock. */
struct view {
    struct segment *segment; /* referenced; NULL: nothing to read */
    uint64_t visible_bytes;
};

static enum status range_error(struct log_partition *partition, const struct log_read *read,
                               struct error *err)
{
    return error_set(err, ERR_RANGE,
                     "partition %s: offset %" PRId64 " is not between its log start %" PRId64
                     " and its end %" PRId64,
                     partition->name, read->offset, read->log_start, partition->end);
}

/* The segment to read offset from. Lock free on return; *view holds a reference. */
static enum status look(struct log_reader *reader, struct log_read *read, struct view *view,
                        struct error *err)
{
    struct log_partition *partition = reader->partition;
    enum status status = OK;

    *view = (struct view){0};
    mutex_lock(&partition->lock);
    read->high_watermark = partition->high_watermark;
    read->log_start = partition->log_start;
    int64_t limit = partition->high_watermark < read->limit_offset ? partition->high_watermark
                                                                   : read->limit_offset;
    if (partition->deleted) {
        status = error_set(err, ERR_NOT_FOUND, "partition %s is deleted", partition->name);
    } else if (read->offset < partition->log_start || read->offset > partition->end) {
        status = range_error(partition, read, err);
    } else if (read->offset < limit) {
        struct segment *segment = reader->segment;
        bool stay = segment && read->offset == reader->next_offset &&
                    reader->position < segment->visible_bytes;
        if (!stay) {
            /* read to the end of its segment without meeting the offset: it is in a later one */
            bool gap = segment && read->offset == reader->next_offset &&
                       segment->next_offset > read->offset;
            segment = partition_segment_at(partition, gap ? segment->next_offset : read->offset);
        }
        if (segment) {
            view->segment = segment_ref(segment);
            view->visible_bytes = segment->visible_bytes;
        }
    }
    mutex_unlock(&partition->lock);
    return status;
}

/* Stand in view's segment at read->offset. */
static enum status place(struct log_reader *reader, const struct log_read *read,
                         const struct view *view, struct error *err)
{
    struct log_partition *partition = reader->partition;
    struct segment *segment = view->segment;
    enum status status = OK;

    if (reader->segment == segment && reader->next_offset == read->offset)
        return OK;
    if (reader->segment != segment) {
        leave_segment(reader);
        TRY(segment_file_use(segment, false, &reader->file, err));
        reader->segment = segment_ref(segment);
    }
    mutex_lock(&partition->lock);
    bool in_memory = segment->index_in_memory;
    if (in_memory)
        status = segment_seek_offset(segment, read->offset, &reader->position, err);
    mutex_unlock(&partition->lock);
    if (!in_memory)
        status = segment_seek_offset(segment, read->offset, &reader->position, err);
    reader->next_offset = read->offset;
    if (status != OK)
        leave_segment(reader);
    return status;
}

struct walk {
    struct block *block;
    size_t used_bytes; /* read into the block */
    size_t first;      /* of the batches wanted */
    size_t end;        /* after the last whole one */
    int64_t next_offset;
    bool limited;        /* the batch at end is not to be had: offset or bytes */
    size_t wanted_bytes; /* to have the batch at end whole; 0: its header is cut off */
};

/* On over the whole batches that lie in the block. */
static enum status walk_headers(struct log_reader *reader, const struct log_read *read,
                                struct walk *walk, struct error *err)
{
    struct record_batch batch;
    struct error local = {0};
    int64_t limit =
        read->limit_offset < read->high_watermark ? read->limit_offset : read->high_watermark;

    walk->wanted_bytes = 0;
    while (walk->used_bytes - walk->end >= RECORD_BATCH_HEADER_BYTES) {
        const uint8_t *bytes = walk->block->data + walk->end;
        if (record_batch_header(&batch, bytes, walk->used_bytes - walk->end, &local) != OK ||
            batch.base_offset < walk->next_offset ||
            (batch.base_offset < limit && /* the high watermark is a border of batches */
             record_batch_last_offset(&batch) >= read->high_watermark))
            return error_set(err, ERR_CORRUPT,
                             "%s.log is damaged at byte %" PRIu64 " (offset %" PRId64 "): %s",
                             reader->segment->path, reader->position + walk->end, walk->next_offset,
                             local.code ? local.text : "its offsets cannot be");
        if (batch.base_offset >= limit) {
            walk->limited = true;
            return OK;
        }
        if (!read->whole_batch && walk->end - walk->first + batch.size_bytes > read->max_bytes) {
            walk->limited = true;
            return OK;
        }
        if (batch.size_bytes > walk->used_bytes - walk->end) {
            walk->wanted_bytes = walk->end + batch.size_bytes;
            return OK;
        }
        walk->end += batch.size_bytes;
        walk->next_offset = record_batch_last_offset(&batch) + 1;
        if (walk->next_offset <= read->offset)
            walk->first = walk->end;
    }
    return OK;
}

static enum status fill(struct log_reader *reader, struct walk *walk, size_t size_bytes,
                        struct error *err)
{
    struct io *io = reader->partition->log->io;
    size_t got = 0;

    TRY(block_grow(reader->pool, &walk->block, walk->used_bytes, size_bytes, err));
    TRY(io->ops->pread(io, reader->file, walk->block->data + walk->used_bytes,
                       size_bytes - walk->used_bytes, reader->position + walk->used_bytes, &got,
                       err));
    walk->used_bytes += got;
    if (walk->used_bytes < size_bytes)
        return error_set(err, ERR_CORRUPT, "%s.log is shorter than it was", reader->segment->path);
    return OK;
}

/* Read and walk one block at the reader's place. */
static enum status read_block(struct log_reader *reader, const struct log_read *read,
                              uint64_t visible_bytes, struct walk *walk, struct error *err)
{
    uint64_t left = visible_bytes - reader->position;
    size_t size_bytes = read->max_bytes < BLOCK_BYTES_MIN ? BLOCK_BYTES_MIN : read->max_bytes;

    if (size_bytes > left)
        size_bytes = (size_t)left;
    TRY(fill(reader, walk, size_bytes, err));
    TRY(walk_headers(reader, read, walk, err));
    /* at most twice: the rest of a header, then the rest of its batch */
    while (read->whole_batch && !walk->limited && walk->end < walk->used_bytes) {
        size_bytes =
            walk->wanted_bytes ? walk->wanted_bytes : walk->end + RECORD_BATCH_HEADER_BYTES;
        if (size_bytes > left)
            return error_set(err, ERR_CORRUPT,
                             "%s.log: the batch at byte %" PRIu64 " reaches past the end",
                             reader->segment->path, reader->position + walk->end);
        TRY(fill(reader, walk, size_bytes, err));
        TRY(walk_headers(reader, read, walk, err));
    }
    return OK;
}

/* Hand over the walked batches, if any is wanted. */
static enum status hand_over(struct walk *walk, struct log_read *read, struct error *err)
{
    if (walk->end == walk->first)
        return OK;
    TRY(buffer_wrap(&read->block, walk->block->data + walk->first, walk->end - walk->first,
                    block_release, walk->block, err));
    walk->block = NULL;
    read->next_offset = walk->next_offset;
    return OK;
}

/* Retention or the topic's end may have taken the segment between look() and its opening: then that
 * is what there is to say. */
static enum status failed(struct log_reader *reader, struct log_read *read, enum status status,
                          struct error *err)
{
    struct error now = {0};
    struct view view;

    leave_segment(reader);
    enum status looked = look(reader, read, &view, &now);
    segment_unref(view.segment);
    if (looked == OK)
        return status;
    if (err)
        *err = now;
    return looked;
}

enum status log_read(struct log_reader *reader, struct log_read *read, struct error *err)
{
    enum status status = OK;
    bool again = true;

    read->block = NULL;
    read->next_offset = read->offset;
    while (again && status == OK) {
        struct view view;
        struct walk walk = {0};
        again = false;
        TRY(look(reader, read, &view, err));
        if (!view.segment)
            return OK;
        status = place(reader, read, &view, err);
        if (status == OK && reader->position < view.visible_bytes) {
            status = read_block(reader, read, view.visible_bytes, &walk, err);
            if (status == OK)
                status = hand_over(&walk, read, err);
        }
        if (status == OK && read->block) {
            reader->position += walk.end;
            reader->next_offset = walk.next_offset;
        } else if (status == OK && walk.end > 0 && walk.end == walk.first) {
            reader->position += walk.end; /* all of it lies before the offset: read on */
            again = true;
        }
        if (walk.block)
            block_give(walk.block);
        segment_unref(view.segment);
    }
    return status == OK ? OK : failed(reader, read, status, err);
}
