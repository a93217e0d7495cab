/* ast.c - constructors of the AST nodes (parser.h). */
#include "sql/ast.h"

#include "sql/parser.h"

#include "sql/sql.h"

#include "grammar.h"

/* Node memory, or the spare one with the failure noted. */
static void *node(struct parse *parse, size_t size_bytes)
{
    void *memory = arena_alloc(parse->arena, size_bytes);
    if (memory)
        return memory;
    if (parse->status == OK)
        parse->status = arena_check(parse->arena, "the statement", parse->err);
    memset(&parse->spare, 0, sizeof(parse->spare));
    return &parse->spare;
}
#define NODE(parse, type) ((type *)node((parse), sizeof(type)))

#define LIST_ADD(list, item)                                                                       \
    do {                                                                                           \
        if ((list).last)                                                                           \
            (list).last->next = (item);                                                            \
        else                                                                                       \
            (list).first = (item);                                                                 \
        (list).last = (item);                                                                      \
    } while (0)

/* ---- names */

static struct str name_text(struct parse *parse, const struct token *token)
{
    if (token->text.length < 2 || token->text.data[0] != '`')
        return token->text;
    char *text = arena_alloc(parse->arena, token->text.length);
    if (!text) {
        (void)node(parse, SIZE_MAX / 2);
        return STR("");
    }
    size_t length = 0;
    for (size_t i = 1; i + 1 < token->text.length; i++) {
        text[length++] = token->text.data[i];
        if (token->text.data[i] == '`')
            i++;
    }
    if (!length)
        parse_fail(parse, ERR_SYNTAX, token->pos, "a name cannot be empty");
    return (struct str){text, length};
}

struct ast_name *ast_name(struct parse *parse, const struct token *token)
{
    struct ast_name *name = NODE(parse, struct ast_name);
    name->part_count = 1;
    name->pos = name->part_pos[0] = token->pos;
    name->parts[0] = name_text(parse, token);
    name->quoted = token->text.data[0] == '`';
    return name;
}

struct ast_name *ast_name_add(struct parse *parse, struct ast_name *name, const struct token *token)
{
    if (name->part_count == AST_NAME_PARTS_MAX) {
        parse_fail(parse, ERR_LIMIT, token->pos, "a name has at most %d parts", AST_NAME_PARTS_MAX);
        return name;
    }
    name->parts[name->part_count] = name_text(parse, token);
    name->part_pos[name->part_count++] = token->pos;
    name->pos = pos_join(name->pos, token->pos);
    return name;
}

struct ast_names ast_names_add(struct ast_names list, struct ast_name *name)
{
    LIST_ADD(list, name);
    list.count++;
    return list;
}

/* ---- expressions */

struct ast_expr *ast_expr(struct parse *parse, enum ast_kind kind, struct source_pos pos)
{
    struct ast_expr *expr = NODE(parse, struct ast_expr);
    expr->kind = kind;
    expr->pos = pos;
    expr->depth = 1;
    return expr;
}

struct ast_exprs ast_exprs_add(struct ast_exprs list, struct ast_expr *expr)
{
    LIST_ADD(list, expr);
    list.count++;
    if (expr->depth > list.depth)
        list.depth = expr->depth;
    return list;
}

struct ast_exprs ast_exprs_prepend(struct ast_expr *expr, struct ast_exprs list)
{
    expr->next = list.first;
    list.first = expr;
    list.count++;
    if (expr->depth > list.depth)
        list.depth = expr->depth;
    return list;
}

struct ast_exprs ast_exprs_of(struct ast_expr *a, struct ast_expr *b, struct ast_expr *c)
{
    struct ast_exprs list = ast_exprs_add((struct ast_exprs){0}, a);
    if (b)
        list = ast_exprs_add(list, b);
    if (c)
        list = ast_exprs_add(list, c);
    return list;
}

struct ast_expr *ast_with_args(struct parse *parse, struct ast_expr *expr, struct ast_exprs args)
{
    expr->args = args;
    expr->depth = args.depth + 1;
    if (expr->depth > SQL_DEPTH_MAX)
        parse_fail(parse, ERR_LIMIT, expr->pos, "this expression is nested deeper than %d",
                   SQL_DEPTH_MAX);
    return expr;
}

struct ast_expr *ast_string(struct parse *parse, enum ast_kind kind, const struct token *token,
                            struct source_pos pos)
{
    struct ast_expr *expr = ast_expr(parse, kind, pos);
    expr->text = ast_text(parse, token);
    return expr;
}

