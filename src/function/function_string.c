/* function_string.c - case, length, trimming, joining and repeating of texts.
 *
 * Does not: searching and cutting (function_substring.c), patterns (function_like.c,
 * function_regexp.c). A character is a code point. Results that are part of an argument share its
 * bytes. Flink's own rules: NULL in gives NULL but for CONCAT_WS; case is mapped code point by code
 * point, but for sharp s, whose upper form is SS as in Java.
 */
#include <utf8proc.h>

#include "data/utf8.h"
#include "function/bind_args.h"
#include "function/families.h"

/* ---- case ---- */

static bool is_ascii(struct str text)
{
    unsigned char all = 0;
    for (size_t i = 0; i < text.length; i++)
        all |= (unsigned char)text.data[i];
    return all < 0x80;
}

static inline char ascii_upper(char byte)
{
    return byte >= 'a' && byte <= 'z' ? (char)(byte - 'a' + 'A') : byte;
}

static inline char ascii_lower(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
}

#define SHARP_S         0xdf
#define CASE_GROWTH_MAX 2 /* no simple mapping more than doubles the bytes; nor does SS */

/* Writes the mapped code point; upper or lower. */
static size_t put_case(char *dest, utf8proc_int32_t code, bool upper)
{
    if (upper && code == SHARP_S) {
        memcpy(dest, "SS", 2);
        return 2;
    }
    code = upper ? utf8proc_toupper(code) : utf8proc_tolower(code);
    return (size_t)utf8proc_encode_char(code, (utf8proc_uint8_t *)dest);
}

enum case_mode { CASE_UPPER, CASE_LOWER, CASE_INITIAL };

static bool is_word(utf8proc_int32_t code)
{
    utf8proc_category_t category = utf8proc_category(code);
    return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) ||
           category == UTF8PROC_CATEGORY_ND;
}

static size_t map_case(char *dest, struct str text, enum case_mode mode)
{
    size_t used = 0;
    bool word = false; /* the character before belongs to a word */
    for (size_t at = 0; at < text.length;) {
        utf8proc_int32_t code;
        utf8proc_ssize_t taken = utf8proc_iterate((const utf8proc_uint8_t *)text.data + at,
                                                  (utf8proc_ssize_t)(text.length - at), &code);
        if (taken < 1)
            break; /* cannot happen: text in vectors is valid UTF-8 */
        used += put_case(dest + used, code, mode == CASE_UPPER || (mode == CASE_INITIAL && !word));
        word = is_word(code);
        at += (size_t)taken;
    }
    return used;
}

static void map_ascii(char *dest, struct str text, enum case_mode mode)
{
    if (mode == CASE_UPPER) {
        for (size_t i = 0; i < text.length; i++)
            dest[i] = ascii_upper(text.data[i]);
    } else if (mode == CASE_LOWER) {
        for (size_t i = 0; i < text.length; i++)
            dest[i] = ascii_lower(text.data[i]);
    } else {
        bool word = false;
        for (size_t i = 0; i < text.length; i++) {
            char lower = ascii_lower(text.data[i]);
            dest[i] = word ? lower : ascii_upper(lower);
            word = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9');
        }
    }
}

static void run_case(struct function_call *call, enum case_mode mode)
{
    CALL_ROWS(call, row)
    {
        struct str text = arg_str(call->args[0], row);
        if (is_ascii(text)) {
            char small[VIEW_INLINE_MAX];
            bool fits = text.length <= VIEW_INLINE_MAX;
            char *dest = fits ? small : call_text_room(call, text.length);
            if (!dest)
                return;
            map_ascii(dest, text, mode);
            call_finish_text(call, row, dest, text.length);
        } else {
            char *dest = call_text_room(call, text.length * CASE_GROWTH_MAX);
            if (!dest)
                return;
            call_finish_text(call, row, dest, map_case(dest, text, mode));
        }
    }
}

static void run_upper(struct function_call *call)
{
    run_case(call, CASE_UPPER);
}

