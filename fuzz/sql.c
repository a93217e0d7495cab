/* Scripts of any bytes: parsed, bound, formatted or refused with a text and a place, never a crash.
 */
#include "sql/sql.h"

#include <stdlib.h>

static const char TABLES[] =
    "CREATE TABLE t (a BIGINT, s STRING, d DECIMAL(10,2), b BOOLEAN, ts TIMESTAMP(3), r ROW<x INT>,"
    " m INT METADATA VIRTUAL, c AS a + 1, WATERMARK FOR ts AS ts - INTERVAL '5' SECOND)"
    " WITH ('connector' = 'x');"
    "CREATE TABLE k (a BIGINT, n INT, PRIMARY KEY (a) NOT ENFORCED) WITH ('connector' = 'x');";

static void check_error(struct str text, const struct error *err)
{
    struct buf out;
    if (!err->text[0])
        abort();
    buf_init(&out, 1u << 20);
    sql_format_error(&out, "fuzz.sql", text, err);
    buf_fini(&out);
}

static void run(struct sql_session *session, struct str text)
{
    struct sql_script *script;
    struct error err = {0};
    enum status status = sql_script_open(&script, "fuzz.sql", text, &err);
    for (int i = 0; status == OK && i < 1000; i++) {
        struct statement statement;
        struct arena arena;
        struct buf out;
        arena_init(&arena, NULL, 64u << 20);
        buf_init(&out, 1u << 20);
        status = sql_next(script, session, &arena, &statement, &err);
        if (status == OK && statement.kind == STATEMENT_CREATE) {
            catalog_format_ddl(&out, statement.object);
            status = catalog_add(session->catalog, statement.object, statement.replace, &err);
        }
        for (uint32_t k = 0; status == OK && k < statement.insert_count; k++)
            rel_format(&out, statement.inserts[k].query);
        if (status == OK && statement.query)
            rel_format(&out, statement.query);
        sql_statement_fini(&statement);
        buf_fini(&out);
        arena_fini(&arena);
    }
    if (status != OK && status != ERR_END)
        check_error(text, &err);
    sql_script_close(script);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct catalog *catalog;
    struct zone *zone;
    struct error err = {0};
    struct str text = {(const char *)data, size_bytes};
    if (catalog_new(&catalog, &err) != OK || zone_from_offset(&zone, 0, &err) != OK)
        abort();
    struct function_session functions = {.zone = zone};
    const struct sql_parameter parameters[] = {{STR("a"), STR("it's :b '")}, {STR("by"), STR("")}};
    struct sql_session session = {.catalog = catalog,
                                  .function_session = &functions,
                                  .parameters = parameters,
                                  .parameter_count = 2};
    run(&session, STR(TABLES));
    run(&session, text);
    (void)sql_is_complete(text);
    (void)sql_uses_parameter(text, parameters[0].name);
    zone_free(zone);
    catalog_free(catalog);
    return 0;
}
