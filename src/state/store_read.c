/* store_read.c - segments are read: checked as a whole, then block by block for the operators. */
#include "state/store_int.h"

#include <inttypes.h>
#include <stdlib.h>

#define WINDOW_BYTES (256u << 10) /* read at once */

struct block_place {
    uint32_t segment; /* index in the checkpoint */
    uint64_t offset;
    struct state_block_info info;
};

struct checkpoint_reader {
    struct checkpoint_store *store;
    const struct checkpoint *checkpoint;
    struct io_file **files; /* by segment */
    struct block_place *blocks;
    uint32_t block_count, block_capacity;
};

/* The block at `offset` to window (again used): its bytes and what it says. */
static enum status read_block(struct checkpoint_store *store, struct io_file *file, uint64_t offset,
                              uint64_t end, struct buf *window, struct state_block_info *info,
                              struct error *err)
{
    size_t wanted = STATE_BLOCK_BYTES, got;
    for (;;) {
        if (wanted > end - offset)
            wanted = (size_t)(end - offset);
        buf_clear(window);
        uint8_t *room = buf_room(window, wanted ? wanted : 1);
        if (!room)
            return buf_check(window, "a block of state", err);
        TRY(io_pread(store->io, file, room, wanted, offset, &got, err));
        window->length = got;
        if (got < wanted)
            return error_set(err, ERR_CORRUPT, "the file ends too early");
        uint64_t size = STATE_BLOCK_HEADER_BYTES;
        if (got >= STATE_BLOCK_HEADER_BYTES)
            size += (uint64_t)room[8] | (uint64_t)room[9] << 8 | (uint64_t)room[10] << 16 |
                    (uint64_t)room[11] << 24;
        if (size <= got || size > end - offset)
            return state_block_check(room, got, info, err);
        wanted = (size_t)size;
    }
}

/* Calls each() for every block of a segment. */
static enum status walk(struct checkpoint_store *store, const struct checkpoint_segment *segment,
                        enum status (*each)(void *context, uint64_t offset,
                                            const struct state_block_info *info, struct error *err),
                        void *context, struct error *err)
{
    char path[STORE_PATH_MAX];
    struct io_file *file;
    struct buf window;
    enum status status = OK;
    store_path(store, "segment", segment->number, path);
    TRY(io_open(store->io, path, IO_READ, &file, err));
    buf_init(&window, (size_t)1 << 31);
    for (uint64_t offset = 0; offset < segment->size_bytes && status == OK;) {
        struct state_block_info info;
        status = read_block(store, file, offset, segment->size_bytes, &window, &info, err);
        if (status == OK && each)
            status = each(context, offset, &info, err);
        offset += status == OK ? info.size_bytes : 0;
    }
    if (status != OK)
        error_prefix(err, "%s", path);
    buf_fini(&window);
    io_close(store->io, file);
    return status;
}

enum status store_check_segment(struct checkpoint_store *store,
                                const struct checkpoint_segment *segment, struct error *err)
{
    return walk(store, segment, NULL, NULL, err);
}

/* ---- index ---- */

struct indexing {
    struct checkpoint_reader *reader;
    uint32_t segment;
};

static enum status index_block(void *context, uint64_t offset, const struct state_block_info *info,
                               struct error *err)
{
    struct indexing *indexing = context;
    struct checkpoint_reader *reader = indexing->reader;
    if (reader->block_count == reader->block_capacity) {
        uint32_t capacity = reader->block_capacity ? reader->block_capacity * 2 : 64;
        void *grown = mem_realloc(reader->blocks, capacity * sizeof(*reader->blocks));
        if (!grown)
            return error_memory(err, "the index of a checkpoint",
                                capacity * sizeof(*reader->blocks));
        reader->blocks = grown;
        reader->block_capacity = capacity;
    }
    reader->blocks[reader->block_count++] = (struct block_place){indexing->segment, offset, *info};
    return OK;
}

static enum status open_files(struct checkpoint_reader *reader, struct error *err)
{
    const struct checkpoint *checkpoint = reader->checkpoint;
    reader->files = mem_calloc(checkpoint->segment_count + 1, sizeof(*reader->files));
    if (!reader->files)
        return error_memory(err, "a checkpoint", checkpoint->segment_count * sizeof(void *));
    for (uint32_t i = 0; i < checkpoint->segment_count; i++) {
        char path[STORE_PATH_MAX];
        store_path(reader->store, "segment", checkpoint->segments[i].number, path);
        TRY(io_open(reader->store->io, path, IO_READ, &reader->files[i], err));
        struct indexing indexing = {reader, i};
        TRY(walk(reader->store, &checkpoint->segments[i], index_block, &indexing, err));
    }
    return OK;
}

enum status checkpoint_reader_new(struct checkpoint_reader **out, struct checkpoint_store *store,
                                  const struct checkpoint *checkpoint, struct error *err)
{
    struct checkpoint_reader *reader = mem_calloc(1, sizeof(*reader));
    if (!reader)
        return error_memory(err, "a checkpoint", sizeof(*reader));
    reader->store = store;
    reader->checkpoint = checkpoint;
    enum status status = open_files(reader, err);
    if (status != OK) {
        checkpoint_reader_free(reader);
        return status;
    }
    *out = reader;
    return OK;
}

void checkpoint_reader_free(struct checkpoint_reader *reader)
{
    if (!reader)
        return;
    for (uint32_t i = 0; reader->files && i < reader->checkpoint->segment_count; i++)
        if (reader->files[i])
            io_close(reader->store->io, reader->files[i]);
    mem_free(reader->files);
    mem_free(reader->blocks);
    mem_free(reader);
}

/* Does the block have anything of these key groups that no fold has superseded? */
static bool counts(const struct checkpoint *checkpoint, const struct state_block_info *info,
                   uint32_t first_key_group, uint32_t last_key_group)
{
    uint32_t first =
        info->first_key_group > first_key_group ? info->first_key_group : first_key_group;
    uint32_t last = info->last_key_group < last_key_group ? info->last_key_group : last_key_group;
    for (uint32_t g = first; g <= last; g++)
        if (checkpoint->bases[g] <= info->epoch)
            return true;
    return false;
}

enum status checkpoint_blocks(struct checkpoint_reader *reader, uint32_t operator_id,
                              uint32_t first_key_group, uint32_t last_key_group,
                              enum status (*each)(void *context, const uint8_t *block,
                                                  const struct state_block_info *info,
                                                  struct error *err),
                              void *context, struct error *err)
{
    struct buf window;
    enum status status = OK;
    buf_init(&window, (size_t)1 << 31);
    for (uint32_t i = 0; i < reader->block_count && status == OK; i++) {
        const struct block_place *place = &reader->blocks[i];
        struct state_block_info info;
        if (place->info.operator_id != operator_id ||
            !counts(reader->checkpoint, &place->info, first_key_group, last_key_group))
            continue;
        status = read_block(reader->store, reader->files[place->segment], place->offset,
                            place->offset + place->info.size_bytes, &window, &info, err);
        info.bases = reader->checkpoint->bases;
        if (status == OK)
            status = each(context, window.data, &info, err);
    }
    buf_fini(&window);
    return status;
}