static void run_lower(struct function_call *call)
{
    run_case(call, CASE_LOWER);
}

static void run_initcap(struct function_call *call)
{
    run_case(call, CASE_INITIAL);
}

static enum status bind_case(struct function_bind *bind, const char *name, function_kernel kernel,
                             struct error *err)
{
    TRY(bind_args(bind, name, "s", "a text", err));
    return bind_result(bind, bind->arg_types[0], false, kernel, err);
}

static enum status bind_upper(struct function_bind *bind, struct error *err)
{
    return bind_case(bind, "UPPER", run_upper, err);
}

static enum status bind_lower(struct function_bind *bind, struct error *err)
{
    return bind_case(bind, "LOWER", run_lower, err);
}

static enum status bind_initcap(struct function_bind *bind, struct error *err)
{
    return bind_case(bind, "INITCAP", run_initcap, err);
}

/* ---- length ---- */

static void run_char_length(struct function_call *call)
{
    int32_t *out = call->out->values;
    CALL_ROWS(call, row)
    {
        struct str text = arg_str(call->args[0], row);
        out[row] = (int32_t)utf8_count(text.data, text.length);
    }
}

static enum status bind_char_length(struct function_bind *bind, struct error *err)
{
    TRY(bind_args(bind, "CHAR_LENGTH", "s", "a text", err));
    return bind_result(bind, &TYPE_OF_INT, false, run_char_length, err);
}

static void run_octet_length(struct function_call *call)
{
    int32_t *out = call->out->values;
    CALL_ROWS(call, row)
    out[row] = (int32_t)arg_view(call->args[0], row)->length;
}

static enum status bind_octet_length(struct function_bind *bind, struct error *err)
{
    TRY(bind_args(bind, "OCTET_LENGTH", "b", "a text or bytes", err));
    return bind_result(bind, &TYPE_OF_INT, false, run_octet_length, err);
}

static void run_ascii(struct function_call *call)
{
    int32_t *out = call->out->values;
    CALL_ROWS(call, row)
    {
        struct str text = arg_str(call->args[0], row);
        out[row] = text.length ? (signed char)text.data[0] : 0; /* Flink: the byte, signed */
    }
}

static enum status bind_ascii(struct function_bind *bind, struct error *err)
{
    TRY(bind_args(bind, "ASCII", "s", "a text", err));
    return bind_result(bind, &TYPE_OF_INT, false, run_ascii, err);
}

static void run_chr(struct function_call *call)
{
    CALL_ROWS(call, row)
    {
        int64_t number = arg_i64(call->args[0], row);
        char text[4];
        size_t length = 0;
        if (number >= 0)
            length = (size_t)utf8proc_encode_char((utf8proc_int32_t)(number & 0xff),
                                                  (utf8proc_uint8_t *)text);
        call_finish_text(call, row, text, length);
    }
}

static enum status bind_chr(struct function_bind *bind, struct error *err)
{
    TRY(bind_args(bind, "CHR", "i", "an integer", err));
    return bind_result(bind, &TYPE_OF_STRING, true, run_chr, err);
}

/* ---- trimming ---- */

