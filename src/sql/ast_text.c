/* ast_text.c - the values inside quoted tokens: doubled quotes, U&'\0041' escapes, x'0F' bytes. */
#include "sql/parser.h"

#include "grammar.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static size_t put_utf8(char *out, uint32_t code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | (code >> 6));
        out[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | (code >> 12));
        out[1] = (char)(0x80 | (code >> 6 & 0x3F));
        out[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | (code >> 18));
    out[1] = (char)(0x80 | (code >> 12 & 0x3F));
    out[2] = (char)(0x80 | (code >> 6 & 0x3F));
    out[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

/* \XXXX is a UTF-16 unit (a pair for a character above U+FFFF), \\ a backslash. Returns the bytes
 * read, 0 for a malformed escape. */
static size_t read_unit(const char *text, size_t left, uint32_t *out)
{
    *out = 0;
    if (left < 5 || text[0] != '\\')
        return 0;
    for (size_t i = 1; i < 5; i++) {
        int digit = hex_digit(text[i]);
        if (digit < 0)
            return 0;
        *out = *out * 16 + (uint32_t)digit;
    }
    return 5;
}

/* In place: the result is never longer. */
static size_t unescape_unicode(struct parse *parse, const struct token *token, char *text,
                               size_t length)
{
    size_t out = 0;
    for (size_t i = 0; i < length;) {
        uint32_t code, low;
        if (text[i] != '\\') {
            text[out++] = text[i++];
            continue;
        }
        if (i + 1 < length && text[i + 1] == '\\') {
            text[out++] = '\\';
            i += 2;
            continue;
        }
        size_t used = read_unit(text + i, length - i, &code);
        if (used && code >= 0xD800 && code < 0xDC00) {
            size_t more = read_unit(text + i + used, length - i - used, &low);
            used = more && low >= 0xDC00 && low < 0xE000 ? used + more : 0;
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        } else if (code >= 0xDC00 && code < 0xE000) {
            used = 0;
        }
        if (!used || !code) {
            parse_fail(parse, ERR_SYNTAX, token->pos,
                       "U&'...' has an escape that is no \\XXXX of a Unicode character");
            return out;
        }
        out += put_utf8(text + out, code);
        i += used;
    }
    return out;
}

static size_t unhex(struct parse *parse, const struct token *token, char *text, size_t length)
{
    size_t out = 0;
    for (size_t i = 0; i < length; i += 2) {
        int high = hex_digit(text[i]), low = i + 1 < length ? hex_digit(text[i + 1]) : -1;
        if (high < 0 || low < 0) {
            parse_fail(parse, ERR_SYNTAX, token->pos, "x'...' needs pairs of hexadecimal digits");
            return 0;
        }
        text[out++] = (char)(high * 16 + low);
    }
    return out;
}

struct str ast_text(struct parse *parse, const struct token *token)
{
    const char *quote = memchr(token->text.data, '\'', token->text.length);
    if (!quote)
        return STR("");
    size_t start = (size_t)(quote - token->text.data) + 1, length = 0;
    char *text = arena_alloc(parse->arena, token->text.length);
    if (!text) {
        if (parse->status == OK)
            parse->status = arena_check(parse->arena, "the statement", parse->err);
        return STR("");
    }
    for (size_t i = start; i + 1 < token->text.length; i++) {
        text[length++] = token->text.data[i];
        if (token->text.data[i] == '\'')
            i++;
    }
    char first = token->text.data[0];
    if (token->code == TK_BINARY_STRING)
        length = unhex(parse, token, text, length);
    else if (first == 'u' || first == 'U')
        length = unescape_unicode(parse, token, text, length);
    return (struct str){text, length};
}

int64_t ast_integer(struct parse *parse, const struct token *token)
{
    int64_t value = 0;
    if (!str_to_i64(token->text, &value, NULL) || value < 0 || value > INT32_MAX) {
        parse_fail(parse, ERR_RANGE, token->pos, "the number must be between 0 and %d", INT32_MAX);
        return 0;
    }
    return value;
}
