/* filesystem_source.c - bounded reads: a split is a file, a record a line of it.
 *
 *   job of the I/O pool: what is left of the last block, then the next bytes --> block
 *   poll(): records of whole lines that point into the block; none left: the next job
 *
 * Files are taken as they are at the start and must not change while they are read (contracts.md
 * rule 18): a position says how the bytes before it were, and a reader that goes on from it
 * compares. Position, version 2, little-endian: u8 version | u64 offset behind the last record
 * handed out | u32 number of bytes before it that were hashed | u64 their hash.
 */
#include "connector/filesystem/filesystem_int.h"

#include <stdio.h>

#include "base/hash.h"
#include "base/must.h"

#define POSITION_VERSION 2
#define POSITION_BYTES   21
#define TAIL_BYTES_MAX   4096 /* that a position knows of */
#define BLOCK_BYTES      (512u << 10)
#define DEPTH_MAX        32
#define FILES_MAX        (1u << 20)

enum metadata { META_PATH, META_NAME, META_SIZE, META_MODIFIED, META_COUNT };
static const struct table_metadata METADATA[META_COUNT] = {
    [META_PATH] = {"file.path", &TYPE_OF_STRING},
    [META_NAME] = {"file.name", &TYPE_OF_STRING},
    [META_SIZE] = {"file.size", &TYPE_OF_BIGINT},
    [META_MODIFIED] = {"file.modification-time", &TYPE_OF_TIMESTAMP_LTZ_3},
};

struct source {
    struct arena arena;
    const struct table_description *table;
    struct io *io;
    struct io_pool *pool;
    struct mem_owner *owner;
    const char *path;
    struct line_rules rules;
    bool discovered;
    uint32_t metadata_count;
    enum metadata *metadata;
};

struct source_reader {
    struct source *source;
    struct wake *wake;
    struct io_job job;
    struct mutex mutex;
    struct condition idle;
    bool busy;
    char path[SPLIT_ID_MAX];
    struct io_stat stat;
    struct records records;
    const uint8_t *values[BATCH_ROWS_MAX];
    uint32_t lengths[BATCH_ROWS_MAX];
    int64_t offsets[BATCH_ROWS_MAX];
    uint32_t tail_bytes; /* before the position, and their hash */
    uint64_t tail_hash;
    bool unproven; /* they have still to be read and compared */
    /* the job's while busy */
    struct io_file *file;
    struct buffer *block;
    size_t used, filled;   /* bytes of block handed out, there */
    uint64_t block_offset; /* of the block's first byte in the file */
    bool at_end;           /* the file has no more bytes */
    struct error failure;
};

static enum status is_bounded(const struct table_description *table, bool *out, struct error *err)
{
    struct filesystem_options options;
    struct arena arena;
    arena_init(&arena, NULL, FILESYSTEM_OPTIONS_MAX);
    enum status status = filesystem_parse(table, NULL, &options, &arena, err);
    arena_fini(&arena);
    *out = true;
    return status;
}

static void source_close(struct source *source)
{
    mem_free(source->metadata);
    arena_fini(&source->arena);
    mem_free(source);
}

static enum status fill(struct source *source, const struct source_request *request,
                        struct error *err)
{
    struct filesystem_options options;
    TRY(filesystem_parse(request->table, request->context, &options, &source->arena, err));
    source->path = options.path;
    source->table = request->table;
    source->io = request->context->io;
    source->pool = request->context->io_pool;
    source->owner = request->owner;
    source->rules = line_rules_of(request->table);
    source->metadata_count = request->metadata_count;
    source->metadata = mem_calloc(request->metadata_count + 1, sizeof(*source->metadata));
    if (!source->metadata)
        return error_memory(err, "connector 'filesystem'", sizeof(*source));
    for (uint32_t i = 0; i < request->metadata_count; i++) {
        uint32_t found = 0;
        while (found < META_COUNT &&
               !str_eq(str_of(METADATA[found].key), str_of(request->metadata[i].key)))
            found++;
        must(found < META_COUNT); /* the planner takes them from METADATA */
        source->metadata[i] = (enum metadata)found;
    }
    return OK;
}

