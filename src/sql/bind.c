/* bind.c - the door: scripts worked through statement by statement, errors, texts inside objects.
 */
#include "sql/bind_int.h"

#include "base/must.h"

struct sql_script {
    char *file;
    struct str text;
    struct lexer lexer;
};

/* ---- what the binder's files share */

enum status bind_fail(struct binder *binder, enum status code, struct source_pos pos,
                      const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    error_vset(binder->err, code, fmt, args);
    va_end(args);
    error_at(binder->err, pos);
    return code;
}

enum status bind_unsupported(struct binder *binder, struct source_pos pos, const char *fmt, ...)
{
    char what[300];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    return bind_fail(binder, ERR_UNSUPPORTED, pos, "%s is not built yet in leat", what);
}

enum status bind_memory(struct binder *binder)
{
    return arena_check(binder->arena, "the statement", binder->err);
}

struct str bind_slice(const struct binder *binder, struct source_pos pos)
{
    size_t at = pos.offset - binder->base.offset;
    if (pos.offset < binder->base.offset || at > binder->text.length ||
        pos.length > binder->text.length - at)
        return (struct str){"", 0};
    return (struct str){binder->text.data + at, pos.length};
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

const char *bind_state_name(struct binder *binder, struct source_pos pos)
{
    static const char MARK[] = "-- leat: state=";
    const size_t mark = sizeof(MARK) - 1;
    size_t end = pos.offset - binder->base.offset, begin;
    if (pos.offset < binder->base.offset || end > binder->text.length)
        return NULL;
    const char *text = binder->text.data;
    while (end > 0 && is_blank(text[end - 1]))
        end--;
    for (begin = end; begin > 0 && text[begin - 1] != '\n'; begin--)
        ;
    while (begin < end && is_blank(text[begin]))
        begin++;
    if (end - begin <= mark || memcmp(text + begin, MARK, mark) != 0)
        return NULL;
    return bind_strdup(binder, (struct str){text + begin + mark, end - begin - mark});
}

const char *bind_strdup(struct binder *binder, struct str text)
{
    const char *copy = arena_strndup(binder->arena, text.data, text.length);
    return copy ? copy : "";
}

enum status bind_enter_text(struct binder *binder, const struct catalog_text *text,
                            enum parse_goal goal, struct parse *parse, struct bind_saved *saved)
{
    struct lexer lexer;
    *saved = (struct bind_saved){binder->text, binder->base, binder->path, binder->ctes};
    binder->text = text->text;
    binder->base = text->pos;
    lexer_init(&lexer, text->text, text->pos);
    return parse_run(parse, goal, &lexer, binder->arena, binder->err);
}

void bind_leave_text(struct binder *binder, const struct bind_saved *saved)
{
    binder->text = saved->text;
    binder->base = saved->base;
    binder->path = saved->path;
    binder->ctes = saved->ctes;
}

/* ---- scripts */

enum status sql_script_open(struct sql_script **out, const char *file, struct str text,
                            struct error *err)
{
    *out = NULL;
    TRY(lexer_check_utf8(text, err));
    size_t length = strlen(file);
    struct sql_script *script = mem_calloc(1, sizeof(*script));
    char *name = mem_alloc(length + 1);
    if (!script || !name) {
        mem_free(script);
        mem_free(name);
        return error_memory(err, "a script", sizeof(*script) + length + 1);
    }
    memcpy(name, file, length + 1);
    script->file = name;
    script->text = text;
    lexer_init(&script->lexer, text, (struct source_pos){0});
    *out = script;
    return OK;
}

void sql_script_close(struct sql_script *script)
{
    if (!script)
        return;
    mem_free(script->file);
    mem_free(script);
}

static enum status bind_create(struct binder *binder, const struct sql_script *script,
                               const struct ast_statement *ast, struct statement *out)
{
    out->kind = STATEMENT_CREATE;
    out->object_kind = ast->is_view ? CATALOG_VIEW : CATALOG_TABLE;
    TRY(catalog_object_new(&out->object, binder->err));
    out->object->restricted = binder->restricted;
    out->object->file = arena_strndup(&out->object->arena, script->file, strlen(script->file));
    return ast->is_view ? bind_create_view(binder, ast, out->object)
                        : bind_create_table(binder, ast, out->object);
}

static enum status bind_inserts(struct binder *binder, const struct ast_statement *ast,
                                struct statement *out)
{
    struct statement_insert *inserts =
        ARENA_ARRAY(binder->arena, ast->insert_count, struct statement_insert);
    uint32_t i = 0;
    TRY(bind_memory(binder));
    for (const struct ast_insert *insert = ast->inserts; insert; insert = insert->next)
        TRY(bind_insert(binder, insert, &inserts[i++]));
    out->kind = STATEMENT_INSERT;
    out->is_statement_set = ast->is_set;
    out->insert_count = i;
    out->inserts = inserts;
    return OK;
}

static void set_name(const struct ast_statement *ast, struct statement *out)
{
    out->name = ast->name->parts;
    out->name_count = ast->name->part_count;
    out->object_kind = ast->is_view ? CATALOG_VIEW : CATALOG_TABLE;
}

static enum status bind_setting(struct binder *binder, const struct ast_statement *ast,
                                struct statement *out)
{
    out->kind = ast->kind == AST_SET ? STATEMENT_SET : STATEMENT_RESET;
    if (ast->key.data)
        out->key = bind_strdup(binder, ast->key);
    if (ast->value.data)
        out->value = bind_strdup(binder, ast->value);
    return bind_memory(binder);
}

static enum status bind_statement(struct binder *binder, const struct sql_script *script,
                                  const struct ast_statement *ast, struct statement *out)
{
    enum status status = OK;
    switch (ast->kind) {
    case AST_CREATE_TABLE:
    case AST_CREATE_VIEW:
        status = bind_create(binder, script, ast, out);
        break;
    case AST_DROP:
        out->kind = STATEMENT_DROP;
        set_name(ast, out);
        break;
    case AST_SHOW_TABLES:
        out->kind = STATEMENT_SHOW_TABLES;
        break;
    case AST_SHOW_VIEWS:
        out->kind = STATEMENT_SHOW_VIEWS;
        break;
    case AST_SHOW_FUNCTIONS:
        out->kind = STATEMENT_SHOW_FUNCTIONS;
        break;
    case AST_SHOW_CREATE:
        out->kind = STATEMENT_SHOW_CREATE;
        set_name(ast, out);
        break;
    case AST_DESCRIBE:
        out->kind = STATEMENT_DESCRIBE;
        set_name(ast, out);
        break;
    case AST_SET:
    case AST_RESET:
        status = bind_setting(binder, ast, out);
        break;
    case AST_INSERT:
        status = bind_inserts(binder, ast, out);
        break;
    case AST_QUERY:
        out->kind = STATEMENT_SELECT;
        status = bind_query(binder, ast->query, &out->query);
        break;
    }
    if (ast->explain)
        out->kind = STATEMENT_EXPLAIN;
    return status;
}

static struct str span_text(struct str text, struct source_pos span)
{
    return (struct str){text.data + span.offset, span.length};
}

enum status sql_next(struct sql_script *script, const struct sql_session *session,
                     struct arena *arena, struct statement *out, struct error *err)
{
    struct parse parse;
    struct error ignored = {0};
    memset(out, 0, sizeof(*out));
    out->arena = arena;
    if (!err)
        err = &ignored;
    TRY(parse_run(&parse, PARSE_STATEMENT, &script->lexer, arena, err));
    if (!parse.statement)
        return error_set(err, ERR_END, "there is no further statement");
    const struct ast_statement *ast = parse.statement;
    struct binder binder = {
        .session = session,
        .restricted = session->restricted,
        .arena = arena,
        .err = err,
        .text = script->text,
        .path = "",
    };
    out->pos = parse.span;
    out->text = span_text(script->text, parse.span);
    out->if_exists = ast->if_exists;
    out->if_not_exists = ast->if_not_exists;
    out->replace = ast->replace;
    out->temporary = ast->temporary;
    out->like = ast->like;
    out->like_negated = ast->like_negated;
    out->explain_details = ast->explain_details;
    enum status status = bind_statement(&binder, script, ast, out);
    if (status == OK)
        status = bind_memory(&binder);
    out->references = binder.references;
    if (status != OK)
        sql_statement_fini(out);
    return status;
}

void sql_statement_fini(struct statement *statement)
{
    catalog_object_unref(statement->object);
    for (struct sql_reference *at = statement->references; at; at = at->next) {
        catalog_object_unref(at->object);
        if (at->release_state)
            at->release_state(at->state);
    }
    statement->object = NULL;
    statement->references = NULL;
}

/* ---- single expressions and types */

enum status sql_expression(struct str text, const struct sql_session *session, struct arena *arena,
                           struct statement *holder, const struct expr **out, struct error *err)
{
    struct lexer lexer;
    struct parse parse;
    struct error ignored = {0};
    struct binder binder = {
        .session = session, .arena = arena, .err = err ? err : &ignored, .text = text, .path = ""};
    struct scope scope = {.clause = "this place"};
    TRY(lexer_check_utf8(text, binder.err));
    lexer_init(&lexer, text, (struct source_pos){0});
    TRY(parse_run(&parse, PARSE_EXPRESSION, &lexer, arena, binder.err));
    enum status status = bind_expr(&binder, &scope, parse.expr, out);
    holder->references = binder.references;
    return status == OK ? bind_memory(&binder) : status;
}

enum status sql_table_scan(struct catalog_object *table, const struct sql_session *session,
                           struct arena *arena, struct statement *holder, const struct rel **out,
                           struct error *err)
{
    struct error ignored = {0};
    struct binder binder = {
        .session = session, .arena = arena, .err = err ? err : &ignored, .path = ""};
    enum status status = bind_scan(&binder, table, out);
    holder->references = binder.references;
    return status == OK ? bind_memory(&binder) : status;
}

enum status sql_type(struct str text, struct arena *arena, const struct type **out,
                     struct error *err)
{
    struct lexer lexer;
    struct parse parse;
    struct error ignored = {0};
    struct binder binder = {.arena = arena, .err = err ? err : &ignored, .text = text, .path = ""};
    TRY(lexer_check_utf8(text, binder.err));
    lexer_init(&lexer, text, (struct source_pos){0});
    TRY(parse_run(&parse, PARSE_TYPE, &lexer, arena, binder.err));
    return bind_type(&binder, arena, parse.type, out);
}
