/* sqltest.h - a catalog, a session and helpers to run scripts through the binder in tests. */
#ifndef LEAT_TEST_UNIT_SQL_SQLTEST_H
#define LEAT_TEST_UNIT_SQL_SQLTEST_H

#include "../check.h"

#include "sql/bind_int.h"
#include "sql/sql.h"

struct sqltest {
    struct catalog *catalog;
    struct zone *zone;
    struct function_session functions;
    struct sql_session session;
};

static enum status sqltest_init(struct sqltest *test, struct error *err)
{
    memset(test, 0, sizeof(*test));
    TRY(catalog_new(&test->catalog, err));
    enum status status = zone_from_offset(&test->zone, 0, err);
    test->functions.zone = test->zone;
    test->session = (struct sql_session){
        .catalog = test->catalog,
        .function_session = &test->functions,
    };
    return status;
}

static void sqltest_fini(struct sqltest *test)
{
    catalog_free(test->catalog);
    zone_free(test->zone);
}

static void sqltest_show_rel(struct buf *out, const struct rel *rel, bool types)
{
    if (types) {
        for (uint32_t i = 0; i < rel->column_count; i++) {
            buf_printf(out, "%s%s ", i ? ", " : "", rel->names[i]);
            type_format(out, rel->types[i]);
        }
        buf_append_byte(out, '\n');
    }
    rel_format(out, rel);
}

/* Runs a script; CREATEs go to the catalog. What inserts and queries are bound to is appended to
 * out (may be NULL). */
static enum status sqltest_run(struct sqltest *test, struct str text, struct buf *out,
                               struct error *err)
{
    struct sql_script *script;
    struct arena arena;
    enum status status = sql_script_open(&script, "test.sql", text, err);
    if (status != OK)
        return status;
    while (status == OK) {
        struct statement statement;
        arena_init(&arena, NULL, 256u << 20);
        status = sql_next(script, &test->session, &arena, &statement, err);
        if (status == OK && statement.kind == STATEMENT_CREATE)
            status = catalog_add(test->catalog, statement.object, statement.replace, err);
        for (uint32_t i = 0; status == OK && out && i < statement.insert_count; i++)
            sqltest_show_rel(out, statement.inserts[i].query, true);
        if (status == OK && out && statement.query)
            sqltest_show_rel(out, statement.query, true);
        sql_statement_fini(&statement);
        arena_fini(&arena);
    }
    sql_script_close(script);
    if (status == ERR_END) {
        error_clear(err);
        status = OK;
    }
    return status;
}

#endif
