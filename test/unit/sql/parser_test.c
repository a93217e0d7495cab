/* parser_test.c - what the grammar takes, and how what it does not take is worded. */
#include "../check.h"

#include "sql/parser.h"
#include "sql/sql.h"

static struct arena arena;
static struct error err;

static enum status parse_text(struct parse *parse, enum parse_goal goal, struct str text)
{
    struct lexer lexer;
    error_clear(&err);
    arena_init(&arena, NULL, 64u << 20);
    enum status status = lexer_check_utf8(text, &err);
    if (status == OK) {
        lexer_init(&lexer, text, (struct source_pos){0});
        status = parse_run(parse, goal, &lexer, &arena, &err);
    }
    return status;
}

TEST(statements_that_parse)
{
    static const char *const TEXTS[] = {
        "SELECT 1",
        "select a, t.b as c, `select`, t.* from t where a > 1 and b is not null or not c",
        "SELECT * FROM (SELECT a FROM t) AS s (x) WHERE x BETWEEN SYMMETRIC 1 AND 2 AND y NOT IN "
        "(1, 2)",
        "WITH a AS (SELECT 1), b (x, y) AS (VALUES (1, 2)) SELECT * FROM a UNION ALL SELECT * FROM "
        "b",
        "(SELECT 1 LIMIT 1) UNION ALL (SELECT 2) ORDER BY 1 DESC NULLS LAST LIMIT 3 OFFSET 1",
        "SELECT DISTINCT a FROM t OFFSET 1 ROW FETCH FIRST 3 ROWS ONLY",
        "SELECT COUNT(*), SUM(DISTINCT a) FILTER (WHERE b > 1) FROM t GROUP BY a, (b, c) HAVING "
        "COUNT(*) > 1",
        "SELECT * FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECONDS))",
        "SELECT * FROM TABLE(TUMBLE(DATA => TABLE t, TIMECOL => DESCRIPTOR(ts), SIZE => INTERVAL "
        "'1' DAY))",
        "SELECT EXTRACT(DAY FROM ts), FLOOR(ts TO HOUR), CEIL(x), SUBSTRING(a FROM 1 FOR 2), "
        "TRIM(BOTH 'x' FROM y), TRIM(y), TRIM(LEADING FROM y), OVERLAY(a PLACING b FROM 1 FOR 2), "
        "POSITION('a' IN b), POSITION((1 IN (2)) IN c), TIMESTAMPADD(DAY, 1, ts)",
        "SELECT CASE WHEN a THEN 1 ELSE 2 END, CASE a WHEN 1 THEN 2 END, CAST(a AS ROW<x INT, y "
        "ARRAY<INT>>)",
        "SELECT a LIKE 'x%' ESCAPE '!', a NOT LIKE b, a SIMILAR TO b, a IS NOT DISTINCT FROM b, a "
        "IS NOT TRUE",
        "SELECT INTERVAL '1 02:03:04.5' DAY(3) TO SECOND(3), INTERVAL -'1' YEAR, DATE "
        "'2020-01-01', "
        "TIMESTAMP '2020-01-01 00:00:00', x'0F', U&'\\0041', 'it''s', 1.5e3, .5, 12.",
        "SELECT LEFT(a, 1), RIGHT(a, 1), IF(a, 1, 2), REPLACE(a, b, c), ROW(1, 2), ARRAY[1, 2], "
        "MAP['a', 1], m['a'], (r).f",
        "SELECT 1 -- comment\n/* more */ // and more\n + 2",
        "INSERT INTO t SELECT * FROM s",
        "INSERT INTO t (a, `b`) VALUES (1, 2), (3, 4)",
        "INSERT INTO t (SELECT 1)",
        "EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT CASE WHEN x THEN 1 END; INSERT INTO b "
        "SELECT 1; END;",
        "BEGIN STATEMENT SET; INSERT INTO a SELECT 1; END",
        "EXPLAIN SELECT 1",
        "EXPLAIN PLAN FOR INSERT INTO t SELECT 1",
        "EXPLAIN ESTIMATED_COST, CHANGELOG_MODE SELECT 1",
        "EXPLAIN STATEMENT SET BEGIN INSERT INTO a SELECT 1; END",
        "SET 'a' = 'b'",
        "SET",
        "RESET",
        "RESET 'a'",
        "SHOW TABLES",
        "SHOW VIEWS LIKE 'a%'",
        "SHOW FUNCTIONS NOT LIKE 'a%'",
        "SHOW CREATE VIEW v",
        "DESCRIBE t",
        "DESC a.b.c",
        "DESCRIBE EXTENDED t",
        "DROP TABLE IF EXISTS t",
        "DROP TEMPORARY VIEW v",
        "CREATE TEMPORARY VIEW IF NOT EXISTS v (a, b) COMMENT 'c' AS SELECT 1, 2",
        "CREATE OR REPLACE VIEW v AS SELECT * FROM t WHERE a = 'x;y'",
        "CREATE TABLE IF NOT EXISTS c.d.t (a INT NOT NULL PRIMARY KEY NOT ENFORCED COMMENT 'x', "
        "b AS a + 1 COMMENT 'y', c TIMESTAMP(3) WITH LOCAL TIME ZONE METADATA FROM 'ts' VIRTUAL, d "
        "BIGINT METADATA, "
        "e DOUBLE PRECISION, f CHARACTER VARYING(3), g MAP<STRING, ARRAY<INT NOT NULL>>, h ROW(x "
        "INT, y STRING), "
        "i INT ARRAY, j INTERVAL DAY TO SECOND(3), k DECIMAL(10, 2), "
        "WATERMARK FOR c AS c - INTERVAL '5' SECOND, CONSTRAINT pk PRIMARY KEY (a, k) NOT "
        "ENFORCED, "
        "CONSTRAINT ck CHECK (a > 0)) COMMENT 'it' PARTITIONED BY (a) WITH ('connector' = 'x', 'k' "
        "= 'v')",
        "CREATE TABLE t (a INT) LIKE u",
        "CREATE TABLE t (a INT, CHECK (a > 0), b BIGINT METADATA, c STRING COMMENT 'x')",
    };
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        struct parse parse;
        enum status status = parse_text(&parse, PARSE_STATEMENT, str_of(TEXTS[i]));
        arena_fini(&arena);
        if (status != OK)
            CHECK_FAIL("%s\n#   %s: %u:%u %s (%s)", TEXTS[i], status_name(status), err.pos.line,
                       err.pos.column, err.text, err.hint);
    }
}