static enum status source_open(const struct source_request *request, struct wake *wake,
                               struct source **out, struct error *err)
{
    struct source *source = mem_calloc(1, sizeof(*source));
    if (!source)
        return error_memory(err, "connector 'filesystem'", sizeof(*source));
    arena_init(&source->arena, NULL, FILESYSTEM_OPTIONS_MAX);
    enum status status = fill(source, request, err);
    if (status != OK) {
        source_close(source);
        return status;
    }
    *out = source;
    return OK;
}

/* ---- discovery */

struct walk {
    struct source *source;
    source_split_fn each;
    void *context;
    const char *path; /* of the directory being listed */
    uint32_t depth, file_count;
};

static enum status walk_path(struct walk *walk, const char *path, struct error *err);

/* Names that begin with '.' or '_' are hidden: files being written, notes of other programs. */
static enum status walk_entry(void *context, const char *name, struct error *err)
{
    struct walk *walk = context;
    char path[SPLIT_ID_MAX];
    if (name[0] == '.' || name[0] == '_')
        return OK;
    const char *directory = walk->path;
    size_t length = strlen(directory);
    bool slash = length && directory[length - 1] == '/';
    int size = snprintf(path, sizeof(path), "%s%s%s", directory, slash ? "" : "/", name);
    if (size < 0 || (size_t)size >= sizeof(path))
        return error_set(err, ERR_LIMIT, "the path of '%s' in '%s' is too long", name, directory);
    enum status status = walk_path(walk, path, err);
    walk->path = directory;
    return status;
}

static enum status walk_path(struct walk *walk, const char *path, struct error *err)
{
    struct io_stat stat;
    TRY(io_stat(walk->source->io, path, &stat, err));
    if (stat.is_directory) {
        if (walk->depth == DEPTH_MAX)
            return error_set(err, ERR_LIMIT, "'%s': directories are nested too deep", path);
        walk->depth++;
        walk->path = path;
        enum status status = io_list(walk->source->io, path, walk_entry, walk, err);
        walk->depth--;
        return status;
    }
    struct source_split split;
    if (walk->file_count++ == FILES_MAX)
        return error_set(err, ERR_LIMIT, "there are more than %u files", FILES_MAX);
    int size = snprintf(split.id, sizeof(split.id), "%s", path);
    if (size < 0 || (size_t)size >= sizeof(split.id))
        return error_set(err, ERR_LIMIT, "the path '%.100s...' is too long", path);
    return walk->each(walk->context, &split, err);
}

static enum poll_result source_discover(struct source *source, source_split_fn each, void *context,
                                        int64_t *again_us, struct error *err)
{
    if (source->discovered)
        return POLL_END;
    struct walk walk = {.source = source, .each = each, .context = context};
    source->discovered = true;
    enum status status = walk_path(&walk, source->path, err);
    if (status == OK)
        return POLL_ROWS;
    error_prefix(err, "table %s", source->table->name);
    return POLL_ERROR;
}

/* ---- reading, on a thread of the I/O pool */

/* A block that begins with what is left of the last one. */
static enum status next_block(struct source_reader *reader, struct error *err)
{
    size_t left = reader->filled - reader->used;
    size_t size = left >= BLOCK_BYTES / 2 ? left * 2 : BLOCK_BYTES;
    struct buffer *block;
    if (left > FILESYSTEM_LINE_MAX)
        return error_set(err, ERR_LIMIT,
                         "file '%s': the record at byte %llu has more than %u bytes", reader->path,
                         (unsigned long long)(reader->block_offset + reader->used),
                         FILESYSTEM_LINE_MAX);
    TRY(buffer_new(&block, size, reader->source->owner, err));
    if (left)
        memcpy(block->data, reader->block->data + reader->used, left);
    buffer_unref(reader->block);
    reader->block = block;
    reader->block_offset += reader->used;
    reader->used = 0;
    reader->filled = left;
    return OK;
}

static enum status read_block(struct source_reader *reader, struct error *err)
{
    struct io *io = reader->source->io;
    size_t got = 0;
    if (!reader->file) {
        TRY(io_open(io, reader->path, IO_READ, &reader->file, err));
        TRY(io_file_stat(io, reader->file, &reader->stat, err));
    }
    TRY(next_block(reader, err));
    size_t wanted = reader->block->size_bytes - reader->filled;
    TRY(io_pread(io, reader->file, reader->block->data + reader->filled, wanted,
                 reader->block_offset + reader->filled, &got, err));
    reader->filled += got;
    reader->at_end = got < wanted;
    return OK;
}

