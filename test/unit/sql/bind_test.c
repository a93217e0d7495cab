/* bind_test.c - scripts and what they are bound to, as trees (golden). */
#include "sqltest.h"

static const char TABLES[] =
    "CREATE TABLE orders (order_id BIGINT, card STRING, amount DECIMAL(10,2), dt STRING,\n"
    "  ts AS TO_TIMESTAMP(dt), country STRING, part INT METADATA FROM 'partition' VIRTUAL,\n"
    "  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND) WITH ('connector' = 'kafka');\n"
    "CREATE TABLE totals (card STRING, total DECIMAL(38,2), PRIMARY KEY (card) NOT ENFORCED)\n"
    "  WITH ('connector' = 'jdbc');\n";

#define SCAN "Scan(default_catalog.default_database.orders)\n"

static struct error err;

static enum status run(const char *query, struct buf *out)
{
    struct sqltest test;
    error_clear(&err);
    enum status status = sqltest_init(&test, &err);
    if (status == OK)
        status = sqltest_run(&test, str_of(TABLES), NULL, &err);
    if (status == OK)
        status = sqltest_run(&test, str_of(query), out, &err);
    sqltest_fini(&test);
    return status;
}

#define CHECK_TREE(query, want)                                                                    \
    do {                                                                                           \
        struct buf out;                                                                            \
        buf_init(&out, 1 << 20);                                                                   \
        enum status status = run(query, &out);                                                     \
        bool same = status == OK && strcmp(buf_text(&out), want) == 0;                             \
        if (!same)                                                                                 \
            printf("# %s\n# %s at %u:%u\n%s---\n%s", query, err.text, err.pos.line,                \
                   err.pos.column, buf_text(&out), want);                                          \
        buf_fini(&out);                                                                            \
        CHECK(same);                                                                               \
    } while (0)

TEST(sum_by_card_into_a_table)
{
    CHECK_TREE("INSERT INTO totals SELECT card, SUM(amount) FROM orders GROUP BY card;",
               "card STRING, total DECIMAL(38, 2)\n"
               "Project(card=[card], total=[EXPR$1])\n"
               "  Project(card=[card], EXPR$1=[EXPR$0])\n"
               "    Aggregate(group=[card], EXPR$0=[SUM(amount)])\n"
               "      " SCAN);
}