struct ast_expr *ast_number(struct parse *parse, const struct token *token)
{
    struct ast_expr *expr = ast_expr(parse, AST_NUMBER, token->pos);
    expr->text = token->text;
    return expr;
}

static struct ast_expr *operator_call(struct parse *parse, const char *sign, struct source_pos pos,
                                      struct ast_exprs args)
{
    struct token token = {.text = str_of(sign), .pos = pos};
    struct ast_expr *expr = ast_with_args(parse, ast_expr(parse, AST_CALL, pos), args);
    expr->name = ast_name(parse, &token);
    return expr;
}

struct ast_expr *ast_binary(struct parse *parse, const char *sign, struct ast_expr *left,
                            struct ast_expr *right)
{
    return operator_call(parse, sign, pos_join(left->pos, right->pos),
                         ast_exprs_of(left, right, NULL));
}

/* a AND b AND c is one node, so that long conditions are not deep. */
struct ast_expr *ast_logic(struct parse *parse, enum ast_kind kind, struct ast_expr *left,
                           struct ast_expr *right)
{
    if (left->kind == kind && !left->parenthesized) {
        left->pos = pos_join(left->pos, right->pos);
        return ast_with_args(parse, left, ast_exprs_add(left->args, right));
    }
    return ast_with_args(parse, ast_expr(parse, kind, pos_join(left->pos, right->pos)),
                         ast_exprs_of(left, right, NULL));
}

struct ast_expr *ast_between(struct parse *parse, struct ast_expr *value, struct ast_expr *low,
                             struct ast_expr *high, bool negated, bool symmetric)
{
    struct ast_expr *expr =
        ast_with_args(parse, ast_expr(parse, AST_BETWEEN, pos_join(value->pos, high->pos)),
                      ast_exprs_of(value, low, high));
    expr->negated = negated;
    expr->symmetric = symmetric;
    return expr;
}

struct ast_expr *ast_in(struct parse *parse, struct ast_expr *value, struct ast_exprs list,
                        bool negated, struct source_pos end)
{
    struct ast_expr *expr = ast_with_args(parse, ast_expr(parse, AST_IN, pos_join(value->pos, end)),
                                          ast_exprs_prepend(value, list));
    expr->negated = negated;
    return expr;
}

struct ast_expr *ast_like(struct parse *parse, const char *sign, struct ast_expr *value,
                          struct ast_expr *pattern, struct ast_expr *escape, bool negated)
{
    struct source_pos pos = pos_join(value->pos, escape ? escape->pos : pattern->pos);
    struct ast_expr *expr = operator_call(parse, sign, pos, ast_exprs_of(value, pattern, escape));
    if (!negated)
        return expr;
    return ast_with_args(parse, ast_expr(parse, AST_NOT, pos), ast_exprs_of(expr, NULL, NULL));
}

struct ast_expr *ast_cast(struct parse *parse, struct ast_expr *value, struct ast_type *type,
                          bool try_cast, struct source_pos pos)
{
    struct ast_expr *expr =
        ast_with_args(parse, ast_expr(parse, AST_CAST, pos), ast_exprs_of(value, NULL, NULL));
    expr->cast.type = type;
    expr->cast.try_cast = try_cast;
    return expr;
}

struct ast_expr *ast_case(struct parse *parse, struct source_pos pos, struct ast_expr *operand,
                          struct ast_exprs arms, struct ast_expr *otherwise)
{
    if (operand)
        arms = ast_exprs_prepend(operand, arms);
    if (otherwise)
        arms = ast_exprs_add(arms, otherwise);
    struct ast_expr *expr = ast_with_args(parse, ast_expr(parse, AST_CASE, pos), arms);
    expr->cases.has_operand = operand != NULL;
    expr->cases.has_else = otherwise != NULL;
    return expr;
}

struct ast_expr *ast_unit(struct parse *parse, const struct token *token)
{
    struct ast_expr *expr = ast_expr(parse, AST_UNIT, token->pos);
    expr->text = token->text;
    return expr;
}

struct ast_expr *ast_named(struct parse *parse, const struct token *name, struct ast_expr *value)
{
    struct ast_expr *expr =
        ast_with_args(parse, ast_expr(parse, AST_NAMED, pos_join(name->pos, value->pos)),
                      ast_exprs_of(value, NULL, NULL));
    expr->name = ast_name(parse, name);
    return expr;
}

