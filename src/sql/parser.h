/* parser.h - from tokens to the AST: the driver of the generated parser and what its actions call.
 *
 * Constructors never give NULL: without memory, or beyond a limit, they set parse->status and give
 * a spare node that nobody reads, because the driver stops at the next token.
 */
#ifndef LEAT_SQL_PARSER_H
#define LEAT_SQL_PARSER_H

#include "sql/ast.h"

#define PARSE_STACK_MAX 4000

enum parse_goal { PARSE_STATEMENT, PARSE_EXPRESSION, PARSE_QUERY, PARSE_TYPE };

struct parse {
    struct arena *arena;
    struct error *err;
    enum status status;           /* first failure */
    struct token token, previous; /* being looked at, and the one before */
    bool explain;
    int explain_details;
    struct source_pos span; /* from the first token to the last one */
    /* results by goal */
    struct ast_statement *statement;
    struct ast_expr *expr;
    struct ast_query *query;
    struct ast_type *type;
    union {
        struct ast_expr expr;
        struct ast_name name;
        struct ast_type type;
        struct ast_item item;
        struct ast_option option;
        struct ast_from from;
        struct ast_select select;
        struct ast_body body;
        struct ast_cte cte;
        struct ast_query query;
        struct ast_column column;
        struct ast_check check;
        struct ast_insert insert;
        struct ast_statement statement;
    } spare;
};

/* Parse what the lexer gives, up to the end of one statement (PARSE_STATEMENT: the ';' is taken;
 * the result is NULL when there is none left) or of the text (other goals). parse needs no
 * initialization. */
enum status parse_run(struct parse *parse, enum parse_goal goal, struct lexer *lexer,
                      struct arena *arena, struct error *err) STATUS_CHECKED;

/* Follows tokens to the ';' that ends a statement: those inside a statement set do not. */
struct statement_end {
    uint32_t token_count;
    uint32_t case_depth;
    bool maybe_set, in_set, set_ended;
    int last, before_last; /* token codes */
};
/* True: the token is the ';' after the statement. */
bool statement_end_step(struct statement_end *end, const struct token *token);

