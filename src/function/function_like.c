/* function_like.c - LIKE.
 *
 * A constant pattern is compiled when binding; nearly all are one of equals, prefix%, %suffix,
 * %part%, which are compared without a walk. Others are matched with one pointer to fall back to
 * (the last %), so the work is at most text length times pattern length. _ is one code point.
 * Without ESCAPE no character escapes (SQL standard, Flink). SIMILAR TO is in function_regexp.c.
 */
#include "function/bind_args.h"
#include "function/families.h"

enum like_kind { LIKE_EQUAL, LIKE_PREFIX, LIKE_SUFFIX, LIKE_PART, LIKE_ANY, LIKE_GENERAL };

/* items: the pattern without escapes, one item a byte sequence; wild marks % and _ by their place.
 */
struct like_pattern {
    enum like_kind kind;
    struct str literal; /* for all kinds but LIKE_GENERAL */
    size_t item_count;
    const char *items;   /* bytes of the pattern without escape characters */
    const uint8_t *wild; /* per byte: 0 literal, '%' or '_' */
};

/* Chooses the kind from where the % stand. */
static void like_classify(struct like_pattern *pattern)
{
    size_t count = pattern->item_count, percents = 0, singles = 0;
    for (size_t i = 0; i < count; i++) {
        percents += pattern->wild[i] == '%';
        singles += pattern->wild[i] == '_';
    }
    bool first = count > 0 && pattern->wild[0] == '%';
    bool last = count > 0 && pattern->wild[count - 1] == '%';
    pattern->literal = (struct str){pattern->items, count};
    if (singles > 0 || percents > 2 || (percents == 2 && !(first && last)) ||
        (percents == 1 && !first && !last)) {
        pattern->kind = LIKE_GENERAL;
    } else if (percents == 0) {
        pattern->kind = LIKE_EQUAL;
    } else if (count == 1) {
        pattern->kind = LIKE_ANY;
    } else {
        pattern->kind = percents == 2 ? LIKE_PART : first ? LIKE_SUFFIX : LIKE_PREFIX;
        pattern->literal.data += first;
        pattern->literal.length -= percents;
    }
}

/* The length of what the escape character before it makes literal; 0: it must not be escaped. */
static size_t escaped_length(struct str rest, struct str escape)
{
    if (str_starts(rest, escape))
        return escape.length;
    return rest.length > 0 && (rest.data[0] == '%' || rest.data[0] == '_');
}

/* items and wild have pattern.length bytes each. False: the escape character stands before
 * something else than %, _ or itself. */
static bool like_compile(struct like_pattern *out, struct str pattern, struct str escape,
                         char *items, uint8_t *wild)
{
    size_t count = 0;
    for (size_t at = 0; at < pattern.length; at++) {
        struct str rest = {pattern.data + at, pattern.length - at};
        char byte = rest.data[0];
        if (escape.length > 0 && str_starts(rest, escape)) {
            rest.data += escape.length;
            rest.length -= escape.length;
            size_t length = escaped_length(rest, escape);
            if (length == 0)
                return false;
            memcpy(items + count, rest.data, length);
            memset(wild + count, 0, length);
            count += length;
            at += escape.length + length - 1;
            continue;
        }
        wild[count] = byte == '%' || byte == '_' ? (uint8_t)byte : 0;
        if (byte == '%' && count > 0 && wild[count - 1] == '%')
            continue; /* %% is % */
        items[count++] = byte;
    }
    out->items = items;
    out->wild = wild;
    out->item_count = count;
    like_classify(out);
    return true;
}

