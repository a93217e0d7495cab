/* substitute.c - ${NAME} in SQL texts, before the lexer: it knows quotes and comments and nothing
 * else. */
#include "sql/sql.h"

#include <stdlib.h>

#define VALUE_BYTES_MAX (1u << 20)

struct substitution {
    struct buf *out;
    struct buf *shown; /* the same with secrets as asterisks */
    struct str text;
    struct sql_variable *variables;
    size_t variable_count;
    struct io *io;
    size_t at;
    char quote; /* ' or ` while inside, else 0 */
    struct error *err;
};

static struct source_pos place(const struct substitution *sub, size_t from)
{
    struct source_pos pos = {.line = 1, .column = 1, .offset = (uint32_t)from};
    for (size_t i = 0; i < from; i++) {
        if (sub->text.data[i] == '\n') {
            pos.line++;
            pos.column = 1;
        } else if (((uint8_t)sub->text.data[i] & 0xc0) != 0x80) {
            pos.column++;
        }
    }
    return pos;
}

static void append_byte(struct substitution *sub, char byte, bool is_secret)
{
    buf_append_byte(sub->out, (uint8_t)byte);
    buf_append_byte(sub->shown, is_secret ? '*' : (uint8_t)byte);
}

static void append_value(struct substitution *sub, struct str value, bool is_secret)
{
    for (size_t i = 0; i < value.length; i++) {
        if (sub->quote && value.data[i] == sub->quote)
            append_byte(sub, sub->quote, is_secret);
        append_byte(sub, value.data[i], is_secret);
    }
}

static enum status unknown(struct substitution *sub, struct str name)
{
    const char *names[64];
    char texts[64][64];
    size_t count = 0;
    enum status status =
        error_set(sub->err, ERR_NAME, "there is no variable '%.*s'", (int)name.length, name.data);
    for (size_t i = 0; i < sub->variable_count && count < 64; i++) {
        struct str known = sub->variables[i].name;
        if (known.length >= sizeof(texts[0]))
            continue;
        memcpy(texts[count], known.data, known.length);
        texts[count][known.length] = 0;
        names[count] = texts[count];
        count++;
    }
    const char *nearest = str_nearest(name, names, count);
    if (nearest)
        error_hint(sub->err, "did you mean '%s'?", nearest);
    else
        error_hint(sub->err, "give it with --var %.*s=VALUE", (int)name.length, name.data);
    return status;
}

/* NAME or NAME:-DEFAULT. */
static enum status append_variable(struct substitution *sub, struct str name)
{
    struct str value = {0};
    bool has_default = false;
    for (size_t i = 0; i + 1 < name.length && !has_default; i++) {
        if (name.data[i] == ':' && name.data[i + 1] == '-') {
            has_default = true;
            value = (struct str){name.data + i + 2, name.length - i - 2};
            name.length = i;
        }
    }
    size_t i = 0;
    while (i < sub->variable_count && !str_eq(sub->variables[i].name, name))
        i++;
    if (i == sub->variable_count && !has_default)
        return unknown(sub, name);
    if (i < sub->variable_count) {
        value = sub->variables[i].value;
        sub->variables[i].used = true;
    }
    append_value(sub, value, false);
    return OK;
}

static enum status append_secret(struct substitution *sub, struct str name)
{
    char text[4096];
    bool is_env = str_starts(name, STR("env:"));
    struct str rest = {name.data + (is_env ? 4 : 5), name.length - (is_env ? 4 : 5)};
    if (!sub->io)
        return error_set(sub->err, ERR_ACCESS,
                         "${%.*s} is only read in files named on the command line",
                         (int)name.length, name.data);
    if (rest.length >= sizeof(text))
        return error_set(sub->err, ERR_LIMIT, "a name of more than %zu bytes", sizeof(text) - 1);
    memcpy(text, rest.data, rest.length);
    text[rest.length] = 0;
    if (is_env) {
        const char *value = getenv(text);
        if (!value)
            return error_set(sub->err, ERR_NAME, "the environment has no '%s'", text);
        append_value(sub, str_of(value), true);
        return OK;
    }
    struct buf bytes;
    buf_init(&bytes, VALUE_BYTES_MAX);
    enum status status = io_read_file(sub->io, text, &bytes, sub->err);
    if (status == OK) {
        struct str value = {(const char *)bytes.data, bytes.length};
        if (value.length && value.data[value.length - 1] == '\n')
            value.length--;
        append_value(sub, value, true);
    }
    buf_fini(&bytes);
    return status;
}

/* At "${". */
static enum status variable(struct substitution *sub)
{
    size_t from = sub->at, end = from + 2;
    while (end < sub->text.length && sub->text.data[end] != '}' && sub->text.data[end] != '\n')
        end++;
    enum status status = OK;
    struct str name = {sub->text.data + from + 2, end - from - 2};
    sub->at = end + 1;
    if (end == sub->text.length || sub->text.data[end] != '}') {
        status = error_set(sub->err, ERR_SYNTAX, "a variable that begins with ${ needs a }");
    } else if (str_starts(name, STR("env:")) || str_starts(name, STR("file:"))) {
        status = append_secret(sub, name);
    } else {
        status = append_variable(sub, name);
    }
    if (status != OK && sub->err) {
        struct source_pos pos = place(sub, from);
        pos.length = (uint32_t)(end - from + 1);
        error_at(sub->err, pos);
    }
    return status;
}

static bool ahead(const struct substitution *sub, const char two[2])
{
    return sub->at + 1 < sub->text.length && sub->text.data[sub->at] == two[0] &&
           sub->text.data[sub->at + 1] == two[1];
}

static void copy_byte(struct substitution *sub)
{
    append_byte(sub, sub->text.data[sub->at++], false);
}

static void copy_comment(struct substitution *sub)
{
    bool line = ahead(sub, "--");
    copy_byte(sub);
    copy_byte(sub);
    while (sub->at < sub->text.length) {
        if (line && sub->text.data[sub->at] == '\n')
            return;
        if (!line && ahead(sub, "*/")) {
            copy_byte(sub);
            copy_byte(sub);
            return;
        }
        copy_byte(sub);
    }
}

enum status sql_substitute(struct buf *out, struct buf *shown, struct str text,
                           struct sql_variable *variables, size_t variable_count, struct io *io,
                           struct error *err)
{
    struct substitution sub = {.out = out,
                               .shown = shown,
                               .text = text,
                               .variables = variables,
                               .variable_count = variable_count,
                               .io = io,
                               .err = err};
    while (sub.at < text.length) {
        char c = text.data[sub.at];
        if (ahead(&sub, "${")) {
            TRY(variable(&sub));
        } else if (!sub.quote && (ahead(&sub, "--") || ahead(&sub, "/*"))) {
            copy_comment(&sub);
        } else {
            if (c == '\'' || c == '`')
                sub.quote = !sub.quote ? c : sub.quote == c ? 0 : sub.quote;
            copy_byte(&sub);
        }
    }
    TRY(buf_check(shown, "the SQL text", err));
    return buf_check(out, "the SQL text", err);
}
