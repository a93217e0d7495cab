/* hostile_test.c - texts made to hurt: deep, huge, cut off, broken, and no memory at any point. */
#include "sqltest.h"

static struct error err;

static enum status run_text(struct str text)
{
    struct sqltest test;
    error_clear(&err);
    enum status status = sqltest_init(&test, &err);
    if (status == OK)
        status = sqltest_run(&test, text, NULL, &err);
    sqltest_fini(&test);
    return status;
}

/* before, count times open, middle, count times close. */
static enum status run_nested(const char *before, const char *open, const char *middle,
                              const char *close, uint32_t count)
{
    struct buf buf;
    buf_init(&buf, 32u << 20);
    buf_append_text(&buf, before);
    for (uint32_t i = 0; i < count; i++)
        buf_append_text(&buf, open);
    buf_append_text(&buf, middle);
    for (uint32_t i = 0; i < count; i++)
        buf_append_text(&buf, close);
    enum status status = run_text((struct str){(char *)buf.data, buf.length});
    buf_fini(&buf);
    return status;
}

TEST(nesting_is_bounded)
{
    static const struct {
        const char *before, *open, *middle, *close;
    } CASES[] = {
        {"SELECT ", "(", "1", ")"},
        {"SELECT ", "(1, ", "1", ")"},
        {"SELECT ", "ABS(", "1", ")"},
        {"SELECT ", "NOT ", "TRUE", ""},
        {"SELECT ", "- ", "1", ""},
        {"SELECT 1", "", "", " + 1"},
        {"SELECT ", "CASE WHEN TRUE THEN ", "1", " END"},
        {"SELECT ", "CAST(", "1", " AS INT)"},
        {"SELECT ", "POSITION(", "1", " IN 'a')"},
        {"SELECT ", "ARRAY[", "1", "]"},
        {"SELECT * FROM ", "(SELECT * FROM ", "(SELECT 1)", ")"},
        {"", "(", "SELECT 1", ")"},
        {"WITH a AS ", "(WITH a AS ", "(SELECT 1) SELECT 1", ") SELECT 1"},
        {"SELECT CAST(1 AS ", "ARRAY<", "INT", ">)"},
        {"SELECT CAST(1 AS INT", "", "", " ARRAY"},
        {"SELECT a", "", "", ".b"},
        {"SELECT (a)", "", "", ".b"},
        {"SELECT 1", "", "", " UNION SELECT 1 UNION ALL SELECT 1"},
        {"CREATE TABLE t (a ", "ROW<a ", "INT", ">"},
        {"SELECT * FROM TABLE(", "TUMBLE(TABLE (SELECT 1), ", "1", ")"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        enum status status =
            run_nested(CASES[i].before, CASES[i].open, CASES[i].middle, CASES[i].close, 10000);
        if (status == OK || status == ERR_END || !err.text[0])
            CHECK_FAIL("%s%s...: %s", CASES[i].before, CASES[i].open, status_name(status));
    }
}

TEST(moderate_nesting_is_fine)
{
    CHECK_OK(run_nested("SELECT ", "(", "1", ")", 150));
    CHECK_OK(run_nested("SELECT * FROM ", "(SELECT * FROM ", "(SELECT 1)", ")", 90));
    CHECK_OK(run_nested("SELECT 1", "", "", " + 1", 150));
}

TEST(long_flat_texts)
{
    CHECK_OK(run_nested("SELECT TRUE", "", "", " OR FALSE", 50000));
    CHECK_INT(run_nested("SELECT 1 IN (0", "", "", ", 1", 20000), ERR_SYNTAX); /* no ) */
    CHECK_OK(run_nested("SELECT 1 IN (", "0, ", "1)", "", 20000));
    CHECK_OK(run_nested("VALUES 1", "", "", ", 2", 100000));
    CHECK_OK(run_nested("SELECT 1", "", "", " UNION ALL SELECT 2", 5000));
    CHECK_OK(run_nested("", "", "", "SELECT 1;", 20000));
    CHECK_INT(run_nested("SELECT 1", "", "", ", 2", 10000), ERR_LIMIT);
}

TEST(scripts_of_16_megabytes)
{
    size_t size = SQL_TEXT_MAX + 1;
    char *text = mem_alloc(size);
    CHECK(text != NULL);
    memset(text, ' ', size);
    memcpy(text, "SELECT '", 8);
    memset(text + 8, 'x', SQL_TEXT_MAX - 9);
    text[SQL_TEXT_MAX - 1] = '\'';
    enum status good = run_text((struct str){text, SQL_TEXT_MAX});
    enum status above = run_text((struct str){text, size});
    memset(text, '(', SQL_TEXT_MAX);
    enum status brackets = run_text((struct str){text, SQL_TEXT_MAX});
    memset(text, 'a', SQL_TEXT_MAX);
    enum status word = run_text((struct str){text, SQL_TEXT_MAX});
    mem_free(text);
    CHECK_INT(good, OK);
    CHECK_INT(above, ERR_LIMIT);
    CHECK_INT(brackets, ERR_LIMIT);
    CHECK_INT(word, ERR_SYNTAX);
}

TEST(bytes_that_are_not_utf8)
{
    static const char *const TEXTS[] = {
        "SELECT '\xff'",         "SELECT '\xc0\xaf'",
        "SELECT '\xed\xa0\x80'", "SELECT '\xf5\x80\x80\x80'",
        "SELECT '\xe2\x82'",     "\x80",
        "-- \xfe\nSELECT 1",
    };
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        CHECK_INT(run_text(str_of(TEXTS[i])), ERR_SYNTAX);
        CHECK(err.pos.line > 0);
    }
    CHECK_INT(run_text((struct str){"SELECT 1\0;", 10}), ERR_SYNTAX);
    CHECK_OK(run_text(str_of("SELECT '\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80' AS `\xc3\xa4`, "
                             "1 AS \xc3\xa4\xc3\xb6; -- \xe2\x82\xac")));
}

