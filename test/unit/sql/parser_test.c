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

/* keyword.c and the %fallback of grammar.y agree on which words are reserved. */
TEST(words_that_can_be_names)
{
    uint32_t words = 0;
    for (int code = 1; code < 400; code++) {
        const char *word = keyword_text(code);
        bool reserved = false;
        char text[64];
        struct parse parse;
        if (!word)
            continue;
        words++;
        CHECK_INT(keyword_find(str_of(word), &reserved), code);
        snprintf(text, sizeof(text), "SELECT 1 AS %s", word);
        enum status status = parse_text(&parse, PARSE_STATEMENT, str_of(text));
        arena_fini(&arena);
        if ((status == OK) == reserved)
            CHECK_FAIL("%s: %s", text, status_name(status));
    }
    CHECK(words > 100);
    CHECK_INT(keyword_find(STR("nosuchword"), NULL), 0);
    CHECK_INT(keyword_find(STR("Select"), NULL), keyword_find(STR("SELECT"), NULL));
}

TEST(complete_statements)
{
    static const char *const COMPLETE[] = {
        "SELECT 1;",
        "SELECT ';' ; ",
        "SELECT 1 -- ;\n;",
        "EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT CASE WHEN x THEN 1 END; END;",
        "BEGIN STATEMENT SET; INSERT INTO a SELECT 1; END;",
    };
    static const char *const OPEN[] = {
        "",
        "SELECT 1",
        "SELECT ';",
        "SELECT `;",
        "SELECT 1 -- ;",
        "SELECT /* ;",
        "EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT CASE WHEN x THEN 1 END;",
        "EXPLAIN STATEMENT SET BEGIN INSERT INTO a SELECT 1; INSERT INTO b SELECT 1; END",
        "BEGIN STATEMENT SET;",
    };
    for (size_t i = 0; i < sizeof(COMPLETE) / sizeof(COMPLETE[0]); i++)
        if (!sql_is_complete(str_of(COMPLETE[i])))
            CHECK_FAIL("complete: %s", COMPLETE[i]);
    for (size_t i = 0; i < sizeof(OPEN) / sizeof(OPEN[0]); i++)
        if (sql_is_complete(str_of(OPEN[i])))
            CHECK_FAIL("not complete: %s", OPEN[i]);
}

/* Where tokens are: lines, columns in characters, offsets in bytes. */
TEST(positions)
{
    struct lexer lexer;
    struct token token;
    struct str text = STR("a \xc3\xa4\xc3\xb6\n  `b``c` -- x\n\t'\xe2\x82\xac\n' 12.5e-3<>");
    static const struct {
        uint32_t line, column, offset, length;
    } WANT[] = {{1, 1, 0, 1},  {1, 3, 2, 4},  {2, 3, 9, 6},
                {3, 2, 22, 6}, {4, 3, 29, 7}, {4, 10, 36, 2}};
    lexer_init(&lexer, text, (struct source_pos){0});
    for (size_t i = 0; i < sizeof(WANT) / sizeof(WANT[0]); i++) {
        CHECK_OK(lexer_next(&lexer, &token, &err));
        CHECK_INT(token.pos.line, WANT[i].line);
        CHECK_INT(token.pos.column, WANT[i].column);
        CHECK_INT(token.pos.offset, WANT[i].offset);
        CHECK_INT(token.pos.length, WANT[i].length);
    }
    CHECK_OK(lexer_next(&lexer, &token, &err));
    CHECK_INT(token.code, 0);
}