static size_t char_bytes(const char *at)
{
    unsigned char first = (unsigned char)*at;
    return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

static bool like_general(const struct like_pattern *pattern, struct str text)
{
    size_t at = 0, item = 0;
    size_t back_item = SIZE_MAX, back_at = 0; /* behind the last %, and where it ends by now */
    while (at < text.length) {
        if (item < pattern->item_count && pattern->wild[item] == '%') {
            back_item = ++item;
            back_at = at;
        } else if (item < pattern->item_count && pattern->wild[item] == '_') {
            at += char_bytes(text.data + at);
            item++;
        } else if (item < pattern->item_count && pattern->items[item] == text.data[at]) {
            at++;
            item++;
        } else if (back_item != SIZE_MAX) {
            item = back_item;
            back_at += char_bytes(text.data + back_at);
            at = back_at;
        } else {
            return false;
        }
    }
    while (item < pattern->item_count && pattern->wild[item] == '%')
        item++;
    return item == pattern->item_count;
}

static bool bytes_equal(const char *a, struct str b)
{
    return b.length == 0 || memcmp(a, b.data, b.length) == 0;
}

static bool like_match(const struct like_pattern *pattern, struct str text)
{
    struct str literal = pattern->literal;
    switch (pattern->kind) {
    case LIKE_EQUAL:
        return text.length == literal.length && bytes_equal(text.data, literal);
    case LIKE_PREFIX:
        return text.length >= literal.length && bytes_equal(text.data, literal);
    case LIKE_SUFFIX:
        return text.length >= literal.length &&
               bytes_equal(text.data + text.length - literal.length, literal);
    case LIKE_PART:
        return text_find(text, literal) != NULL;
    case LIKE_ANY:
        return true;
    default:
        return like_general(pattern, text);
    }
}

static void run_like_constant(struct function_call *call)
{
    const struct like_pattern *pattern = call->state;
    uint8_t *out = call->out->values;
    CALL_ROWS(call, row)
    out[row] = like_match(pattern, arg_str(call->args[0], row));
}

#define PATTERN_BYTES_MAX 4096 /* of a pattern that is no constant */

static void run_like(struct function_call *call)
{
    uint8_t *out = call->out->values;
    char items[PATTERN_BYTES_MAX];
    uint8_t wild[PATTERN_BYTES_MAX];
    CALL_ROWS(call, row)
    {
        struct str text = arg_str(call->args[1], row);
        struct str escape = call->arg_count == 3 ? arg_str(call->args[2], row) : STR("");
        struct like_pattern pattern;
        if (escape.length > 0 && escape.length != char_bytes(escape.data))
            call_fail(call, row, ERR_DATA, "LIKE: ESCAPE takes one character");
        else if (text.length > PATTERN_BYTES_MAX)
            call_fail(call, row, ERR_LIMIT, "a LIKE pattern of more than %d bytes",
                      PATTERN_BYTES_MAX);
        else if (!like_compile(&pattern, text, escape, items, wild))
            call_fail(call, row, ERR_DATA, "invalid escape sequence in LIKE '%.*s'",
                      text.length > 60 ? 60 : (int)text.length, text.data);
        else
            out[row] = like_match(&pattern, arg_str(call->args[0], row));
    }
}

static enum status bind_like(struct function_bind *bind, struct error *err)
{
    TRY(bind_args(bind, "LIKE", "s", "a text, a pattern and an escape character", err));
    struct str text, escape = {"", 0};
    bool constant = bind_constant_text(bind, 1, &text) &&
                    (bind->arg_count < 3 || bind_constant_text(bind, 2, &escape));
    if (escape.length > 0 && escape.length != char_bytes(escape.data))
        return error_set(err, ERR_DATA, "LIKE: ESCAPE takes one character");
    if (constant) {
        struct like_pattern *pattern = ARENA_NEW(bind->arena, struct like_pattern);
        char *items = arena_alloc(bind->arena, text.length + 1);
        uint8_t *wild = arena_alloc(bind->arena, text.length + 1);
        TRY(bind_check(bind, err));
        if (!like_compile(pattern, text, escape, items, wild)) {
            error_set(err, ERR_DATA, "invalid escape sequence in LIKE '%.*s'", (int)text.length,
                      text.data);
            error_at(err, bind->pos);
            return ERR_DATA;
        }
        bind->state = pattern;
    }
    return bind_result(bind, &TYPE_OF_BOOLEAN, false, constant ? run_like_constant : run_like, err);
}

const struct function_def FUNCTIONS_LIKE[] = {
    {"LIKE", "string LIKE pattern [ESCAPE character]",
     "TRUE when the text has the pattern's form: % any characters, _ one character.", "comparison",
     FUNCTION_STRICT | FUNCTION_CAN_FAIL, 2, 3, bind_like},
};
const size_t FUNCTIONS_LIKE_COUNT = sizeof FUNCTIONS_LIKE / sizeof *FUNCTIONS_LIKE;
