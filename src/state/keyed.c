/* keyed.c - see keyed.h.
 *
 * Dropped tables are remembered until a snapshot that says so is durable.
 */
#include "state/keyed.h"

#include "base/hash.h"
#include "base/must.h"
#include "state/record.h"

#define DROPPED_MAX   (1u << 24)
#define RESTORE_AHEAD 32u /* records whose rows are prefetched */
#define EARLY_SHARE   16u /* of the tables' bytes, what early records take at most */
#define EARLY_MIN     (64u << 10)
#define EARLY_MAX     (32u << 20)

void keyed_state_init(struct keyed_state *all, const struct keyed_state_class *class, void *context,
                      uint64_t epoch)
{
    *all = (struct keyed_state){.class = class, .context = context, .tracked = epoch > 0};
    all->early_last = &all->early_first;
    buf_init(&all->value, (size_t)1 << 31);
}

void keyed_state_fini(struct keyed_state *all)
{
    for (struct keyed_table *table = all->tables; table; table = table->next)
        table->all = NULL;
    all->tables = NULL;
    mem_free(all->dropped);
    all->dropped = NULL;
    state_out_drop(&all->early);
    for (struct state_block *block = all->early_first, *next; block; block = next) {
        next = block->next;
        state_block_free(block);
    }
    all->early_first = NULL;
    buf_fini(&all->value);
}

static void save_row(const struct keyed_table *table, const uint8_t *value, bool is_stamped,
                     struct buf *out)
{
    if (is_stamped)
        state_put_varint(out, (uint64_t)state_row_stamp(table->rows, value));
    table->all->class->save(table->all->context, table, value, out);
}

/* Into the block, where it has room for the row; else through the scratch. */
static bool write_row(void *context, const uint8_t *value, enum state_write what)
{
    struct keyed_table *table = context;
    struct keyed_state *all = table->all;
    struct state_out *out = what == STATE_WRITE_EARLY ? &all->early : all->out;
    bool is_dead = what == STATE_WRITE_TOMBSTONE;
    bool is_stamped = !is_dead && state_table_has_ttl(table->rows);
    struct str key = state_row_key(table->rows, value);
    struct state_record record = {.kind = is_dead      ? RECORD_TOMBSTONE
                                          : is_stamped ? RECORD_STAMPED
                                                       : RECORD_VALUE,
                                  .table = table->number,
                                  .key_group = (uint8_t)state_row_key_group(value),
                                  .namespace = table->namespace,
                                  .key = (const uint8_t *)key.data,
                                  .key_bytes = (uint32_t)key.length};
    if (what == STATE_WRITE_EARLY && out->bytes >= all->early_max)
        return false;
    struct buf *room = is_dead ? NULL : record_open(out, &record);
    if (room) {
        save_row(table, value, is_stamped, room);
        if (record_close(out, &record))
            return true;
    }
    buf_clear(&all->value);
    if (!is_dead)
        save_row(table, value, is_stamped, &all->value);
    if (all->value.failed) {
        (void)!buf_check(&all->value, "a key's state", &out->failure);
        return false;
    }
    record.value = all->value.data;
    record.value_bytes = (uint32_t)all->value.length;
    state_out_record(out, &record);
    return out->failure.code == OK;
}

static void clear_row(void *context, uint8_t *value)
{
    struct keyed_table *table = context;
    table->all->class->clear(table->all->context, table, value);
}

enum status keyed_table_new(struct keyed_state *all, struct keyed_table *table, uint8_t number,
                            int64_t namespace, const struct state_table_spec *spec,
                            struct error *err)
{
    struct state_table_spec own = *spec;
    *table = (struct keyed_table){.all = all, .number = number, .namespace = namespace};
    if (all->tracked) {
        own.write = write_row;
        own.write_context = table;
    }
    if (all->class->clear) {
        own.clear = clear_row;
        own.clear_context = table;
    }
    TRY(state_table_new(&table->rows, &own, err));
    table->next = all->tables;
    table->link = &all->tables;
    if (table->next)
        table->next->link = &table->next;
    all->tables = table;
    return OK;
}

