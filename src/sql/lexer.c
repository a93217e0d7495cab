/* lexer.c - see lexer.h. One function a token class; every one leaves `at` behind the token. */
#include "sql/lexer.h"

#include "sql/sql.h"

#include "grammar.h"

void lexer_init(struct lexer *lexer, struct str text, struct source_pos base)
{
    *lexer = (struct lexer){
        .start = text.data,
        .at = text.data,
        .end = text.data + text.length,
        .base = base,
        .line = base.line ? base.line : 1,
        .column = base.column ? base.column : 1,
    };
    if (!base.offset && text.length >= 3 && memcmp(text.data, "\xEF\xBB\xBF", 3) == 0)
        lexer->at += 3; /* byte order mark */
}

/* Bytes of the valid sequence at `at`, or 0. Overlong forms, surrogates and values above U+10FFFF
 * are refused (Unicode, table 3-7). */
static size_t utf8_length(const unsigned char *at, size_t left)
{
    unsigned char first = at[0];
    size_t length = first < 0x80   ? 1
                    : first < 0xC2 ? 0
                    : first < 0xE0 ? 2
                    : first < 0xF0 ? 3
                    : first < 0xF5 ? 4
                                   : 0;
    if (length > left)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    if ((first == 0xE0 && at[1] < 0xA0) || (first == 0xED && at[1] > 0x9F) ||
        (first == 0xF0 && at[1] < 0x90) || (first == 0xF4 && at[1] > 0x8F))
        return 0;
    return length;
}

enum status lexer_check_utf8(struct str text, struct error *err)
{
    if (text.length > SQL_TEXT_MAX)
        return error_set(err, ERR_LIMIT, "the SQL text has %zu bytes; at most %u are read",
                         text.length, SQL_TEXT_MAX);
    struct source_pos pos = {.line = 1, .column = 1, .length = 1};
    for (size_t i = 0; i < text.length;) {
        size_t length = utf8_length((const unsigned char *)text.data + i, text.length - i);
        if (!length || !text.data[i]) {
            pos.offset = (uint32_t)i;
            error_set(err, ERR_SYNTAX,
                      length ? "a zero byte (0x%02x) cannot stand in an SQL text"
                             : "the byte 0x%02x is not UTF-8; SQL files are UTF-8",
                      (unsigned char)text.data[i]);
            error_at(err, pos);
            return ERR_SYNTAX;
        }
        if (text.data[i] == '\n') {
            pos.line++;
            pos.column = 0;
        }
        pos.column++;
        i += length;
    }
    return OK;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}
static bool is_name_part(char c)
{
    return is_name_start(c) || is_digit(c) || c == '$';
}

static char peek(const struct lexer *lexer, size_t ahead)
{
    return (size_t)(lexer->end - lexer->at) > ahead ? lexer->at[ahead] : 0;
}

/* Step over n bytes, counting lines and characters. */
static void advance(struct lexer *lexer, size_t count)
{
    for (; count > 0 && lexer->at < lexer->end; count--) {
        char c = *lexer->at++;
        if (c == '\n') {
            lexer->line++;
            lexer->column = 1;
        } else if (((unsigned char)c & 0xC0) != 0x80) {
            lexer->column++;
        }
    }
}

static struct source_pos here(const struct lexer *lexer)
{
    return (struct source_pos){
        .line = lexer->line,
        .column = lexer->column,
        .offset = lexer->base.offset + (uint32_t)(lexer->at - lexer->start),
        .length = 1,
    };
}

static enum status fail(struct error *err, struct source_pos pos, const char *text)
{
    error_set(err, ERR_SYNTAX, "%s", text);
    error_at(err, pos);
    return ERR_SYNTAX;
}

static void skip_line(struct lexer *lexer)
{
    const char *newline = memchr(lexer->at, '\n', (size_t)(lexer->end - lexer->at));
    advance(lexer, (size_t)((newline ? newline : lexer->end) - lexer->at));
}

/* Blanks and comments; a hint is no comment. */
static enum status skip_blanks(struct lexer *lexer, struct error *err)
{
    for (;;) {
        char c = peek(lexer, 0), d = peek(lexer, 1);
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v') {
            advance(lexer, 1);
        } else if ((c == '-' && d == '-') || (c == '/' && d == '/')) {
            skip_line(lexer);
        } else if (c == '/' && d == '*' && peek(lexer, 2) != '+') {
            struct source_pos pos = here(lexer);
            const char *end = memmem(lexer->at + 2, (size_t)(lexer->end - lexer->at) - 2, "*/", 2);
            if (!end)
                return fail(err, pos, "this comment is not closed by */");
            advance(lexer, (size_t)(end - lexer->at) + 2);
        } else {
            return OK;
        }
    }
}

/* From the opening quote (at offset skip) to the closing one; a doubled quote stands for one. */
static enum status lex_quoted(struct lexer *lexer, size_t skip, char quote, const char *unclosed,
                              struct error *err)
{
    struct source_pos pos = here(lexer);
    advance(lexer, skip + 1);
    for (;;) {
        const char *end = memchr(lexer->at, quote, (size_t)(lexer->end - lexer->at));
        if (!end)
            return fail(err, pos, unclosed);
        advance(lexer, (size_t)(end - lexer->at) + 1);
        if (peek(lexer, 0) != quote)
            return OK;
        advance(lexer, 1);
    }
}

