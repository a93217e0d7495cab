/* parser.c - feeds the generated parser, finds the end of a statement, words syntax errors.
 *
 * The driver stops at the first failure. It alone bounds the depth: brackets by SQL_DEPTH_MAX, the
 * parser's stack by PARSE_STACK_MAX (NOT NOT NOT ..., ten thousand parentheses).
 */
#include "sql/parser.h"

#include <stdio.h>

#include "base/must.h"
#include "sql/sql.h"

#include "grammar.h"

/* The generated functions. */
void sql_parserInit(void *parser);
void sql_parserFinalize(void *parser);
void sql_parser(void *parser, int code, struct token token, struct parse *parse);
void *sql_parserAlloc(void *(*allocate)(size_t));
void sql_parserFree(void *parser, void (*release)(void *));

struct source_pos pos_join(struct source_pos first, struct source_pos last)
{
    if (last.offset + last.length > first.offset)
        first.length = last.offset + last.length - first.offset;
    return first;
}

void parse_fail(struct parse *parse, enum status code, struct source_pos pos, const char *fmt, ...)
{
    if (parse->status != OK)
        return;
    va_list args;
    va_start(args, fmt);
    parse->status = error_vset(parse->err, code, fmt, args);
    va_end(args);
    error_at(parse->err, pos);
}

void parse_unsupported(struct parse *parse, struct source_pos pos, const char *what)
{
    parse_fail(parse, ERR_UNSUPPORTED, pos, "%s is not built yet in leat", what);
}

/* Words of Flink's dialect at which the grammar ends, and what they would begin. */
static const struct unbuilt {
    const char *word, *what;
} UNBUILT[] = {
    {"ALTER", "ALTER"},
    {"ANALYZE", "ANALYZE TABLE"},
    {"AT", "AT TIME ZONE"},
    {"CALL", "CALL"},
    {"CATALOG", "CREATE, DROP or USE CATALOG"},
    {"CATALOGS", "SHOW CATALOGS"},
    {"COLUMNS", "SHOW COLUMNS"},
    {"COMPILE", "COMPILE PLAN"},
    {"CURRENT", "SHOW CURRENT"},
    {"DATABASE", "CREATE or DROP DATABASE"},
    {"DATABASES", "SHOW DATABASES"},
    {"DELETE", "DELETE"},
    {"FUNCTION", "CREATE or DROP FUNCTION"},
    {"IGNORE", "IGNORE NULLS"},
    {"JAR", "ADD or REMOVE JAR"},
    {"JARS", "SHOW JARS"},
    {"JOBS", "SHOW JOBS"},
    {"LOAD", "LOAD MODULE"},
    {"MATERIALIZED", "MATERIALIZED TABLE"},
    {"MERGE", "MERGE"},
    {"MODEL", "MODEL"},
    {"MODELS", "SHOW MODELS"},
    {"MODULES", "MODULES"},
    {"OVERLAPS", "OVERLAPS"},
    {"PARTITIONS", "SHOW PARTITIONS"},
    {"PIVOT", "PIVOT"},
    {"PROCEDURES", "SHOW PROCEDURES"},
    {"QUALIFY", "QUALIFY"},
    {"RESPECT", "RESPECT NULLS"},
    {"RETURNING", "the RETURNING clause"},
    {"STOP", "STOP JOB"},
    {"SYSTEM", "SYSTEM FUNCTION"},
    {"TRUNCATE", "TRUNCATE TABLE"},
    {"UNLOAD", "UNLOAD MODULE"},
    {"UNPIVOT", "UNPIVOT"},
    {"UPDATE", "UPDATE"},
    {"UPSERT", "UPSERT"},
    {"USE", "USE"},
    {"USER", "SHOW USER FUNCTIONS"},
};

static bool fail_unbuilt(struct parse *parse, const struct token *token)
{
    for (size_t i = 0; i < COUNT_OF(UNBUILT); i++) {
        if (str_eq_nocase(token->text, str_of(UNBUILT[i].word))) {
            parse_unsupported(parse, token->pos, UNBUILT[i].what);
            return true;
        }
    }
    return false;
}

/* "SELECT, VALUES or WITH"; nothing when the list is long. */
static void format_expected(char *out, size_t size, const char *const *expected, uint32_t count)
{
    size_t length = 0;
    out[0] = 0;
    if (count > 6)
        return;
    for (uint32_t i = 0; i < count && length < size; i++) {
        const char *between = i == 0 ? "" : i + 1 == count ? " or " : ", ";
        int n = snprintf(out + length, size - length, "%s%s", between, expected[i]);
        length += n > 0 ? (size_t)n : 0;
    }
}

