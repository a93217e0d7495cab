/* result.c - how the rows of a query are printed.
 *
 *   form        bounded query                unbounded query
 *   table       the final rows, as a table   rows as they come, with op when rows can change
 *   changelog   op and row, as they come     the same
 *   json, csv   the final rows, a line each  rows as they come, with op when rows can change
 *
 * Final rows: a query that only appends prints at once (json, csv) or keeps all rows for the
 * widths; a changing one keeps the current row per upsert key, or per whole row where there is no
 * key.
 */
#include "base/hash.h"
#include "cli/cli.h"

#include <unistd.h>

#define CELL_ARENA_MAX ((size_t)4 << 30)
#define LINE_BYTES_MAX (256u << 20)

struct row {
    const char **cells;
    struct str key;   /* of a changing result */
    struct row *next; /* of the hash chain */
    bool gone;
};

struct printer {
    enum result_form form;
    struct cell_table table; /* with the op column first where it is shown */
    bool shows_op;
    bool keeps; /* rows are kept until the end */
    bool changes;
    const struct plan_node *collect;
    const struct zone *zone;
    struct arena arena;
    struct buf line;
    uint64_t row_count, row_capacity, gone_count;
    struct row **rows; /* in order of arrival */
    uint32_t bucket_mask;
    struct row **buckets;
};

bool result_form_parse(const char *text, enum result_form *out)
{
    static const char *const names[] = {"table", "changelog", "json", "csv"};
    for (uint32_t i = 0; i < 4; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = (enum result_form)i;
            return true;
        }
    }
    return false;
}

static enum status set_columns(struct printer *printer, struct error *err)
{
    const struct plan_node *collect = printer->collect;
    uint32_t extra = printer->shows_op, count = collect->column_count + extra;
    const char **names = ARENA_ARRAY(&printer->arena, count, const char *);
    bool *is_number = ARENA_ARRAY(&printer->arena, count, bool);
    TRY(arena_check(&printer->arena, "the result", err));
    if (extra)
        names[0] = "op";
    for (uint32_t i = 0; i < collect->column_count; i++) {
        names[extra + i] = collect->names[i];
        is_number[extra + i] =
            type_is_numeric(collect->types[i]) ||
            (printer->form == RESULT_FORM_JSON && collect->types[i]->root == TYPE_BOOLEAN);
    }
    printer->table = (struct cell_table){count, names, is_number};
    return OK;
}

enum status printer_new(struct printer **out, enum result_form form,
                        const struct plan_node *collect, bool bounded, const struct zone *zone,
                        struct error *err)
{
    struct printer *printer = mem_calloc(1, sizeof(*printer));
    if (!printer)
        return error_memory(err, "the result", sizeof(*printer));
    printer->form = form;
    printer->collect = collect;
    printer->zone = zone;
    printer->changes = collect->changelog != CHANGELOG_APPEND;
    printer->shows_op = form == RESULT_FORM_CHANGELOG || (printer->changes && !bounded);
    printer->keeps =
        bounded && form != RESULT_FORM_CHANGELOG && (printer->changes || form == RESULT_FORM_TABLE);
    arena_init(&printer->arena, NULL, CELL_ARENA_MAX);
    buf_init(&printer->line, LINE_BYTES_MAX);
    printer->bucket_mask = (1u << 16) - 1;
    enum status status = set_columns(printer, err);
    if (status == OK && printer->keeps && printer->changes) {
        printer->buckets = mem_calloc(printer->bucket_mask + 1, sizeof(*printer->buckets));
        if (!printer->buckets)
            status = error_memory(err, "the result", printer->bucket_mask * sizeof(void *));
    }
    if (status == OK && form == RESULT_FORM_CSV) {
        cells_csv(&printer->line, printer->table.names, printer->table.column_count);
        status = output_write(&printer->line, err);
    }
    if (status != OK) {
        printer_free(printer);
        return status;
    }
    *out = printer;
    return OK;
}