/* -5 is a literal, so that the smallest BIGINT can be written. */
struct ast_expr *ast_negate(struct parse *parse, const struct token *sign, struct ast_expr *expr)
{
    struct source_pos pos = pos_join(sign->pos, expr->pos);
    if (expr->kind == AST_NUMBER && !expr->parenthesized && expr->text.data[0] != '-') {
        char *text = arena_printf(parse->arena, "-%.*s", (int)expr->text.length, expr->text.data);
        struct ast_expr *number = ast_expr(parse, AST_NUMBER, pos);
        number->text = text ? str_of(text) : STR("0");
        return number;
    }
    return operator_call(parse, "-", pos, ast_exprs_of(expr, NULL, NULL));
}

/* ---- types */

struct ast_type *ast_type(struct parse *parse, const struct token *name)
{
    struct ast_type *type = NODE(parse, struct ast_type);
    type->name = name->text;
    type->pos = name->pos;
    type->depth = 1;
    return type;
}

void ast_type_lengths(struct ast_type *type, struct type_lengths lengths)
{
    type->length_count = lengths.count;
    type->lengths[0] = lengths.values[0];
    type->lengths[1] = lengths.values[1];
    if (lengths.count)
        type->pos = pos_join(type->pos, lengths.end);
}

struct ast_types ast_types_add(struct parse *parse, struct ast_types list, struct ast_name *name,
                               struct ast_type *type)
{
    LIST_ADD(list, type);
    list.count++;
    if (type->depth > list.depth)
        list.depth = type->depth;
    if (name)
        list.names = ast_names_add(list.names, name);
    if (list.depth > TYPE_DEPTH_MAX || list.count > TYPE_CHILDREN_MAX)
        parse_fail(parse, ERR_LIMIT, type->pos,
                   "a type has at most %d fields and is nested at most %d deep", TYPE_CHILDREN_MAX,
                   TYPE_DEPTH_MAX);
    return list;
}

struct ast_type *ast_type_of(struct parse *parse, const struct token *name, struct ast_types list,
                             const struct token *end)
{
    struct ast_type *type = ast_type(parse, name);
    type->pos = pos_join(name->pos, end->pos);
    type->children = list.first;
    type->child_count = list.count;
    type->depth = list.depth + 1;
    type->names = list.names;
    return type;
}

/* ---- queries */

struct ast_item *ast_item(struct parse *parse, struct ast_expr *expr, struct ast_name *alias)
{
    struct ast_item *item = NODE(parse, struct ast_item);
    item->expr = expr;
    item->alias = alias;
    return item;
}

struct ast_items ast_items_add(struct ast_items list, struct ast_item *item)
{
    LIST_ADD(list, item);
    list.count++;
    return list;
}

struct ast_options ast_options_add(struct parse *parse, struct ast_options list,
                                   const struct token *key, const struct token *value)
{
    struct ast_option *option = NODE(parse, struct ast_option);
    option->key = ast_text(parse, key);
    option->value = ast_text(parse, value);
    option->pos = key->pos;
    option->value_pos = value->pos;
    LIST_ADD(list, option);
    list.count++;
    return list;
}

struct ast_from *ast_from(struct parse *parse, enum ast_from_kind kind, struct source_pos pos)
{
    struct ast_from *from = NODE(parse, struct ast_from);
    from->kind = kind;
    from->pos = pos;
    return from;
}

struct ast_select *ast_select(struct parse *parse, struct source_pos pos)
{
    struct ast_select *select = NODE(parse, struct ast_select);
    select->pos = pos;
    return select;
}

/* TABLE t */
struct ast_select *ast_select_all(struct parse *parse, struct ast_name *table)
{
    struct ast_select *select = ast_select(parse, table->pos);
    struct ast_from *from = ast_from(parse, AST_FROM_TABLE, table->pos);
    struct ast_item *item = ast_item(parse, ast_expr(parse, AST_STAR, table->pos), NULL);
    from->name = table;
    select->from = from;
    select->items = ast_items_add((struct ast_items){0}, item);
    return select;
}

struct ast_body *ast_body(struct parse *parse, enum ast_body_kind kind, struct source_pos pos)
{
    struct ast_body *body = NODE(parse, struct ast_body);
    body->kind = kind;
    body->pos = pos;
    body->depth = 1;
    return body;
}

/* a UNION ALL b UNION ALL c is one node. */
struct ast_body *ast_union(struct parse *parse, struct ast_body *left, struct ast_body *right,
                           bool all)
{
    struct ast_body *body = left;
    if (left->kind != AST_UNION || left->all != all) {
        body = ast_body(parse, AST_UNION, left->pos);
        body->all = all;
        body->members = body->last_member = left;
        body->member_count = 1;
        body->depth = left->depth + 1;
    }
    body->last_member->next = right;
    body->last_member = right;
    body->member_count++;
    if (body->depth > SQL_DEPTH_MAX)
        parse_fail(parse, ERR_LIMIT, right->pos, "UNION is nested deeper than %d here",
                   SQL_DEPTH_MAX);
    return body;
}