/* Reserved words that people take for names. */
static bool looks_like_name(const struct token *token)
{
    static const int CODES[] = {
        TK_ALL,       TK_ARRAY,   TK_DATE,   TK_END,     TK_FULL,   TK_GROUP,  TK_GROUPING,
        TK_INTERVAL,  TK_LEFT,    TK_LIKE,   TK_LIMIT,   TK_MAP,    TK_OFFSET, TK_ORDER,
        TK_PARTITION, TK_PRIMARY, TK_RIGHT,  TK_ROW,     TK_SET,    TK_TABLE,  TK_TIME,
        TK_TIMESTAMP, TK_TO,      TK_UNIQUE, TK_UNKNOWN, TK_VALUES, TK_WINDOW,
    };
    for (size_t i = 0; i < COUNT_OF(CODES); i++)
        if (token->code == CODES[i])
            return true;
    return false;
}

/* Behind the last token: an empty line at the end of a file tells nobody anything. */
static struct source_pos end_of(const struct token *token)
{
    struct source_pos pos = token->pos;
    for (size_t i = 0; i < token->text.length; i++) {
        if (token->text.data[i] == '\n') {
            pos.line++;
            pos.column = 1;
        } else if (((unsigned char)token->text.data[i] & 0xC0) != 0x80) {
            pos.column++;
        }
    }
    pos.offset += (uint32_t)token->text.length;
    pos.length = 1;
    return pos;
}

void parse_syntax_error(struct parse *parse, const struct token *token, const char *const *expected,
                        uint32_t expected_count)
{
    if (parse->status != OK || fail_unbuilt(parse, token) ||
        (parse->previous.code == TK_ID && fail_unbuilt(parse, &parse->previous)))
        return;
    char list[160];
    format_expected(list, sizeof(list), expected, expected_count);
    const char *then = list[0] ? "; expected here: " : "";
    int length = token->text.length > 60 ? 60 : (int)token->text.length;
    if (!token->code)
        parse_fail(parse, ERR_SYNTAX, end_of(&parse->previous), "the statement ends too early%s%s",
                   then, list);
    else
        parse_fail(parse, ERR_SYNTAX, token->pos, "'%.*s' cannot stand here%s%s", length,
                   token->text.data, then, list);
    const char *nearest = token->code == TK_ID && token->text.data[0] != '`'
                              ? str_nearest(token->text, expected, expected_count)
                              : NULL;
    const struct token *word = looks_like_name(token)                             ? token
                               : token->code && looks_like_name(&parse->previous) ? &parse->previous
                                                                                  : NULL;
    if (nearest)
        error_hint(parse->err, "did you mean %s?", nearest);
    else if (word)
        error_hint(parse->err, "%.*s is a reserved word; as a name it is written `%.*s`",
                   (int)word->text.length, word->text.data, (int)word->text.length,
                   word->text.data);
}

/* EXECUTE STATEMENT SET BEGIN, STATEMENT SET BEGIN, BEGIN STATEMENT SET; any of them maybe after
 * EXPLAIN: the set ends with the END that closes no CASE. */
bool statement_end_step(struct statement_end *end, const struct token *token)
{
    int code = token->code;
    if (end->before_last == TK_STATEMENT && end->last == TK_SET && end->token_count <= 8 &&
        !end->in_set && (code == TK_BEGIN || (code == TK_SEMI && end->maybe_set)))
        end->in_set = true;
    else if (code == TK_SEMI && (!end->in_set || end->set_ended))
        return true;
    if (code == TK_BEGIN)
        end->maybe_set = true;
    if (code == TK_CASE) {
        end->case_depth++;
    } else if (code == TK_END) {
        if (end->case_depth)
            end->case_depth--;
        else
            end->set_ended = true;
    }
    end->before_last = end->last;
    end->last = code;
    if (end->token_count < UINT32_MAX)
        end->token_count++;
    return false;
}

struct driver {
    void *parser;
    struct lexer *lexer;
    struct token next; /* read ahead by one */
    uint32_t depth;
    /* Bit d: the bracket of depth d is that of POSITION( and its IN has not come. */
    uint64_t position_in[SQL_DEPTH_MAX / 64 + 1];
};