static const char RICH[] =
    "CREATE TABLE orders (order_id BIGINT, card STRING NOT NULL, amount DECIMAL(10,2), dt STRING,\n"
    "  ts AS TO_TIMESTAMP(dt), r ROW<a INT, b ARRAY<STRING>>, part INT METADATA FROM 'partition'\n"
    "  VIRTUAL COMMENT 'p', WATERMARK FOR ts AS ts - INTERVAL '5' SECOND,\n"
    "  CONSTRAINT ok CHECK (amount >= 0)) COMMENT 'o''s' WITH ('connector' = 'kafka', 'a' = 'b');\n"
    "CREATE TABLE totals (card STRING, total DECIMAL(38,2), PRIMARY KEY (card) NOT ENFORCED)\n"
    "  WITH ('connector' = 'jdbc');\n"
    "/* a view */ CREATE TEMPORARY VIEW v (c, d, ts) AS SELECT o.card, amount * 2, ts FROM orders "
    "o\n"
    "  WHERE r.a IS NOT NULL AND card IN ('Visa', 'Master') -- more\n"
    "  OR amount BETWEEN 1 AND 1e3;\n"
    "EXECUTE STATEMENT SET BEGIN\n"
    "INSERT INTO totals SELECT card, SUM(amount) FILTER (WHERE amount > 1.5) FROM orders\n"
    "  /*+ OPTIONS('a' = 'c') */ GROUP BY card HAVING COUNT(DISTINCT order_id) > 1;\n"
    "INSERT INTO totals (card) (SELECT CASE WHEN c LIKE 'a%' THEN c ELSE U&'\\0041' END FROM v);\n"
    "END;\n"
    "WITH w AS (SELECT window_start s, window_end, SUM(d) total FROM TABLE(TUMBLE(DATA => TABLE "
    "v,\n"
    "  TIMECOL => DESCRIPTOR(ts), SIZE => INTERVAL '1' MINUTE)) GROUP BY window_start, "
    "window_end)\n"
    "SELECT DISTINCT s, CAST(total AS STRING) || '\\x', EXTRACT(DAY FROM s) FROM w\n"
    "UNION ALL VALUES (TIMESTAMP '2020-01-01 00:00:00', 'a', -1) ORDER BY 1 DESC LIMIT 3 OFFSET "
    "1;\n"
    "EXPLAIN SELECT COALESCE(card, TRIM(BOTH 'x' FROM card)), NULLIF(1, 2) FROM `orders`;\n"
    "SET 'a' = 'b'; SHOW CREATE TABLE orders; DROP VIEW IF EXISTS v;";

TEST(the_rich_script_is_valid)
{
    CHECK_OK(run_text(STR(RICH)));
}

TEST(every_prefix_is_an_answer)
{
    struct str text = STR(RICH);
    for (size_t length = 0; length <= text.length; length++) {
        char *copy = mem_alloc(length ? length : 1); /* so that ASan sees a read behind it */
        CHECK(copy != NULL);
        memcpy(copy, text.data, length);
        enum status status = run_text((struct str){copy, length});
        mem_free(copy);
        if (status != OK && !err.text[0])
            CHECK_FAIL("prefix of %zu bytes: %s without a text", length, status_name(status));
    }
}

/* One byte changed to another that means something. */
TEST(every_changed_byte_is_an_answer)
{
    struct str text = STR(RICH);
    static const char BYTES[] = "('`;\xff*/-,.0";
    char *copy = mem_alloc(text.length);
    CHECK(copy != NULL);
    for (size_t at = 0; at < text.length; at += 3) {
        memcpy(copy, text.data, text.length);
        copy[at] = BYTES[at / 3 % (sizeof(BYTES) - 1)];
        enum status status = run_text((struct str){copy, text.length});
        if (status != OK && !err.text[0]) {
            mem_free(copy);
            CHECK_FAIL("byte %zu: %s without a text", at, status_name(status));
        }
    }
    mem_free(copy);
}

TEST(no_memory_at_any_point)
{
    struct str text = STR(RICH);
    for (uint64_t n = 1;; n++) {
        CHECK(n < 100000);
        mem_fail_after(n);
        uint64_t before = mem_alloc_count();
        enum status status = run_text(text);
        bool reached = mem_alloc_count() - before >= n;
        mem_fail_after(0);
        if (!reached)
            break;
        /* OK: the parser tries again to grow its stack. */
        if (status != OK && status != ERR_MEMORY && status != ERR_BUDGET)
            CHECK_FAIL("allocation %" PRIu64 " failed, but: %s %s", n, status_name(status),
                       err.text);
    }
}
