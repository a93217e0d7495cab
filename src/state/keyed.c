/* keyed.c - see keyed.h.
 *
 * Dropped tables are remembered until a snapshot that says so is durable. A full snapshot says
 * nothing of what is gone. A table's own epoch runs with all->epoch.
 */
#include "state/keyed.h"

#include "base/hash.h"
#include "base/must.h"

#define DROPPED_MAX (1u << 24)

void keyed_state_init(struct keyed_state *all, const struct keyed_state_class *class, void *context,
                      uint64_t epoch)
{
    *all = (struct keyed_state){.class = class, .context = context, .tracked = epoch > 0};
    all->epoch = (uint32_t)(epoch & STATE_EPOCH_MASK);
    if (all->tracked && !all->epoch)
        all->epoch = 1;
    buf_init(&all->value, (size_t)1 << 31);
}

void keyed_state_fini(struct keyed_state *all)
{
    for (struct keyed_table *table = all->tables; table; table = table->next)
        table->all = NULL;
    all->tables = NULL;
    mem_free(all->dropped);
    all->dropped = NULL;
    buf_fini(&all->value);
}

static uint8_t group_of(const uint8_t *value)
{
    return (uint8_t)key_group_of_hash(state_row_of((uint8_t *)value)->hash);
}

static void write_row(void *context, const uint8_t *value, bool dead)
{
    struct keyed_table *table = context;
    struct keyed_state *all = table->all;
    struct state_record record = {.kind = dead ? RECORD_TOMBSTONE : RECORD_VALUE,
                                  .table = table->number,
                                  .key_group = group_of(value),
                                  .namespace = table->namespace,
                                  .key = state_row_key(table->rows, value),
                                  .key_bytes = state_row_of((uint8_t *)value)->key_bytes};
    buf_clear(&all->value);
    if (!dead)
        all->class->save(all->context, table, value, &all->value);
    if (all->value.failed) {
        (void)!buf_check(&all->value, "a key's state", &all->out->failure);
        return;
    }
    record.value = all->value.data;
    record.value_bytes = (uint32_t)all->value.length;
    state_out_record(all->out, &record);
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
        own.epoch = all->epoch;
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
    all->dropped[all->dropped_count++] =
        (struct dropped){table->number, all->epoch, table->namespace};
    return OK;
}

/* ---- snapshots ---- */

void keyed_state_barrier(struct keyed_state *all, bool full, struct state_out *out)
{
    must(all->tracked && !all->out);
    all->out = out;
    all->next = all->tables;
    for (struct keyed_table *table = all->tables; table; table = table->next)
        state_table_barrier(table->rows, full);
    for (uint32_t i = 0; i < all->dropped_count && !full; i++)
        state_out_record(out, &(struct state_record){.kind = RECORD_DROP,
                                                     .table = all->dropped[i].number,
                                                     .namespace = all->dropped[i].namespace});
    all->epoch = all->epoch == STATE_EPOCH_MASK ? 1 : all->epoch + 1;
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
    uint32_t kept = 0;
    for (uint32_t i = 0; i < all->dropped_count; i++)
        if (all->dropped[i].epoch == all->epoch)
            all->dropped[kept++] = all->dropped[i];
    all->dropped_count = kept;
}

void keyed_state_aborted(struct keyed_state *all)
{
    must(all->out);
    all->out = NULL;
    all->next = NULL;
    for (struct keyed_table *table = all->tables; table; table = table->next)
        if (state_table_in_snapshot(table->rows))
            state_table_aborted(table->rows);
    for (uint32_t i = 0; i < all->dropped_count; i++)
        all->dropped[i].epoch = all->epoch;
}

/* ---- restoring ---- */

static enum status restore_record(struct keyed_state *all, const struct state_record *record,
                                  uint64_t epoch, struct error *err)
{
    const uint64_t group_bits = UINT64_C(127) << 57;
    struct keyed_table *table;
    uint8_t *value;
    TRY(all->class->find(all->context, record->table, record->namespace, &table, err));
    if (record->kind == RECORD_DROP) {
        if (all->class->drop)
            all->class->drop(all->context, table);
        return OK;
    }
    bool dead = record->kind == RECORD_TOMBSTONE;
    uint64_t hash = (hash_bytes(record->key, record->key_bytes) & ~group_bits) |
                    (uint64_t)record->key_group << 57;
    TRY(state_table_restore(table->rows, record->key, record->key_bytes, hash,
                            (uint32_t)(epoch & STATE_EPOCH_MASK), dead, &value, err));
    if (!dead)
        return all->class->load(all->context, table, value, record->value, record->value_bytes,
                                err);
    if (value) {
        if (all->class->clear)
            all->class->clear(all->context, table, value);
        state_table_discard(table->rows, value);
    }
    return OK;
}

enum status keyed_state_restore(struct keyed_state *all, const uint8_t *block,
                                const struct state_block_info *info, uint32_t first_key_group,
                                uint32_t last_key_group, struct error *err)
{
    struct state_records records;
    struct state_record record;
    enum status status;
    state_records_init(&records, block, info);
    while ((status = state_records_next(&records, &record, err)) == OK) {
        if (record.kind != RECORD_DROP &&
            (record.key_group < first_key_group || record.key_group > last_key_group))
            continue;
        TRY(restore_record(all, &record, info->epoch, err));
    }
    return status == ERR_END ? OK : status;
}