void printer_free(struct printer *printer)
{
    if (!printer)
        return;
    arena_fini(&printer->arena);
    buf_fini(&printer->line);
    mem_free(printer->rows);
    mem_free(printer->buckets);
    mem_free(printer);
}

/* The cells of a row, texts in arena. */
static enum status make_cells(struct printer *printer, struct arena *arena,
                              const struct batch *batch, uint32_t row, const char ***out,
                              struct error *err)
{
    const char **cells = ARENA_ARRAY(arena, printer->table.column_count, const char *);
    struct buf text;
    uint32_t at = 0;
    TRY(arena_check(arena, "the result", err));
    buf_init(&text, LINE_BYTES_MAX);
    if (printer->shows_op)
        cells[at++] = row_kind_text((enum row_kind)batch_kind(batch, row));
    for (uint32_t i = 0; i < printer->collect->column_count; i++) {
        struct datum datum;
        datum_get(&datum, batch->columns[i], row);
        buf_clear(&text);
        if (!datum.is_null) {
            if (datum.type->root == TYPE_BOOLEAN && printer->form == RESULT_FORM_JSON)
                buf_append_text(&text, datum.i64 ? "true" : "false");
            else
                datum_format(&text, &datum, printer->zone);
        }
        cells[at++] = datum.is_null ? NULL : arena_strndup(arena, buf_text(&text), text.length);
    }
    *out = cells;
    enum status status = buf_check(&text, "the result", err);
    buf_fini(&text);
    return status == OK ? arena_check(arena, "the result", err) : status;
}

static struct str key_of(struct printer *printer, const char *const *cells)
{
    const struct plan_node *collect = printer->collect;
    struct buf key;
    bool by_key = collect->changelog == CHANGELOG_UPSERT && collect->upsert_key_count;
    uint32_t count =
        collect->changelog == CHANGELOG_UPSERT ? collect->upsert_key_count : collect->column_count;
    buf_init(&key, LINE_BYTES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        const char *cell = cells[by_key ? collect->upsert_key[i] : i];
        buf_append_byte(&key, cell ? 1 : 0);
        if (cell)
            buf_append(&key, cell, strlen(cell) + 1);
    }
    struct str copy = {arena_strndup(&printer->arena, buf_text(&key), key.length), key.length};
    buf_fini(&key);
    return copy;
}

static enum status add_row(struct printer *printer, struct row *row, struct error *err)
{
    if (printer->row_count == printer->row_capacity) {
        uint64_t capacity = printer->row_capacity ? printer->row_capacity * 2 : 1024;
        struct row **rows = mem_realloc(printer->rows, capacity * sizeof(*rows));
        if (!rows)
            return error_memory(err, "the result", capacity * sizeof(*rows));
        printer->rows = rows;
        printer->row_capacity = capacity;
    }
    printer->rows[printer->row_count++] = row;
    return OK;
}

/* Apply a change to the kept rows. */
static enum status apply(struct printer *printer, const char **cells, uint8_t kind,
                         struct error *err)
{
    if (!printer->changes) {
        struct row *row = ARENA_NEW(&printer->arena, struct row);
        TRY(arena_check(&printer->arena, "the result", err));
        row->cells = cells;
        return add_row(printer, row, err);
    }
    bool upsert = printer->collect->changelog == CHANGELOG_UPSERT;
    struct str key = key_of(printer, cells);
    TRY(arena_check(&printer->arena, "the result", err));
    struct row **at = &printer->buckets[hash_bytes(key.data, key.length) & printer->bucket_mask];
    while (*at && !str_eq((*at)->key, key))
        at = &(*at)->next;
    struct row *found = *at;
    if (!row_kind_is_accumulate(kind)) {
        if (found && (kind == ROW_DELETE || !upsert)) {
            found->gone = true;
            printer->gone_count++;
            *at = found->next;
        }
        return OK;
    }
    if (found && upsert) {
        found->cells = cells;
        return OK;
    }
    struct row *row = ARENA_NEW(&printer->arena, struct row);
    TRY(arena_check(&printer->arena, "the result", err));
    row->cells = cells;
    row->key = key;
    row->next = *at;
    *at = row;
    return add_row(printer, row, err);
}

