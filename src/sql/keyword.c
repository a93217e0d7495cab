/* keyword.c - the words of the dialect: one table, sorted, searched by halving.
 *
 * Only words that the grammar asks for are here. `reserved` words cannot be plain names; the others
 * fall back to names in grammar.y (%fallback), and the two lists must agree (a unit test checks).
 */
#include "sql/lexer.h"

#include "base/must.h"
#include "grammar.h"

#define KEYWORD_LENGTH_MAX 15

static const struct keyword {
    const char *word;
    short code;
    bool reserved;
} KEYWORDS[] = {
#define W(word, is_reserved)                                                                       \
    {                                                                                              \
#word, TK_##word, is_reserved                                                              \
    }
    W(ALL, true),
    W(AND, true),
    W(ARRAY, true),
    W(AS, true),
    W(ASC, false),
    W(ASYMMETRIC, false),
    W(BEGIN, false),
    W(BETWEEN, true),
    W(BOTH, false),
    W(BY, true),
    W(CASE, true),
    W(CAST, true),
    W(CHECK, false),
    W(COMMENT, false),
    W(CONSTRAINT, true),
    W(CREATE, true),
    W(CROSS, true),
    W(CUBE, true),
    W(DATE, true),
    W(DESC, false),
    W(DESCRIBE, false),
    W(DESCRIPTOR, false),
    W(DISTINCT, true),
    W(DISTRIBUTED, false),
    W(DROP, true),
    W(ELSE, true),
    W(END, true),
    W(ENFORCED, false),
    W(ESCAPE, true),
    W(EXCEPT, true),
    W(EXECUTE, false),
    W(EXISTS, true),
    W(EXPLAIN, false),
    W(EXTENDED, false),
    W(FALSE, true),
    W(FETCH, true),
    W(FILTER, false),
    W(FIRST, false),
    W(FOR, true),
    W(FROM, true),
    W(FULL, true),
    W(FUNCTIONS, false),
    W(GROUP, true),
    W(GROUPING, true),
    W(HAVING, true),
    W(IF, false),
    W(IN, true),
    W(INNER, true),
    W(INSERT, true),
    W(INTERSECT, true),
    W(INTERVAL, true),
    W(INTO, true),
    W(IS, true),
    W(JOIN, true),
    W(JSON, false),
    W(KEY, false),
    W(LAST, false),
    W(LATERAL, true),
    W(LEADING, false),
    W(LEFT, true),
    W(LIKE, true),
    W(LIMIT, true),
    W(LOCAL, false),
    W(MAP, true),
    W(MATCH_RECOGNIZE, true),
    W(METADATA, false),
    {"MINUS", TK_MINUS_WORD, true},
    W(MULTISET, true),
    W(NATURAL, true),
    W(NEXT, false),
    W(NOT, true),
    W(NULL, true),
    W(NULLS, false),
    W(OFFSET, true),
    W(ONLY, false),
    W(OR, true),
    W(ORDER, true),
    W(OVER, true),
    W(OVERWRITE, false),
    W(PARTITION, true),
    W(PARTITIONED, false),
    W(PLACING, false),
    W(PLAN, false),
    W(PRECISION, false),
    W(PRIMARY, true),
    W(REPLACE, false),
    W(RESET, false),
    W(RIGHT, true),
    W(ROLLUP, true),
    W(ROW, true),
    W(ROWS, false),
    W(SELECT, true),
    W(SET, true),
    W(SETS, false),
    W(SHOW, false),
    W(SIMILAR, true),
    W(STATEMENT, false),
    W(SYMMETRIC, false),
    W(TABLE, true),
    W(TABLES, false),
    W(TABLESAMPLE, true),
    W(TEMPORARY, false),
    W(THEN, true),
    W(TIME, true),
    W(TIMESTAMP, true),
    W(TO, true),
    W(TRAILING, false),
    W(TRUE, true),
    W(TRUNCATE, true),
    W(TRY_CAST, true),
    W(UNION, true),
    W(UNIQUE, true),
    W(UNKNOWN, true),
    W(UNNEST, true),
    W(VALUES, true),
    W(VARYING, false),
    W(VIEW, false),
    W(VIEWS, false),
    W(VIRTUAL, false),
    W(WATERMARK, false),
    W(WHEN, true),
    W(WHERE, true),
    W(WINDOW, true),
    W(WITH, true),
    W(WITHIN, false),
    W(WITHOUT, false),
    W(ZONE, false),
#undef W
};

int keyword_find(struct str word, bool *reserved)
{
    char upper[KEYWORD_LENGTH_MAX];
    if (word.length > KEYWORD_LENGTH_MAX)
        return 0;
    for (size_t i = 0; i < word.length; i++) {
        char c = word.data[i];
        upper[i] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    size_t low = 0, high = COUNT_OF(KEYWORDS);
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = str_compare((struct str){upper, word.length}, str_of(KEYWORDS[middle].word));
        if (order == 0) {
            if (reserved)
                *reserved = KEYWORDS[middle].reserved;
            return KEYWORDS[middle].code;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return 0;
}

const char *keyword_text(int code)
{
    for (size_t i = 0; i < COUNT_OF(KEYWORDS); i++)
        if (KEYWORDS[i].code == code)
            return KEYWORDS[i].word;
    return NULL;
}