void keyed_table_free(struct keyed_table *table)
{
    if (!table->rows)
        return;
    if (table->all) {
        if (table->all->next == table)
            table->all->next = table->next;
        *table->link = table->next;
        if (table->next)
            table->next->link = table->link;
    }
    state_table_free(table->rows);
    *table = (struct keyed_table){0};
}

enum status keyed_table_leave(struct keyed_table *table, struct error *err)
{
    struct keyed_state *all = table->all;
    if (!all->tracked)
        return OK;
    if (all->dropped_count == all->dropped_capacity) {
        uint32_t capacity = all->dropped_capacity ? all->dropped_capacity * 2 : 8;
        void *grown = capacity > DROPPED_MAX
                          ? NULL
                          : mem_realloc(all->dropped, capacity * sizeof(*all->dropped));
        if (!grown)
            return error_memory(err, "dropped tables", capacity * sizeof(*all->dropped));
        all->dropped = grown;
        all->dropped_capacity = capacity;
    }
    if (all->out && state_table_in_snapshot(table->rows))
        while (!state_table_step(table->rows, UINT32_MAX / 2))
            ;
    all->dropped[all->dropped_count++] = (struct dropped){table->number, table->namespace};
    return OK;
}

/* ---- snapshots ---- */

static void keep_early(void *context, struct state_block *block)
{
    struct keyed_state *all = context;
    block->next = NULL;
    *all->early_last = block;
    all->early_last = &block->next;
}

void keyed_state_settle(struct keyed_state *all)
{
    if (!all->early_max)
        return;
    for (struct keyed_table *table = all->tables; table; table = table->next)
        state_table_settle(table->rows);
}

/* The early records go out before any other of the snapshot, and those of the next epoch begin. */
static void turn_early(struct keyed_state *all)
{
    size_t bytes = 0;
    state_out_end(&all->early);
    for (struct state_block *block = all->early_first, *next; block; block = next) {
        next = block->next;
        state_out_take(all->out, block);
    }
    all->early_first = NULL;
    all->early_last = &all->early_first;
    all->early =
        (struct state_out){.owner = all->out->early_owner, .give = keep_early, .context = all};
    for (struct keyed_table *table = all->tables; table; table = table->next)
        bytes += state_table_bytes(table->rows);
    bytes /= EARLY_SHARE;
    bytes = bytes < EARLY_MAX ? bytes : EARLY_MAX;
    all->early_max = bytes > EARLY_MIN ? bytes : EARLY_MIN;
}

void keyed_state_barrier(struct keyed_state *all, struct state_out *out)
{
    must(all->tracked && !all->out);
    all->out = out;
    all->next = all->tables;
    turn_early(all);
    for (struct keyed_table *table = all->tables; table; table = table->next)
        state_table_barrier(table->rows, out->fold);
    for (uint32_t i = 0; i < all->dropped_count; i++)
        state_out_record(out, &(struct state_record){.kind = RECORD_DROP,
                                                     .table = all->dropped[i].number,
                                                     .namespace = all->dropped[i].namespace});
    all->dropped_written = all->dropped_count;
}

bool keyed_state_step(struct keyed_state *all, uint32_t max_rows)
{
    must(all->out);
    while (all->next) {
        if (state_table_in_snapshot(all->next->rows) &&
            !state_table_step(all->next->rows, max_rows))
            return false;
        all->next = all->next->next;
    }
    return true;
}

void keyed_state_committed(struct keyed_state *all)
{
    must(all->out && !all->next);
    all->out = NULL;
    for (struct keyed_table *table = all->tables; table; table = table->next)
        if (state_table_in_snapshot(table->rows))
            state_table_committed(table->rows);
    all->dropped_count -= all->dropped_written;
    if (all->dropped_count)
        memmove(all->dropped, all->dropped + all->dropped_written,
                all->dropped_count * sizeof(*all->dropped));
}