static void append_line(struct printer *printer, const char *const *cells)
{
    uint32_t first = printer->shows_op;
    switch (printer->form) {
    case RESULT_FORM_JSON:
        cells_json(&printer->line, &printer->table, cells);
        break;
    case RESULT_FORM_CSV:
        cells_csv(&printer->line, cells, printer->table.column_count);
        break;
    default: /* +I[1, a], as Flink's print connector */
        buf_append_text(&printer->line, printer->shows_op ? cells[0] : "");
        buf_append_byte(&printer->line, '[');
        for (uint32_t i = first; i < printer->table.column_count; i++)
            buf_printf(&printer->line, "%s%s", i > first ? ", " : "", cells[i] ? cells[i] : "NULL");
        buf_append_text(&printer->line, "]\n");
        break;
    }
}

enum status printer_rows(struct printer *printer, const struct batch *batch, struct error *err)
{
    struct arena scratch;
    enum status status = OK;
    arena_init(&scratch, NULL, CELL_ARENA_MAX);
    buf_clear(&printer->line);
    for (uint32_t i = 0; i < batch->selected_count && status == OK; i++) {
        uint32_t row = batch_row(batch, i);
        const char **cells;
        struct arena *arena = printer->keeps ? &printer->arena : &scratch;
        status = make_cells(printer, arena, batch, row, &cells, err);
        if (status != OK)
            break;
        if (printer->keeps)
            status = apply(printer, cells, batch_kind(batch, row), err);
        else
            append_line(printer, cells);
    }
    arena_fini(&scratch);
    if (status == OK && printer->line.length)
        status = output_write(&printer->line, err);
    return status;
}

enum status printer_end(struct printer *printer, struct error *err)
{
    if (!printer->keeps)
        return OK;
    uint64_t count = printer->row_count - printer->gone_count, at = 0;
    uint32_t columns = printer->table.column_count;
    const char **cells = mem_calloc(count * columns + 1, sizeof(*cells));
    enum status status = OK;
    if (!cells)
        return error_memory(err, "the result", count * columns * sizeof(*cells));
    for (uint64_t i = 0; i < printer->row_count; i++)
        if (!printer->rows[i]->gone)
            memcpy(cells + at++ * columns, printer->rows[i]->cells, columns * sizeof(*cells));
    if (printer->form == RESULT_FORM_TABLE) {
        status = cells_table_print(&printer->table, cells, count, err);
    } else {
        buf_clear(&printer->line);
        for (uint64_t i = 0; i < count && status == OK; i++) {
            append_line(printer, cells + i * columns);
            if (printer->line.length > (1u << 20) || i + 1 == count) {
                status = output_write(&printer->line, err);
                buf_clear(&printer->line);
            }
        }
    }
    mem_free(cells);
    return status;
}

enum status result_print(const struct engine_result *result, enum result_form form,
                         struct error *err)
{
    const struct cell_table table = {result->column_count, result->columns, NULL};
    struct buf out;
    enum status status = OK;
    if (result->kind == RESULT_TABLE &&
        (form == RESULT_FORM_TABLE || form == RESULT_FORM_CHANGELOG))
        return cells_table_print(&table, result->cells, result->row_count, err);
    buf_init(&out, LINE_BYTES_MAX);
    if (result->kind == RESULT_TEXT) {
        buf_append_text(&out, result->text);
        if (out.length && out.data[out.length - 1] != '\n')
            buf_append_byte(&out, '\n');
    } else if (result->kind == RESULT_TABLE) {
        if (form == RESULT_FORM_CSV)
            cells_csv(&out, result->columns, result->column_count);
        for (uint32_t i = 0; i < result->row_count; i++) {
            const char *const *cells = result->cells + (size_t)i * result->column_count;
            if (form == RESULT_FORM_CSV)
                cells_csv(&out, cells, result->column_count);
            else
                cells_json(&out, &table, cells);
        }
    }
    status = output_write(&out, err);
    buf_fini(&out);
    return status;
}