void parse_fail(struct parse *parse, enum status code, struct source_pos pos, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* "JOIN is not built yet" at the place. */
void parse_unsupported(struct parse *parse, struct source_pos pos, const char *what);
void parse_syntax_error(struct parse *parse, const struct token *token, const char *const *expected,
                        uint32_t expected_count);

struct source_pos pos_join(struct source_pos first, struct source_pos last);

/* ---- values of nonterminals */

struct limits {
    struct ast_expr *limit, *offset;
};
struct group {
    struct ast_exprs list;
    bool given;
};
struct arguments {
    struct ast_exprs list;
    enum ast_form form;
    bool distinct;
};
struct interval_unit {
    struct str from, to;
    struct source_pos end;
    int32_t precision, fraction;
};
struct type_lengths {
    uint32_t count;
    int64_t values[2];
    struct source_pos end;
};

/* ---- construction */

struct ast_name *ast_name(struct parse *parse, const struct token *token);
struct ast_name *ast_name_add(struct parse *parse, struct ast_name *name,
                              const struct token *token);
struct ast_names ast_names_add(struct ast_names list, struct ast_name *name);

struct ast_expr *ast_expr(struct parse *parse, enum ast_kind kind, struct source_pos pos);
struct ast_exprs ast_exprs_add(struct ast_exprs list, struct ast_expr *expr);
struct ast_exprs ast_exprs_prepend(struct ast_expr *expr, struct ast_exprs list);
struct ast_exprs ast_exprs_of(struct ast_expr *a, struct ast_expr *b, struct ast_expr *c);
/* Gives expr the arguments and checks the depth. */
struct ast_expr *ast_with_args(struct parse *parse, struct ast_expr *expr, struct ast_exprs args);
struct ast_expr *ast_string(struct parse *parse, enum ast_kind kind, const struct token *token,
                            struct source_pos pos);
struct ast_expr *ast_number(struct parse *parse, const struct token *token);
struct ast_expr *ast_binary(struct parse *parse, const char *sign, struct ast_expr *left,
                            struct ast_expr *right);
struct ast_expr *ast_logic(struct parse *parse, enum ast_kind kind, struct ast_expr *left,
                           struct ast_expr *right);
struct ast_expr *ast_between(struct parse *parse, struct ast_expr *value, struct ast_expr *low,
                             struct ast_expr *high, bool negated, bool symmetric);
struct ast_expr *ast_in(struct parse *parse, struct ast_expr *value, struct ast_exprs list,
                        bool negated, struct source_pos end);
struct ast_expr *ast_like(struct parse *parse, const char *sign, struct ast_expr *value,
                          struct ast_expr *pattern, struct ast_expr *escape, bool negated);
struct ast_expr *ast_cast(struct parse *parse, struct ast_expr *value, struct ast_type *type,
                          bool try_cast, struct source_pos pos);
struct ast_expr *ast_case(struct parse *parse, struct source_pos pos, struct ast_expr *operand,
                          struct ast_exprs arms, struct ast_expr *otherwise);
struct ast_expr *ast_unit(struct parse *parse, const struct token *token);
struct ast_expr *ast_named(struct parse *parse, const struct token *name, struct ast_expr *value);
struct ast_expr *ast_negate(struct parse *parse, const struct token *sign, struct ast_expr *expr);
struct str ast_text(struct parse *parse, const struct token *token); /* decoded string */
int64_t ast_integer(struct parse *parse, const struct token *token);

struct ast_type *ast_type(struct parse *parse, const struct token *name);
void ast_type_lengths(struct ast_type *type, struct type_lengths lengths);
struct ast_types ast_types_add(struct parse *parse, struct ast_types list, struct ast_name *name,
                               struct ast_type *type);
struct ast_type *ast_type_of(struct parse *parse, const struct token *name, struct ast_types list,
                             const struct token *end);

struct ast_item *ast_item(struct parse *parse, struct ast_expr *expr, struct ast_name *alias);
struct ast_items ast_items_add(struct ast_items list, struct ast_item *item);
struct ast_options ast_options_add(struct parse *parse, struct ast_options list,
                                   const struct token *key, const struct token *value);
struct ast_from *ast_from(struct parse *parse, enum ast_from_kind kind, struct source_pos pos);
struct ast_select *ast_select(struct parse *parse, struct source_pos pos);
struct ast_select *ast_select_all(struct parse *parse, struct ast_name *table);
struct ast_body *ast_body(struct parse *parse, enum ast_body_kind kind, struct source_pos pos);
struct ast_body *ast_union(struct parse *parse, struct ast_body *left, struct ast_body *right,
                           bool all);
struct ast_query *ast_query(struct parse *parse, struct ast_body *body);
struct ast_ctes ast_ctes_add(struct parse *parse, struct ast_ctes list, struct ast_name *name,
                             struct ast_names columns, struct ast_query *query);

/* Becomes parse->statement. */
struct ast_statement *ast_statement(struct parse *parse, enum ast_statement_kind kind,
                                    struct source_pos pos);
void ast_explain_detail(struct parse *parse, const struct token *word);
struct ast_column *ast_column(struct parse *parse, enum ast_column_kind kind, struct ast_name *name,
                              struct str comment);
void ast_add_column(struct ast_statement *statement, struct ast_column *column);
void ast_add_check(struct parse *parse, struct ast_statement *statement, struct ast_name *name,
                   struct ast_expr *expr);
void ast_set_primary_key(struct parse *parse, struct ast_statement *statement,
                         struct source_pos pos, struct ast_names names);
void ast_set_watermark(struct parse *parse, struct ast_statement *statement,
                       struct ast_name *column, struct ast_expr *expr);
struct ast_insert *ast_insert(struct parse *parse, struct source_pos pos);
void ast_add_insert(struct ast_statement *statement, struct ast_insert *insert);

/* ---- the generated parser (grammar.y) */

size_t sql_parser_stack_depth(const void *parser);
size_t sql_parser_size(void);

#endif
