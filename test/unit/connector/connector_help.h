/* connector_help.h - tables, requests and a wake for tests of connectors and formats. */
#ifndef LEAT_TEST_UNIT_CONNECTOR_CONNECTOR_HELP_H
#define LEAT_TEST_UNIT_CONNECTOR_CONNECTOR_HELP_H

#include "plugin/connector.h"
#include "base/must.h"
#include "data/datum.h"

struct test_wake { /* first member: what connectors see */
    struct wake wake;
    struct mutex mutex;
    struct condition changed;
    int count;
};
static inline void test_wake_notify(struct wake *wake)
{
    struct test_wake *own = (struct test_wake *)wake;
    mutex_lock(&own->mutex);
    own->count++;
    condition_broadcast(&own->changed);
    mutex_unlock(&own->mutex);
}
static inline void test_wake_init(struct test_wake *wake)
{
    *wake = (struct test_wake){.wake = {test_wake_notify}};
    mutex_init(&wake->mutex);
    condition_init(&wake->changed);
}
/* Waits for a notification; false after ten seconds without one. */
static inline bool test_wake_wait(struct test_wake *wake)
{
    bool woken = true;
    mutex_lock(&wake->mutex);
    while (wake->count == 0 && woken)
        woken = condition_wait_for(&wake->changed, &wake->mutex, 10000000);
    wake->count = 0;
    mutex_unlock(&wake->mutex);
    return woken;
}

#define TEST_OPTIONS_MAX 16
struct test_table {
    struct table_description description;
    struct table_field fields[64];
    struct option_given options[TEST_OPTIONS_MAX];
    uint32_t key[8];
    uint32_t wanted[64];
};
static inline void test_table_init(struct test_table *table, const char *name)
{
    memset(table, 0, sizeof(*table));
    table->description.name = name;
    table->description.fields = table->fields;
    table->description.options = table->options;
    table->description.primary_key = table->key;
    for (uint32_t i = 0; i < COUNT_OF(table->wanted); i++)
        table->wanted[i] = i;
}
static inline void test_field(struct test_table *table, const char *name, const struct type *type)
{
    table->fields[table->description.field_count++] = (struct table_field){name, type};
}
static inline void test_option(struct test_table *table, const char *key, const char *value)
{
    must(table->description.option_count < TEST_OPTIONS_MAX);
    table->options[table->description.option_count++] =
        (struct option_given){.key = str_of(key), .value = str_of(value)};
}
static inline void test_key(struct test_table *table, uint32_t field)
{
    table->key[table->description.primary_key_count++] = field;
}

struct test_context {
    struct plugin_context context;
    struct mem_owner owner;
};
static inline void test_context_init(struct test_context *context)
{
    struct error err = {0};
    mem_owner_init(&context->owner, NULL, "test");
    context->context = (struct plugin_context){
        .io = io_real(), .owner = &context->owner, .data_directory = ".", .output_fd = 1};
    must(io_pool_new(&context->context.io_pool, "io", 4, &err) == OK);
}
static inline void test_context_fini(struct test_context *context)
{
    io_pool_free(context->context.io_pool);
    mem_owner_fini(&context->owner);
}

static inline struct source_request test_source_request(const struct test_table *table,
                                                        const struct test_context *context)
{
    return (struct source_request){.table = &table->description,
                                   .wanted = table->wanted,
                                   .wanted_count = table->description.field_count,
                                   .limit = -1,
                                   .parallelism = 1,
                                   .job_name = "job",
                                   .context = &context->context,
                                   .owner = (struct mem_owner *)&context->owner};
}
static inline struct sink_request test_sink_request(const struct test_table *table,
                                                    const struct test_context *context)
{
    return (struct sink_request){.table = &table->description,
                                 .parallelism = 1,
                                 .job_name = "job",
                                 .context = &context->context,
                                 .owner = (struct mem_owner *)&context->owner};
}

/* A batch of the table's columns from sim-like texts is made by test_batch(): values row by row,
 * NULL for NULL; kinds NULL: all +I. */
static inline struct batch *
test_batch(const struct test_table *table, uint32_t row_count, const char *const *values,
           const char *kinds, enum status (*set)(struct vec *vec, uint32_t row, const char *text))
{
    struct error err = {0};
    struct vec *columns[64];
    struct batch *batch;
    uint32_t count = table->description.field_count;
    for (uint32_t i = 0; i < count; i++) {
        must(vec_new(&columns[i], table->fields[i].type, row_count, NULL, &err) == OK);
        must(vec_set_length(columns[i], row_count, &err) == OK);
        for (uint32_t row = 0; row < row_count; row++)
            must(set(columns[i], row, values[row * count + i]) == OK);
    }
    must(batch_new(&batch, columns, count, row_count, &err) == OK);
    if (kinds) {
        must(batch_make_kinds(batch, &err) == OK);
        for (uint32_t row = 0; row < row_count; row++)
            batch->kinds[row] = (uint8_t)(kinds[row] - '0');
    }
    return batch;
}

/* "a|NULL|1.00\n" for each selected row, with the kind before when the batch has kinds. */
static inline void test_rows_text(struct buf *out, const struct batch *batch)
{
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        uint32_t row = batch_row(batch, i);
        if (batch->kinds)
            buf_printf(out, "%s ", row_kind_text(batch_kind(batch, row)));
        for (uint32_t c = 0; c < batch->column_count; c++) {
            if (c)
                buf_append_byte(out, '|');
            datum_format_at(out, batch->columns[c], row, NULL);
        }
        buf_append_byte(out, '\n');
    }
}

#endif