static size_t char_bytes(const char *at)
{
    unsigned char first = (unsigned char)*at;
    return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

static bool set_has(struct str set, const char *bytes, size_t length)
{
    if (length == 1)
        return set.length > 0 && memchr(set.data, *bytes, set.length) != NULL;
    for (size_t at = 0; at < set.length; at += char_bytes(set.data + at))
        if (set.length - at >= length && memcmp(set.data + at, bytes, length) == 0)
            return true;
    return false;
}

static struct str trimmed(struct str text, struct str set, bool leading, bool trailing)
{
    while (leading && text.length > 0) {
        size_t length = char_bytes(text.data);
        if (!set_has(set, text.data, length))
            break;
        text.data += length;
        text.length -= length;
    }
    while (trailing && text.length > 0) {
        size_t length = 1;
        while (length < text.length &&
               ((unsigned char)text.data[text.length - length] & 0xc0) == 0x80)
            length++;
        if (!set_has(set, text.data + text.length - length, length))
            break;
        text.length -= length;
    }
    return text;
}

/* The text is argument text_arg, the characters to take off set_arg (blank when there is none). */
static void run_trim_of(struct function_call *call, uint32_t text_arg, uint32_t set_arg,
                        bool leading, bool trailing)
{
    const struct vec *texts = call->args[text_arg];
    CALL_ROWS(call, row)
    {
        struct str set = set_arg < call->arg_count ? arg_str(call->args[set_arg], row) : STR(" ");
        struct str text = trimmed(arg_str(texts, row), set, leading, trailing);
        if (!call_share_text(call, row, texts, text.data, text.length))
            return;
    }
}

static void run_trim_both(struct function_call *call)
{
    run_trim_of(call, 2, 1, true, true);
}

static void run_trim_leading(struct function_call *call)
{
    run_trim_of(call, 2, 1, true, false);
}

static void run_trim_trailing(struct function_call *call)
{
    run_trim_of(call, 2, 1, false, true);
}

static enum status bind_trim(struct function_bind *bind, struct error *err)
{
    struct str where;
    if (bind->arg_count != 3 || !bind_constant_text(bind, 0, &where))
        return bind_type_error(bind, "TRIM", "[BOTH | LEADING | TRAILING] [characters FROM] a text",
                               err);
    TRY(bind_args(bind, "TRIM", "s", "texts", err));
    function_kernel kernel = str_eq(where, STR("LEADING"))    ? run_trim_leading
                             : str_eq(where, STR("TRAILING")) ? run_trim_trailing
                                                              : run_trim_both;
    return bind_result(bind, type_varying(bind->arena, bind->arg_types[2]), false, kernel, err);
}

static void run_ltrim(struct function_call *call)
{
    run_trim_of(call, 0, 1, true, false);
}

static void run_rtrim(struct function_call *call)
{
    run_trim_of(call, 0, 1, false, true);
}

static void run_btrim(struct function_call *call)
{
    run_trim_of(call, 0, 1, true, true);
}

static enum status bind_side_trim(struct function_bind *bind, const char *name,
                                  function_kernel kernel, struct error *err)
{
    TRY(bind_args(bind, name, "s", "a text and the characters to take off", err));
    return bind_result(bind, type_varying(bind->arena, bind->arg_types[0]), false, kernel, err);
}

static enum status bind_ltrim(struct function_bind *bind, struct error *err)
{
    return bind_side_trim(bind, "LTRIM", run_ltrim, err);
}

static enum status bind_rtrim(struct function_bind *bind, struct error *err)
{
    return bind_side_trim(bind, "RTRIM", run_rtrim, err);
}

static enum status bind_btrim(struct function_bind *bind, struct error *err)
{
    return bind_side_trim(bind, "BTRIM", run_btrim, err);
}

/* ---- joining ---- */

static void run_concat(struct function_call *call)
{
    CALL_ROWS(call, row)
    {
        size_t length = 0;
        for (uint32_t i = 0; i < call->arg_count; i++)
            length += arg_view(call->args[i], row)->length;
        if (length > FUNCTION_TEXT_MAX) {
            call_fail(call, row, ERR_LIMIT,
                      "the joined text has %zu bytes; at most %u are possible", length,
                      FUNCTION_TEXT_MAX);
            continue;
        }
        char small[VIEW_INLINE_MAX];
        char *dest = length <= VIEW_INLINE_MAX ? small : call_text_room(call, length);
        if (!dest)
            return;
        size_t at = 0;
        for (uint32_t i = 0; i < call->arg_count; i++) {
            struct str part = arg_str(call->args[i], row);
            if (part.length)
                memcpy(dest + at, part.data, part.length);
            at += part.length;
        }
        call_finish_text(call, row, dest, length);
    }
}

static enum status bind_concat(struct function_bind *bind, struct error *err)
{
    TRY(bind_args(bind, "CONCAT", "s", "texts", err));
    return bind_result(bind, &TYPE_OF_STRING, false, run_concat, err);
}

/* The length of a || b is the sum; CHAR only when both are. */
static enum status bind_concat_operator(struct function_bind *bind, struct error *err)
{
    bool bytes = type_is_bytes(bind->arg_types[0]) && type_is_bytes(bind->arg_types[1]);
    TRY(bind_args(bind, "||", bytes ? "b" : "s", "two texts", err));
    const struct type *a = bind->arg_types[0], *b = bind->arg_types[1];
    int64_t sum = (int64_t)a->length + b->length;
    enum type_root fixed = bytes ? TYPE_BINARY : TYPE_CHAR;
    enum type_root varying = bytes ? TYPE_VARBINARY : TYPE_VARCHAR;
    const struct type *type = type_text(
        bind->arena, a->root == fixed && b->root == fixed ? fixed : varying,
        sum > TYPE_LENGTH_MAX ? TYPE_LENGTH_MAX : (int32_t)sum, a->nullable || b->nullable);
    return bind_result(bind, type, false, run_concat, err);
}

static void run_concat_ws(struct function_call *call)
{
    CALL_ROWS(call, row)
    {
        if (!arg_valid(call->args[0], row)) {
            call_set_null(call, row);
            continue;
        }
        struct str separator = arg_str(call->args[0], row);
        size_t length = 0;
        for (uint32_t i = 1; i < call->arg_count; i++)
            if (arg_valid(call->args[i], row))
                length += arg_view(call->args[i], row)->length + separator.length;
        if (length > FUNCTION_TEXT_MAX) {
            call_fail(call, row, ERR_LIMIT,
                      "the joined text has %zu bytes; at most %u are possible", length,
                      FUNCTION_TEXT_MAX);
            continue;
        }
        char *dest = call_text_room(call, length);
        if (!dest)
            return;
        size_t at = 0;
        bool first = true;
        for (uint32_t i = 1; i < call->arg_count; i++) {
            if (!arg_valid(call->args[i], row))
                continue;
            struct str part = arg_str(call->args[i], row);
            if (!first && separator.length)
                memcpy(dest + at, separator.data, separator.length);
            at += first ? 0 : separator.length;
            first = false;
            if (part.length)
                memcpy(dest + at, part.data, part.length);
            at += part.length;
        }
        call_finish_text(call, row, dest, at);
    }
}

static enum status bind_concat_ws(struct function_bind *bind, struct error *err)
{
    TRY(bind_args(bind, "CONCAT_WS", "s", "a separator and texts", err));
    bind->kernel = run_concat_ws;
    bind->result = type_with_nullable(bind->arena, &TYPE_OF_STRING, bind->arg_types[0]->nullable);
    return bind_check(bind, err);
}

/* ---- repeating, reversing ---- */

static void run_repeat(struct function_call *call)
{
    CALL_ROWS(call, row)
    {
        struct str text = arg_str(call->args[0], row);
        int64_t times = arg_i64(call->args[1], row);
        if (times <= 0 || text.length == 0)
            times = 0;
        if (times > 0 && (uint64_t)times > FUNCTION_TEXT_MAX / text.length) {
            call_fail(call, row, ERR_LIMIT, "REPEAT gives more than %u bytes", FUNCTION_TEXT_MAX);
            continue;
        }
        size_t length = (size_t)times * text.length;
        char *dest = call_text_room(call, length);
        if (!dest)
            return;
        for (int64_t i = 0; i < times; i++)
            memcpy(dest + (size_t)i * text.length, text.data, text.length);
        call_finish_text(call, row, dest, length);
    }
}

static enum status bind_repeat(struct function_bind *bind, struct error *err)
{
    TRY(bind_args(bind, "REPEAT", "si", "a text and an integer", err));
    return bind_result(bind, &TYPE_OF_STRING, false, run_repeat, err);
}

static void run_reverse(struct function_call *call)
{
    CALL_ROWS(call, row)
    {
        struct str text = arg_str(call->args[0], row);
        char *dest = call_text_room(call, text.length);
        if (!dest)
            return;
        size_t end = text.length;
        for (size_t at = 0; at < text.length;) {
            size_t length = char_bytes(text.data + at);
            end -= length;
            memcpy(dest + end, text.data + at, length);
            at += length;
        }
        call_finish_text(call, row, dest, text.length);
    }
}

static enum status bind_reverse(struct function_bind *bind, struct error *err)
{
    TRY(bind_args(bind, "REVERSE", "s", "a text", err));
    return bind_result(bind, &TYPE_OF_STRING, true, run_reverse, err);
}

#define STRICT FUNCTION_STRICT

const struct function_def FUNCTIONS_STRING[] = {
    {"ASCII", "ASCII(string)",
     "The number of the first byte of the text, negative above 127; 0 for an empty text.", "string",
     STRICT, 1, 1, bind_ascii},
    {"BTRIM", "BTRIM(string [, characters])",
     "The text without the given characters (blanks) at both ends.", "string", STRICT, 1, 2,
     bind_btrim},
    {"CHARACTER_LENGTH", "CHARACTER_LENGTH(string)", "The number of characters.", "string", STRICT,
     1, 1, bind_char_length},
    {"CHAR_LENGTH", "CHAR_LENGTH(string)", "The number of characters.", "string", STRICT, 1, 1,
     bind_char_length},
    {"CHR", "CHR(integer)",
     "The character with this number; above 255 modulo 256, an empty text below 0.", "string",
     STRICT, 1, 1, bind_chr},
    {"CONCAT", "CONCAT(string [, string]...)", "All texts one after another.", "string",
     STRICT | FUNCTION_CAN_FAIL, 1, FUNCTION_ARGS_MAX, bind_concat},
    {"CONCAT_WS", "CONCAT_WS(separator, string [, string]...)",
     "The texts that are not NULL, with the separator between them; NULL when the separator is.",
     "string", FUNCTION_CAN_FAIL, 1, FUNCTION_ARGS_MAX, bind_concat_ws},
    {"INITCAP", "INITCAP(string)",
     "Each word with its first letter in upper case and the rest in lower case.", "string", STRICT,
     1, 1, bind_initcap},
    {"LOWER", "LOWER(string)", "The text in lower case.", "string", STRICT, 1, 1, bind_lower},
    {"LTRIM", "LTRIM(string [, characters])",
     "The text without the given characters (blanks) at its start.", "string", STRICT, 1, 2,
     bind_ltrim},
    {"OCTET_LENGTH", "OCTET_LENGTH(string)", "The number of bytes.", "string", STRICT, 1, 1,
     bind_octet_length},
    {"REPEAT", "REPEAT(string, integer)", "The text so many times; empty for 0 and below.",
     "string", STRICT | FUNCTION_CAN_FAIL, 2, 2, bind_repeat},
    {"REVERSE", "REVERSE(string)", "The characters in reverse order.", "string", STRICT, 1, 1,
     bind_reverse},
    {"RTRIM", "RTRIM(string [, characters])",
     "The text without the given characters (blanks) at its end.", "string", STRICT, 1, 2,
     bind_rtrim},
    {"TRIM", "TRIM([BOTH | LEADING | TRAILING] [characters FROM] string)",
     "The text without the given characters (blanks) at both ends, or at one.", "string", STRICT, 1,
     3, bind_trim},
    {"UPPER", "UPPER(string)", "The text in upper case.", "string", STRICT, 1, 1, bind_upper},
    {"||", "string1 || string2", "Both texts one after the other.", "string",
     STRICT | FUNCTION_CAN_FAIL, 2, 2, bind_concat_operator},
};
const size_t FUNCTIONS_STRING_COUNT = sizeof FUNCTIONS_STRING / sizeof *FUNCTIONS_STRING;