void keyed_state_aborted(struct keyed_state *all)
{
    must(all->out);
    all->out = NULL;
    all->next = NULL;
    for (struct keyed_table *table = all->tables; table; table = table->next)
        if (state_table_in_snapshot(table->rows))
            state_table_aborted(table->rows);
}

/* ---- restoring ---- */

/* A record on its way into its table. */
struct restoring {
    struct state_record record;
    struct keyed_table *table;
    uint64_t hash;
};

static enum status restore_value(struct keyed_state *all, const struct restoring *one,
                                 struct error *err)
{
    const struct state_record *record = &one->record;
    struct state_bytes in = {record->value, record->value + record->value_bytes, false};
    uint8_t *value;
    TRY(state_table_restore(one->table->rows, record->key, record->key_bytes, one->hash, &value,
                            err));
    if (record->kind == RECORD_STAMPED) {
        int64_t stamp_ms = (int64_t)state_get_varint(&in);
        if (in.failed)
            return error_set(err, ERR_CORRUPT, "a row's time of change is not what was written");
        if (state_table_has_ttl(one->table->rows))
            state_row_set_stamp(one->table->rows, value, stamp_ms);
    }
    return all->class->load(all->context, one->table, value, in.at, (size_t)(in.end - in.at), err);
}

static enum status restore_one(struct keyed_state *all, const struct restoring *one,
                               struct error *err)
{
    const struct state_record *record = &one->record;
    if (record->kind == RECORD_DROP) {
        if (all->class->drop)
            all->class->drop(all->context, one->table);
        return OK;
    }
    if (record->kind != RECORD_TOMBSTONE)
        return restore_value(all, one, err);
    uint8_t *value = state_table_peek(one->table->rows, record->key, record->key_bytes, one->hash);
    if (value) {
        if (all->class->clear)
            all->class->clear(all->context, one->table, value);
        state_table_discard(one->table->rows, value);
    }
    return OK;
}

/* The next records that count, at most RESTORE_AHEAD; a drop is the last of its lot. */
static enum status take_some(struct keyed_state *all, struct state_records *records,
                             const struct state_block_info *info, uint32_t first_key_group,
                             uint32_t last_key_group, struct restoring *some, uint32_t *count,
                             struct error *err)
{
    const uint64_t group_bits = UINT64_C(127) << 57;
    for (*count = 0; *count < RESTORE_AHEAD;) {
        struct restoring *one = &some[*count];
        struct state_record *record = &one->record;
        TRY(state_records_next(records, record, err));
        bool is_drop = record->kind == RECORD_DROP;
        bool is_old = info->bases && info->bases[record->key_group] > info->epoch;
        if (!is_drop &&
            (is_old || record->key_group < first_key_group || record->key_group > last_key_group))
            continue;
        TRY(all->class->find(all->context, record->table, record->namespace, &one->table, err));
        ++*count;
        if (is_drop)
            break;
        one->hash = (hash_bytes(record->key, record->key_bytes) & ~group_bits) |
                    (uint64_t)record->key_group << 57;
        state_table_prefetch_slot(one->table->rows, one->hash);
    }
    return OK;
}

enum status keyed_state_restore(struct keyed_state *all, const uint8_t *block,
                                const struct state_block_info *info, uint32_t first_key_group,
                                uint32_t last_key_group, struct error *err)
{
    struct state_records records;
    struct restoring some[RESTORE_AHEAD];
    enum status status = OK;
    state_records_init(&records, block, info);
    while (status == OK) {
        uint32_t count = 0;
        status = take_some(all, &records, info, first_key_group, last_key_group, some, &count, err);
        if (status != OK && status != ERR_END)
            return status;
        for (uint32_t i = 0; i < count; i++)
            if (some[i].record.kind != RECORD_DROP)
                state_table_prefetch_row(some[i].table->rows, some[i].hash);
        for (uint32_t i = 0; i < count; i++)
            TRY(restore_one(all, &some[i], err));
    }
    return OK;
}