struct ast_query *ast_query(struct parse *parse, struct ast_body *body)
{
    struct ast_query *query = NODE(parse, struct ast_query);
    query->body = body;
    query->pos = body->pos;
    return query;
}

struct ast_ctes ast_ctes_add(struct parse *parse, struct ast_ctes list, struct ast_name *name,
                             struct ast_names columns, struct ast_query *query)
{
    struct ast_cte *cte = NODE(parse, struct ast_cte);
    cte->name = name;
    cte->columns = columns;
    cte->query = query;
    LIST_ADD(list, cte);
    return list;
}

/* ---- statements */

struct ast_statement *ast_statement(struct parse *parse, enum ast_statement_kind kind,
                                    struct source_pos pos)
{
    struct ast_statement *statement = NODE(parse, struct ast_statement);
    statement->kind = kind;
    statement->pos = pos;
    parse->statement = statement;
    return statement;
}

void ast_explain_detail(struct parse *parse, const struct token *word)
{
    static const struct {
        const char *word;
        int detail;
    } DETAILS[] = {
        {"CHANGELOG_MODE", EXPLAIN_CHANGELOG_MODE},
        {"ESTIMATED_COST", EXPLAIN_ESTIMATED_COST},
        {"JSON_EXECUTION_PLAN", EXPLAIN_JSON_EXECUTION_PLAN},
        {"PLAN_ADVICE", EXPLAIN_PLAN_ADVICE},
    };
    for (size_t i = 0; i < sizeof(DETAILS) / sizeof(DETAILS[0]); i++) {
        if (str_eq_nocase(word->text, str_of(DETAILS[i].word))) {
            parse->explain_details |= DETAILS[i].detail;
            return;
        }
    }
    const char *words[] = {"CHANGELOG_MODE", "ESTIMATED_COST", "JSON_EXECUTION_PLAN",
                           "PLAN_ADVICE",    "SELECT",         "INSERT"};
    const char *nearest = str_nearest(word->text, words, sizeof(words) / sizeof(words[0]));
    parse_fail(parse, ERR_SYNTAX, word->pos, "'%.*s' cannot be explained",
               word->text.length > 60 ? 60 : (int)word->text.length, word->text.data);
    if (nearest)
        error_hint(parse->err, "did you mean %s?", nearest);
}

struct ast_column *ast_column(struct parse *parse, enum ast_column_kind kind, struct ast_name *name,
                              struct str comment)
{
    struct ast_column *column = NODE(parse, struct ast_column);
    column->kind = kind;
    column->name = name;
    column->pos = name->pos;
    column->comment = comment;
    return column;
}

void ast_add_column(struct ast_statement *statement, struct ast_column *column)
{
    if (statement->last_column)
        statement->last_column->next = column;
    else
        statement->columns = column;
    statement->last_column = column;
    statement->column_count++;
}

void ast_add_check(struct parse *parse, struct ast_statement *statement, struct ast_name *name,
                   struct ast_expr *expr)
{
    struct ast_check *check = NODE(parse, struct ast_check);
    check->name = name;
    check->expr = expr;
    if (statement->last_check)
        statement->last_check->next = check;
    else
        statement->checks = check;
    statement->last_check = check;
    statement->check_count++;
}

void ast_set_primary_key(struct parse *parse, struct ast_statement *statement,
                         struct source_pos pos, struct ast_names names)
{
    if (statement->has_primary_key)
        parse_fail(parse, ERR_SYNTAX, pos, "the table has a PRIMARY KEY already");
    statement->has_primary_key = true;
    statement->primary_key_pos = pos;
    statement->primary_key = names;
}

void ast_set_watermark(struct parse *parse, struct ast_statement *statement,
                       struct ast_name *column, struct ast_expr *expr)
{
    if (statement->watermark)
        parse_fail(parse, ERR_SYNTAX, column->pos, "the table has a WATERMARK already");
    statement->watermark = column;
    statement->watermark_expr = expr;
}

struct ast_insert *ast_insert(struct parse *parse, struct source_pos pos)
{
    struct ast_insert *insert = NODE(parse, struct ast_insert);
    insert->pos = pos;
    return insert;
}

void ast_add_insert(struct ast_statement *statement, struct ast_insert *insert)
{
    if (statement->last_insert)
        statement->last_insert->next = insert;
    else
        statement->inserts = insert;
    statement->last_insert = insert;
    statement->insert_count++;
}