static void run_job(struct io_job *job)
{
    struct source_reader *reader = container_of(job, struct source_reader, job);
    struct error err = {0};
    if (read_block(reader, &err) != OK)
        reader->failure = err;
}

static void job_done(struct io_job *job)
{
    struct source_reader *reader = container_of(job, struct source_reader, job);
    mutex_lock(&reader->mutex);
    reader->busy = false;
    condition_broadcast(&reader->idle);
    wake_notify(reader->wake);
    mutex_unlock(&reader->mutex);
}

/* ---- on the task's thread */

static void reader_close(struct source_reader *reader)
{
    mutex_lock(&reader->mutex);
    while (reader->busy)
        condition_wait(&reader->idle, &reader->mutex);
    mutex_unlock(&reader->mutex);
    if (reader->file)
        io_close(reader->source->io, reader->file);
    buffer_unref(reader->block);
    condition_fini(&reader->idle);
    mutex_fini(&reader->mutex);
    mem_free(reader);
}

static uint64_t get(const uint8_t *bytes, int size_bytes)
{
    uint64_t value = 0;
    for (int i = size_bytes; i > 0; i--)
        value = value << 8 | bytes[i - 1];
    return value;
}

static void put(struct buf *out, uint64_t value, int size_bytes)
{
    for (int i = 0; i < size_bytes; i++)
        buf_append_byte(out, (uint8_t)(value >> (8 * i)));
}

static enum status reader_open(struct source *source, const struct source_split *split,
                               const void *position, size_t position_bytes, struct wake *wake,
                               struct source_reader **out, struct error *err)
{
    const uint8_t *bytes = position;
    if (position && (position_bytes != POSITION_BYTES || bytes[0] != POSITION_VERSION ||
                     get(bytes + 9, 4) > TAIL_BYTES_MAX || get(bytes + 9, 4) > get(bytes + 1, 8)))
        return error_set(err, ERR_CORRUPT, "table %s: the position of file '%s' is damaged",
                         source->table->name, split->id);
    struct source_reader *reader = mem_calloc(1, sizeof(*reader));
    if (!reader)
        return error_memory(err, "connector 'filesystem'", sizeof(*reader));
    mutex_init(&reader->mutex);
    condition_init(&reader->idle);
    reader->source = source;
    reader->wake = wake;
    reader->job = (struct io_job){.run = run_job, .done = job_done};
    memcpy(reader->path, split->id, sizeof(reader->path));
    if (position) {
        reader->tail_bytes = (uint32_t)get(bytes + 9, 4);
        reader->tail_hash = get(bytes + 13, 8);
        reader->unproven = reader->tail_bytes > 0;
        reader->block_offset = get(bytes + 1, 8) - reader->tail_bytes;
    }
    reader->records = (struct records){
        .values = reader->values,
        .value_lengths = reader->lengths,
        .offsets = reader->offsets,
        .topic = reader->path,
        .buffer_count = 1,
        .run_count = 1, /* lines: only newlines, and lines of nothing, are between them */
    };
    *out = reader;
    return OK;
}

static void skip_mark(struct source_reader *reader)
{
    if (reader->block_offset == 0 && reader->used == 0 && reader->filled >= 3 &&
        memcmp(reader->block->data, "\xEF\xBB\xBF", 3) == 0)
        reader->used = 3; /* some programs begin a file so, to say that it is UTF-8 */
}

static void note_tail(struct source_reader *reader, size_t handed_out)
{
    if (!handed_out)
        return;
    reader->tail_bytes = handed_out < TAIL_BYTES_MAX ? (uint32_t)handed_out : TAIL_BYTES_MAX;
    reader->tail_hash =
        hash_bytes(reader->block->data + reader->used - reader->tail_bytes, reader->tail_bytes);
}

/* The bytes before the position that was given are in the first block. */
static enum status prove(struct source_reader *reader, struct error *err)
{
    if (!reader->unproven)
        return OK;
    if (reader->filled < reader->tail_bytes ||
        hash_bytes(reader->block->data, reader->tail_bytes) != reader->tail_hash) {
        error_set(err, ERR_RANGE,
                  "table %s: file '%s' was changed since it was read up to byte %llu",
                  reader->source->table->name, reader->path,
                  (unsigned long long)(reader->block_offset + reader->tail_bytes));
        error_hint(err, "a job can only go on with the files that it has begun with");
        if (err)
            err->fatal = true;
        return ERR_RANGE;
    }
    reader->unproven = false;
    reader->used = reader->tail_bytes;
    return OK;
}

