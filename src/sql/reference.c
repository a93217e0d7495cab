/* reference.c - the table behind reference.h. */
#include "sql/reference.h"

#include "base/must.h"

const char SQL_REFERENCE_TABLES[] =
    "CREATE TABLE orders (\n"
    "  card STRING,\n"
    "  amount DECIMAL(10, 2),\n"
    "  ts TIMESTAMP(3),\n"
    "  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND\n"
    ") WITH ('connector' = 'datagen', 'number-of-rows' = '10');\n"
    "CREATE TABLE totals (card STRING, total DECIMAL(38, 2), PRIMARY KEY (card) NOT ENFORCED)\n"
    "WITH ('connector' = 'blackhole');\n"
    "CREATE TABLE minutes (start_time TIMESTAMP(3), orders BIGINT)\n"
    "WITH ('connector' = 'blackhole');\n";

static const struct sql_topic TOPICS[] = {
    {SQL_STATEMENT, "CREATE TABLE",
     "CREATE [TEMPORARY] TABLE [IF NOT EXISTS] name (\n"
     "  { column type [NOT NULL] [PRIMARY KEY NOT ENFORCED] [COMMENT 'text']\n"
     "  | column type METADATA [FROM 'key'] [VIRTUAL]\n"
     "  | column AS expression\n"
     "  | WATERMARK FOR column AS expression\n"
     "  | [CONSTRAINT name] PRIMARY KEY (column [, column]...) NOT ENFORCED\n"
     "  | [CONSTRAINT name] CHECK (expression) } [, ...]\n"
     ") [COMMENT 'text'] [PARTITIONED BY (column [, column]...)]\n"
     "WITH ('key' = 'value' [, ...]) [LIKE table]",
     "Says where rows are and how they look: columns of the record, columns about it (METADATA), "
     "computed ones, the clock of event time (WATERMARK), and in WITH the connector, the format "
     "and "
     "their options. Connector and options are checked at once. A primary key makes a sink replace "
     "rows by key.",
     "CREATE TABLE events (\n"
     "  id BIGINT,\n"
     "  happened STRING,\n"
     "  at AS TO_TIMESTAMP(happened),\n"
     "  WATERMARK FOR at AS at - INTERVAL '5' SECOND\n"
     ") WITH ('connector' = 'filesystem', 'path' = 'events', 'format' = 'json');"},
    {SQL_STATEMENT, "CREATE VIEW",
     "CREATE [OR REPLACE] [TEMPORARY] VIEW [IF NOT EXISTS] name [(column [, column]...)]\n"
     "[COMMENT 'text'] AS query",
     "A query with a name. Jobs that read it run it as a part of theirs.",
     "CREATE VIEW large_orders AS SELECT * FROM orders WHERE amount > 100;"},
    {SQL_STATEMENT, "DROP", "DROP [TEMPORARY] { TABLE | VIEW } [IF EXISTS] name",
     "Takes a table or view out of the catalog. Its data and running jobs stay.",
     "DROP TABLE IF EXISTS totals;"},
    {SQL_STATEMENT, "INSERT INTO", "[EXECUTE] INSERT INTO table [(column [, column]...)] query",
     "Starts a job that writes the query's rows, and their changes, to the table. The next "
     "statement does not wait for it unless table.dml-sync is true.",
     "INSERT INTO totals SELECT card, SUM(amount) FROM orders GROUP BY card;"},
    {SQL_STATEMENT, "EXECUTE STATEMENT SET",
     "EXECUTE STATEMENT SET BEGIN\n"
     "  insert; [insert;]...\n"
     "END",
     "Several INSERTs as one job: a table that they share is read once.",
     "EXECUTE STATEMENT SET BEGIN\n"
     "  INSERT INTO totals SELECT card, SUM(amount) FROM orders GROUP BY card;\n"
     "  INSERT INTO minutes SELECT window_start, COUNT(*)\n"
     "  FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '1' MINUTE))\n"
     "  GROUP BY window_start, window_end;\n"
     "END;"},
    {SQL_STATEMENT, "SELECT",
     "[WITH name [(column [, column]...)] AS (query) [, ...]]\n"
     "SELECT [DISTINCT] { expression [[AS] name] | * | table.* } [, ...]\n"
     "[FROM { table | view | (query) } [[AS] name [(column [, ...])]]]\n"
     "[WHERE condition] [GROUP BY expression [, ...]] [HAVING condition]\n"
     "[ORDER BY expression [ASC | DESC] [NULLS { FIRST | LAST }] [, ...]]\n"
     "[LIMIT count] [OFFSET count]",
     "As a statement of its own it prints its rows (see run --result) and is waited for.",
     "SELECT card, SUM(amount) AS total FROM orders GROUP BY card;"},
    {SQL_STATEMENT, "EXPLAIN", "EXPLAIN [PLAN FOR] { query | insert | statement set }",
     "Prints the bound query, the physical plan with changelog modes, keys and state, and what "
     "each "
     "sink guarantees. Nothing runs.",
     "EXPLAIN SELECT card, COUNT(*) FROM orders GROUP BY card;"},
    {SQL_STATEMENT, "SHOW",
     "SHOW { TABLES | VIEWS | FUNCTIONS } [[NOT] LIKE 'pattern']\n"
     "SHOW CREATE { TABLE | VIEW } name",
     "Lists what there is; SHOW CREATE gives the statement again, with secrets hidden.",
     "SHOW TABLES LIKE 'ord%';"},
    {SQL_STATEMENT, "DESCRIBE", "{ DESCRIBE | DESC } name",
     "The columns of a table or view: type, nullability, key, computed expression, watermark.",
     "DESCRIBE orders;"},
    {SQL_STATEMENT, "SET", "SET ['key' = 'value']",
     "Changes a setting for the statements after it; without a key: shows what is set.",
     "SET 'parallelism.default' = '2';"},
    {SQL_STATEMENT, "RESET", "RESET ['key']",
     "Gives a setting its default again; without a key: all of them.",
     "RESET 'parallelism.default';"},

    {SQL_CLAUSE, "WITH", "WITH name [(column [, column]...)] AS (query) [, ...] query",
     "Names for queries within one statement; one that is read twice runs once.",
     "WITH cards AS (SELECT card FROM orders) SELECT card, COUNT(*) FROM cards GROUP BY card;"},
    {SQL_CLAUSE, "GROUP BY", "GROUP BY expression [, expression]...",
     "One row for each group, which changes as rows come.",
     "SELECT card, COUNT(*) FROM orders GROUP BY card HAVING COUNT(*) > 1;"},
    {SQL_CLAUSE, "TUMBLE",
     "FROM TABLE(TUMBLE(TABLE table, DESCRIPTOR(time_column), size [, offset]))\n"
     "... GROUP BY window_start, window_end [, expression]...",
     "Windows of equal size, one after another. The rows of a window come once, when the watermark "
     "has passed its end; later rows are dropped and counted. The columns window_start, window_end "
     "and window_time are added to the table's.",
     "SELECT window_start, card, SUM(amount)\n"
     "FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '1' MINUTE))\n"
     "GROUP BY window_start, window_end, card;"},
    {SQL_CLAUSE, "FILTER", "aggregate(...) FILTER (WHERE condition)",
     "The aggregate counts only these rows.",
     "SELECT card, COUNT(*) FILTER (WHERE amount > 100) FROM orders GROUP BY card;"},
    {SQL_CLAUSE, "UNION", "query UNION [ALL | DISTINCT] query",
     "The rows of both; without ALL each row once.",
     "SELECT card FROM orders UNION ALL SELECT card FROM orders;"},
    {SQL_CLAUSE, "VALUES", "VALUES (expression [, ...]) [, (expression [, ...])]...",
     "Rows written down.", "SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS t (id, name);"},
    {SQL_CLAUSE, "OPTIONS", "table /*+ OPTIONS('key' = 'value' [, ...]) */",
     "Options of a table changed for one use of it.",
     "SELECT * FROM orders /*+ OPTIONS('number-of-rows' = '3') */;"},

    {SQL_FORM, "CASE",
     "CASE WHEN condition THEN value [WHEN ...] [ELSE value] END\n"
     "CASE expression WHEN value THEN value [WHEN ...] [ELSE value] END",
     "The first value whose condition is true; without ELSE NULL.",
     "CASE WHEN 1 > 2 THEN 'more' ELSE 'less' END"},
    {SQL_FORM, "COALESCE", "COALESCE(value [, value]...)", "The first value that is not NULL.",
     "COALESCE(CAST(NULL AS STRING), 'none')"},
    {SQL_FORM, "IF", "IF(condition, value, other)",
     "The value when the condition is true, else the other.", "IF(1 = 1, 'yes', 'no')"},
    {SQL_FORM, "NULLIF", "NULLIF(value, other)", "NULL when both are equal, else the value.",
     "NULLIF('', '')"},
    {SQL_FORM, "CAST", "CAST(value AS type)",
     "The value as another type; what cannot be converted is an error.",
     "CAST('12.50' AS DECIMAL(10, 2))"},
    {SQL_FORM, "TRY_CAST", "TRY_CAST(value AS type)", "As CAST; what cannot be converted is NULL.",
     "TRY_CAST('twelve' AS INT)"},
    {SQL_FORM, "IN", "value [NOT] IN (value [, value]...)", "TRUE when it equals one of them.",
     "3 IN (1, 2, 3)"},
    {SQL_FORM, "BETWEEN", "value [NOT] BETWEEN [ASYMMETRIC | SYMMETRIC] low AND high",
     "TRUE from low to high, both included; SYMMETRIC: in either order.", "5 BETWEEN 1 AND 10"},
    {SQL_FORM, "AND", "condition AND condition", "TRUE when both are; NULL is unknown.",
     "TRUE AND FALSE"},
    {SQL_FORM, "OR", "condition OR condition", "TRUE when one of them is; NULL is unknown.",
     "TRUE OR FALSE"},
    {SQL_FORM, "NOT", "NOT condition", "TRUE when it is FALSE; NULL stays NULL.", "NOT FALSE"},
    {SQL_FORM, "IS", "value IS [NOT] { NULL | TRUE | FALSE | UNKNOWN }",
     "A test that is never NULL.", "NULLIF(1, 1) IS NULL"},
    {SQL_FORM, "INTERVAL", "INTERVAL 'count' unit | INTERVAL 'text' unit TO unit",
     "A length of time: YEAR and MONTH, or DAY, HOUR, MINUTE and SECOND.",
     "TIMESTAMP '2024-05-01 10:00:00' + INTERVAL '1 12' DAY TO HOUR"},

    {SQL_TYPE, "BOOLEAN", "BOOLEAN", "TRUE, FALSE.", "TRUE"},
    {SQL_TYPE, "TINYINT", "TINYINT", "Integers of 1 byte.", "CAST(127 AS TINYINT)"},
    {SQL_TYPE, "SMALLINT", "SMALLINT", "Integers of 2 bytes.", "CAST(32767 AS SMALLINT)"},
    {SQL_TYPE, "INT", "INT | INTEGER", "Integers of 4 bytes.", "2147483647"},
    {SQL_TYPE, "BIGINT", "BIGINT", "Integers of 8 bytes.", "9223372036854775807"},
    {SQL_TYPE, "FLOAT", "FLOAT", "Floating point of 4 bytes.", "CAST(1.5 AS FLOAT)"},
    {SQL_TYPE, "DOUBLE", "DOUBLE [PRECISION]", "Floating point of 8 bytes.", "1.5E0"},
    {SQL_TYPE, "DECIMAL", "{ DECIMAL | DEC | NUMERIC } [(precision [, scale])]",
     "Exact decimal numbers of up to 38 digits; default (10, 0). For money.", "12.50"},
    {SQL_TYPE, "CHAR", "CHAR [(length)]", "Text of a fixed number of characters; default 1.",
     "'abc'"},
    {SQL_TYPE, "VARCHAR", "VARCHAR [(length)] | STRING",
     "Text of up to length characters (UTF-8); STRING has no stated limit.",
     "CAST('abc' AS STRING)"},
    {SQL_TYPE, "BINARY", "BINARY [(length)]", "Bytes of a fixed number; default 1.",
     "CAST(x'0a' AS BINARY(1))"},
    {SQL_TYPE, "VARBINARY", "VARBINARY [(length)] | BYTES",
     "Up to length bytes; BYTES has no stated limit.", "x'0aff'"},
    {SQL_TYPE, "DATE", "DATE", "A day.", "DATE '2024-05-01'"},
    {SQL_TYPE, "TIME", "TIME [(precision)]", "A time of the day, to the millisecond.",
     "TIME '10:00:00'"},
    {SQL_TYPE, "TIMESTAMP", "TIMESTAMP [(precision)] [WITHOUT TIME ZONE]",
     "A day and a time without a zone; precision 0 to 9, default 6.",
     "TIMESTAMP '2024-05-01 10:00:00.123'"},
    {SQL_TYPE, "TIMESTAMP_LTZ",
     "TIMESTAMP_LTZ [(precision)] | TIMESTAMP [(precision)] WITH LOCAL TIME ZONE",
     "A moment; shown in table.local-time-zone.", "CURRENT_TIMESTAMP"},
};

const struct sql_topic *sql_topics(size_t *count)
{
    *count = COUNT_OF(TOPICS);
    return TOPICS;
}