static enum status lex_number(struct lexer *lexer, struct token *out, struct error *err)
{
    size_t length = 0;
    out->code = TK_INTEGER;
    while (is_digit(peek(lexer, length)))
        length++;
    if (peek(lexer, length) == '.') {
        out->code = TK_DECIMAL;
        length++;
        while (is_digit(peek(lexer, length)))
            length++;
    }
    if (peek(lexer, length) == 'e' || peek(lexer, length) == 'E') {
        size_t digits = length + 1;
        if (peek(lexer, digits) == '+' || peek(lexer, digits) == '-')
            digits++;
        if (is_digit(peek(lexer, digits))) {
            out->code = TK_DOUBLE;
            length = digits;
            while (is_digit(peek(lexer, length)))
                length++;
        }
    }
    if (is_name_start(peek(lexer, length))) {
        struct source_pos pos = here(lexer);
        while (is_name_part(peek(lexer, length)))
            length++;
        pos.length = (uint32_t)length;
        return fail(err, pos, "a name cannot begin with a digit; write it in backquotes");
    }
    advance(lexer, length);
    return OK;
}

static enum status lex_word(struct lexer *lexer, struct token *out, struct error *err)
{
    char c = peek(lexer, 0), d = peek(lexer, 1);
    if ((c == 'u' || c == 'U') && d == '&' && peek(lexer, 2) == '\'') {
        out->code = TK_STRING;
        return lex_quoted(lexer, 2, '\'', "this text is not closed by '", err);
    }
    if ((c == 'x' || c == 'X') && d == '\'') {
        out->code = TK_BINARY_STRING;
        return lex_quoted(lexer, 1, '\'', "this text is not closed by '", err);
    }
    if ((c == 'n' || c == 'N') && d == '\'') {
        out->code = TK_STRING;
        return lex_quoted(lexer, 1, '\'', "this text is not closed by '", err);
    }
    size_t length = 1;
    while (is_name_part(peek(lexer, length)))
        length++;
    out->code = keyword_find((struct str){lexer->at, length}, NULL);
    if (!out->code)
        out->code = TK_ID;
    advance(lexer, length);
    return OK;
}

static const struct sign {
    char text[3];
    int code;
} SIGNS[] = {
    /* two characters first */
    {"<>", TK_NE},      {"!=", TK_NE},  {"<=", TK_LE},   {">=", TK_GE},   {"||", TK_CONCAT},
    {"=>", TK_ARROW},   {"(", TK_LP},   {")", TK_RP},    {",", TK_COMMA}, {";", TK_SEMI},
    {".", TK_DOT},      {"+", TK_PLUS}, {"-", TK_MINUS}, {"*", TK_STAR},  {"/", TK_SLASH},
    {"%", TK_PERCENT},  {"=", TK_EQ},   {"<", TK_LT},    {">", TK_GT},    {"[", TK_LBRACKET},
    {"]", TK_RBRACKET},
};

static enum status lex_sign(struct lexer *lexer, struct token *out, struct error *err)
{
    char c = peek(lexer, 0), d = peek(lexer, 1);
    if (c == '/' && d == '*') { /* only a hint gets here */
        out->code = TK_HINT_BEGIN;
        lexer->in_hint = true;
        advance(lexer, 3);
        return OK;
    }
    if (lexer->in_hint && c == '*' && d == '/') {
        out->code = TK_HINT_END;
        lexer->in_hint = false;
        advance(lexer, 2);
        return OK;
    }
    for (size_t i = 0; i < sizeof(SIGNS) / sizeof(SIGNS[0]); i++) {
        if (SIGNS[i].text[0] == c && (!SIGNS[i].text[1] || SIGNS[i].text[1] == d)) {
            out->code = SIGNS[i].code;
            advance(lexer, SIGNS[i].text[1] ? 2 : 1);
            return OK;
        }
    }
    if (c == ':' && is_name_start(d)) {
        size_t length = 2;
        while (is_name_part(peek(lexer, length)))
            length++;
        out->code = TK_PARAMETER;
        advance(lexer, length);
        return OK;
    }
    struct source_pos pos = here(lexer);
    if (c == '"')
        return fail(err, pos,
                    "double quotes have no meaning here: text is written in 'single "
                    "quotes', a name in `backquotes`");
    if (c == '$' && d == '{')
        return fail(err, pos, "this variable was not replaced; give it with --var NAME=VALUE");
    error_set(err, ERR_SYNTAX,
              c >= ' ' && c < 127 ? "the character '%c' has no meaning here"
                                  : "the character 0x%02x has no meaning here",
              (unsigned char)c);
    error_at(err, pos);
    return ERR_SYNTAX;
}

enum status lexer_next(struct lexer *lexer, struct token *out, struct error *err)
{
    TRY(skip_blanks(lexer, err));
    *out = (struct token){.pos = here(lexer)};
    const char *start = lexer->at;
    char c = peek(lexer, 0);
    enum status status = OK;
    if (lexer->at == lexer->end) {
        out->text = (struct str){start, 0};
        out->pos.length = 0;
        return OK;
    }
    if (is_digit(c) || (c == '.' && is_digit(peek(lexer, 1)))) {
        status = lex_number(lexer, out, err);
    } else if (is_name_start(c)) {
        status = lex_word(lexer, out, err);
    } else if (c == '\'') {
        out->code = TK_STRING;
        status = lex_quoted(lexer, 0, '\'', "this text is not closed by '", err);
    } else if (c == '`') {
        out->code = TK_ID;
        status = lex_quoted(lexer, 0, '`', "this name is not closed by `", err);
    } else {
        status = lex_sign(lexer, out, err);
    }
    out->text = (struct str){start, (size_t)(lexer->at - start)};
    out->pos.length = (uint32_t)out->text.length;
    return status;
}