/* Records of the block's whole lines; at the file's end also of the last one without a newline. */
static uint32_t take_lines(struct source_reader *reader, uint32_t max_rows)
{
    const struct line_rules *rules = &reader->source->rules;
    uint32_t count = 0;
    skip_mark(reader);
    size_t before = reader->used;
    while (count < max_rows && reader->used < reader->filled) {
        const uint8_t *line = reader->block->data + reader->used;
        size_t left = reader->filled - reader->used;
        const uint8_t *end = line_end(rules, line, left);
        if (!end && !reader->at_end)
            break;
        size_t length = end ? (size_t)(end - line) : left;
        reader->used += length + (end != NULL);
        if (rules->skips_empty && (length == 0 || (length == 1 && *line == '\r')))
            continue;
        reader->values[count] = line;
        reader->lengths[count] = (uint32_t)length;
        reader->offsets[count] =
            (int64_t)(reader->block_offset + (uint64_t)(line - reader->block->data));
        count++;
    }
    note_tail(reader, reader->used - before);
    return count;
}

static enum poll_result reader_poll(struct source_reader *reader, uint32_t max_rows,
                                    struct source_output *out, struct error *err)
{
    *out = (struct source_output){0};
    mutex_lock(&reader->mutex);
    bool busy = reader->busy;
    mutex_unlock(&reader->mutex);
    if (busy)
        return POLL_WAIT;
    if (reader->failure.code != OK) {
        if (err)
            *err = reader->failure;
        return POLL_ERROR;
    }
    if (reader->block) {
        if (prove(reader, err) != OK)
            return POLL_ERROR;
        reader->records.count =
            take_lines(reader, max_rows < BATCH_ROWS_MAX ? max_rows : BATCH_ROWS_MAX);
        reader->records.run_ends[0] = reader->records.count;
        reader->records.buffers[0] = reader->block;
        out->records = &reader->records;
        if (reader->records.count > 0)
            return POLL_ROWS;
        if (reader->at_end && reader->used == reader->filled)
            return POLL_END;
    }
    reader->busy = true; /* nobody else looks at it before the submit */
    io_pool_submit(reader->source->pool, &reader->job);
    return POLL_WAIT;
}

static enum status reader_position(struct source_reader *reader, struct buf *out, struct error *err)
{
    uint64_t at = reader->unproven ? reader->tail_bytes : reader->used;
    buf_append_byte(out, POSITION_VERSION);
    put(out, reader->block_offset + at, 8);
    put(out, reader->tail_bytes, 4);
    put(out, reader->tail_hash, 8);
    return buf_check(out, "a position", err);
}

static enum status fill_metadata(struct source_reader *reader, const struct records *records,
                                 uint32_t index, struct vec **out, struct error *err)
{
    enum metadata metadata = reader->source->metadata[index];
    const char *slash = strrchr(reader->path, '/');
    const char *text = metadata == META_NAME && slash ? slash + 1 : reader->path;
    struct vec *one;
    TRY(vec_new(&one, METADATA[metadata].type, 1, reader->source->owner, err));
    one->length = 0;
    enum status status = OK;
    if (metadata == META_SIZE)
        *(int64_t *)one->values = (int64_t)reader->stat.size_bytes;
    else if (metadata == META_MODIFIED)
        *(int64_t *)one->values = reader->stat.modified_us / 1000 * 1000;
    else
        status = vec_set_text(one, 0, text, strlen(text), err);
    one->length = 1;
    if (status == OK)
        status = vec_new_constant(out, one, 0, records->count, err);
    vec_unref(one);
    return status;
}

static enum source_replay source_replay(const struct table_description *table)
{
    return SOURCE_REPLAY_EXACT;
}

const struct source_class FILESYSTEM_SOURCE = {
    .size = sizeof(struct source_class),
    .needs_format = true,
    .metadata = METADATA,
    .metadata_count = META_COUNT,
    .is_bounded = is_bounded,
    .open = source_open,
    .discover = source_discover,
    .reader_open = reader_open,
    .poll = reader_poll,
    .position = reader_position,
    .fill_metadata = fill_metadata,
    .reader_close = reader_close,
    .close = source_close,
    .replay = source_replay,
};