/* Tokens whose code depends on their neighbours. */
static void adjust(struct driver *driver, struct parse *parse)
{
    struct token *token = &parse->token;
    int next = driver->next.code;
    uint64_t *word = &driver->position_in[driver->depth / 64];
    uint64_t bit = UINT64_C(1) << (driver->depth % 64);
    if (token->code == TK_NOT &&
        (next == TK_BETWEEN || next == TK_IN || next == TK_LIKE || next == TK_SIMILAR)) {
        token->code = TK_NOT2;
    } else if (token->code == TK_IN && (*word & bit)) {
        token->code = TK_POSITION_IN;
        *word &= ~bit;
    }
}

static void track_depth(struct driver *driver, struct parse *parse)
{
    int code = parse->token.code;
    if (code == TK_LP || code == TK_LBRACKET) {
        if (++driver->depth > SQL_DEPTH_MAX) {
            parse_fail(parse, ERR_LIMIT, parse->token.pos,
                       "brackets are nested deeper than %d here", SQL_DEPTH_MAX);
            return;
        }
        uint64_t bit = UINT64_C(1) << (driver->depth % 64);
        if (str_eq_nocase(parse->previous.text, STR("POSITION")))
            driver->position_in[driver->depth / 64] |= bit;
        else
            driver->position_in[driver->depth / 64] &= ~bit;
    } else if ((code == TK_RP || code == TK_RBRACKET) && driver->depth > 0) {
        driver->depth--;
    }
}

static void feed(struct driver *driver, struct parse *parse, int code)
{
    sql_parser(driver->parser, code, parse->token, parse);
    if (sql_parser_stack_depth(driver->parser) > PARSE_STACK_MAX)
        parse_fail(parse, ERR_LIMIT, parse->token.pos, "the statement is nested too deep here");
}

static enum status run_tokens(struct driver *driver, struct parse *parse, enum parse_goal goal)
{
    struct statement_end end = {0};
    for (;;) {
        parse->previous = parse->token;
        parse->token = driver->next;
        if (!parse->token.code ||
            (goal == PARSE_STATEMENT && statement_end_step(&end, &parse->token))) {
            parse->span = pos_join(parse->span, parse->previous.pos);
            feed(driver, parse, 0);
            return parse->status;
        }
        TRY(lexer_next(driver->lexer, &driver->next, parse->err));
        adjust(driver, parse);
        track_depth(driver, parse);
        feed(driver, parse, parse->token.code);
        if (parse->status != OK)
            return parse->status;
    }
}

enum status parse_run(struct parse *parse, enum parse_goal goal, struct lexer *lexer,
                      struct arena *arena, struct error *err)
{
    static const int FIRST[] = {TK_GOAL_STATEMENT, TK_GOAL_EXPRESSION, TK_GOAL_QUERY, TK_GOAL_TYPE};
    struct driver driver = {.lexer = lexer};
    memset(parse, 0, sizeof(*parse));
    parse->arena = arena;
    parse->err = err;
    do { /* empty statements are none */
        TRY(lexer_next(lexer, &driver.next, err));
    } while (goal == PARSE_STATEMENT && driver.next.code == TK_SEMI);
    if (goal == PARSE_STATEMENT && !driver.next.code)
        return OK;
    driver.parser = sql_parserAlloc(mem_alloc);
    if (!driver.parser)
        return error_memory(err, "the parser", sql_parser_size());
    parse->token = driver.next;
    parse->span = driver.next.pos;
    feed(&driver, parse, FIRST[goal]);
    parse->token = (struct token){0};
    enum status status = run_tokens(&driver, parse, goal);
    sql_parserFree(driver.parser, mem_free);
    if (status == OK)
        status = arena_check(arena, "the statement", err);
    if (status == OK && parse->statement) {
        parse->statement->explain = parse->explain;
        parse->statement->explain_details = parse->explain_details;
    }
    return status;
}

bool sql_uses_parameter(struct str text, struct str name)
{
    struct lexer lexer;
    struct token token = {0};
    struct error ignored = {0};
    lexer_init(&lexer, text, (struct source_pos){0});
    do {
        if (lexer_next(&lexer, &token, &ignored) != OK)
            return false;
        if (token.code == TK_PARAMETER &&
            str_eq((struct str){token.text.data + 1, token.text.length - 1}, name))
            return true;
    } while (token.code);
    return false;
}

bool sql_is_complete(struct str text)
{
    struct lexer lexer;
    struct token token = {0};
    struct error ignored = {0};
    struct statement_end end = {0};
    lexer_init(&lexer, text, (struct source_pos){0});
    do {
        if (lexer_next(&lexer, &token, &ignored) != OK)
            return false;
        if (token.code && statement_end_step(&end, &token))
            return true;
    } while (token.code);
    return false;
}
