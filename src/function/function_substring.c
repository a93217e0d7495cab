/* function_substring.c - cutting, searching, replacing and padding of texts.
 *
 * Positions count characters from 1, as in SQL; SPLIT_INDEX counts parts from 0. Pure-ASCII texts
 * (position = byte) need no walk. Parts of an argument share its bytes.
 */
#include "data/utf8.h"
#include "function/bind_args.h"
#include "function/families.h"

/* Byte offset of the character `index` (from 0, at most the text's count). */
static size_t offset_of(struct str text, int64_t index)
{
    if (index >= (int64_t)text.length)
        return text.length;
    return index <= 0 ? 0 : utf8_offset(text.data, text.length, (size_t)index);
}

static int64_t count_of(struct str text)
{
    return (int64_t)utf8_count(text.data, text.length);
}

/* Flink's SUBSTRING: a negative start counts from the end, 0 is 1; outside: empty. */
static struct str substring(struct str text, int64_t start, int64_t length)
{
    if (start > 0) {
        start--;
    } else if (start < 0) {
        start += count_of(text);
        if (start < 0)
            return (struct str){text.data, 0};
    }
    size_t from = offset_of(text, start);
    struct str rest = {text.data + from, text.length - from};
    rest.length = offset_of(rest, length);
    return rest;
}

static void run_substring(struct function_call *call)
{
    const struct vec *texts = call->args[0];
    CALL_ROWS(call, row)
    {
        int64_t length = call->arg_count == 3 ? arg_i64(call->args[2], row) : INT32_MAX;
        if (length < 0) {
            call_set_null(call, row);
            continue;
        }
        struct str part = substring(arg_str(texts, row), arg_i64(call->args[1], row), length);
        if (!call_share_text(call, row, texts, part.data, part.length))
            return;
    }
}

static enum status bind_substring(struct function_bind *bind, struct error *err)
{
    TRY(bind_args(bind, "SUBSTRING", "sii", "a text, a start and a length (integers)", err));
    return bind_result(bind, type_varying(bind->arena, bind->arg_types[0]), true, run_substring,
                       err);
}

static void run_side(struct function_call *call, bool left)
{
    const struct vec *texts = call->args[0];
    CALL_ROWS(call, row)
    {
        struct str text = arg_str(texts, row);
        int64_t wanted = arg_i64(call->args[1], row);
        struct str part = text;
        if (wanted <= 0)
            part.length = 0;
        else if (left)
            part.length = offset_of(text, wanted);
        else {
            int64_t count = count_of(text);
            size_t from = wanted >= count ? 0 : offset_of(text, count - wanted);
            part = (struct str){text.data + from, text.length - from};
        }
        if (!call_share_text(call, row, texts, part.data, part.length))
            return;
    }
}

static void run_left(struct function_call *call)
{
    run_side(call, true);
}

static void run_right(struct function_call *call)
{
    run_side(call, false);
}

static enum status bind_left(struct function_bind *bind, struct error *err)
{
    TRY(bind_args(bind, "LEFT", "si", "a text and an integer", err));
    return bind_result(bind, type_varying(bind->arena, bind->arg_types[0]), true, run_left, err);
}

static enum status bind_right(struct function_bind *bind, struct error *err)
{
    TRY(bind_args(bind, "RIGHT", "si", "a text and an integer", err));
    return bind_result(bind, type_varying(bind->arena, bind->arg_types[0]), true, run_right, err);
}

/* OVERLAY: a start outside the text leaves it alone; a length below 1 or past the end cuts the rest
 * off (Flink's rule). */
static void run_overlay(struct function_call *call)
{
    CALL_ROWS(call, row)
    {
        struct str text = arg_str(call->args[0], row), put = arg_str(call->args[1], row);
        int64_t start = arg_i64(call->args[2], row), count = count_of(text);
        int64_t length = call->arg_count == 4 ? arg_i64(call->args[3], row) : count_of(put);
        if (start <= 0 || start > count) {
            if (!call_share_text(call, row, call->args[0], text.data, text.length))
                return;
            continue;
        }
        size_t head = offset_of(text, start - 1), tail = text.length;
        if (length > 0 && length <= count - start)
            tail = offset_of(text, start - 1 + length);
        size_t total = head + put.length + (text.length - tail);
        char *dest = call_text_room(call, total);
        if (!dest)
            return;
        memcpy(dest, text.data, head);
        if (put.length)
            memcpy(dest + head, put.data, put.length);
        memcpy(dest + head + put.length, text.data + tail, text.length - tail);
        call_finish_text(call, row, dest, total);
    }
}

static enum status bind_overlay(struct function_bind *bind, struct error *err)
{
    TRY(bind_args(bind, "OVERLAY", "ssii", "two texts, a start and a length (integers)", err));
    const struct type *a = bind->arg_types[0], *b = bind->arg_types[1];
    int64_t sum = (int64_t)a->length + b->length;
    const struct type *type =
        type_text(bind->arena, TYPE_VARCHAR, sum > TYPE_LENGTH_MAX ? TYPE_LENGTH_MAX : (int32_t)sum,
                  a->nullable);
    return bind_result(bind, type, false, run_overlay, err);
}

/* ---- searching ---- */

/* The character number (from 1) at which `part` is found at or after character `from` (from 1);
 * 0: nowhere. An empty part is found at once. */
static int64_t find_from(struct str text, struct str part, int64_t from)
{
    if (from < 1)
        from = 1;
    if (part.length == 0)
        return from;
    size_t start = offset_of(text, from - 1);
    const char *found = text_find((struct str){text.data + start, text.length - start}, part);
    if (!found)
        return 0;
    return (int64_t)utf8_count(text.data, (size_t)(found - text.data)) + 1;
}

static void run_position(struct function_call *call)
{
    int32_t *out = call->out->values;
    CALL_ROWS(call, row)
    {
        int64_t from = call->arg_count == 3 ? arg_i64(call->args[2], row) : 1;
        out[row] =
            (int32_t)find_from(arg_str(call->args[1], row), arg_str(call->args[0], row), from);
    }
}

static enum status bind_position(struct function_bind *bind, struct error *err)
{
    TRY(bind_args(bind, "POSITION", "ssi", "two texts", err));
    return bind_result(bind, &TYPE_OF_INT, false, run_position, err);
}

static enum status bind_locate(struct function_bind *bind, struct error *err)
{
    TRY(bind_args(bind, "LOCATE", "ssi", "two texts and an integer", err));
    return bind_result(bind, &TYPE_OF_INT, false, run_position, err);
}

/* The nth occurrence before the character `from_end` counted from the end, walking backwards. */
static int64_t find_backwards(struct str text, struct str part, int64_t from_end, int64_t nth)
{
    int64_t count = count_of(text), part_count = count_of(part);
    /* The last character of a match may be the from_end-th from the end at most. */
    int64_t last_start = count - from_end + 1 - part_count;
    for (int64_t index = last_start; index >= 0; index--) {
        size_t at = offset_of(text, index);
        if (text.length - at >= part.length &&
            memcmp(text.data + at, part.data, part.length) == 0 && --nth == 0)
            return index + 1;
    }
    return 0;
}

static void run_instr(struct function_call *call)
{
    int32_t *out = call->out->values;
    CALL_ROWS(call, row)
    {
        struct str text = arg_str(call->args[0], row), part = arg_str(call->args[1], row);
        int64_t start = call->arg_count > 2 ? arg_i64(call->args[2], row) : 1;
        int64_t nth = call->arg_count > 3 ? arg_i64(call->args[3], row) : 1;
        if (nth <= 0) {
            call_fail(call, row, ERR_RANGE, "INSTR: the number of the appearance must be positive");
            continue;
        }
        int64_t found = 0;
        if (start < 0 && part.length > 0) {
            found = start < -(int64_t)text.length ? 0 : find_backwards(text, part, -start, nth);
        } else if (start > 0) {
            for (found = start - 1; nth > 0; nth--) {
                found = find_from(text, part, found + 1);
                if (found == 0)
                    break;
            }
        }
        out[row] = (int32_t)found;
    }
}

static enum status bind_instr(struct function_bind *bind, struct error *err)
{
    TRY(bind_args(bind, "INSTR", "ssii", "two texts, a start and a number (integers)", err));
    return bind_result(bind, &TYPE_OF_INT, false, run_instr, err);
}

static void run_ends(struct function_call *call, bool at_start)
{
    uint8_t *out = call->out->values;
    CALL_ROWS(call, row)
    {
        struct str text = arg_str(call->args[0], row), part = arg_str(call->args[1], row);
        size_t at = at_start ? 0 : text.length - part.length;
        out[row] = part.length <= text.length &&
                   (part.length == 0 || memcmp(text.data + at, part.data, part.length) == 0);
    }
}

static void run_startswith(struct function_call *call)
{
    run_ends(call, true);
}

static void run_endswith(struct function_call *call)
{
    run_ends(call, false);
}

static enum status bind_ends(struct function_bind *bind, const char *name, function_kernel kernel,
                             struct error *err)
{
    if (type_is_bytes(bind->arg_types[0]) != type_is_bytes(bind->arg_types[1]))
        return bind_type_error(bind, name, "two texts or two binaries", err);
    TRY(bind_args(bind, name, "b", "two texts or two binaries", err));
    return bind_result(bind, &TYPE_OF_BOOLEAN, false, kernel, err);
}

static enum status bind_startswith(struct function_bind *bind, struct error *err)
{
    return bind_ends(bind, "STARTSWITH", run_startswith, err);
}

static enum status bind_endswith(struct function_bind *bind, struct error *err)
{
    return bind_ends(bind, "ENDSWITH", run_endswith, err);
}

/* ---- parts ---- */

/* The part with number index; separators next to each other have an empty part between them. An
 * empty text has no parts. */
static bool split_part(struct str text, struct str separator, int64_t index, struct str *out)
{
    if (index < 0 || text.length == 0)
        return false;
    const char *next = text.data, *end = text.data + text.length;
    for (;;) {
        const char *found = text_find((struct str){next, (size_t)(end - next)}, separator);
        if (index-- == 0) {
            *out = (struct str){next, (size_t)((found ? found : end) - next)};
            return true;
        }
        if (!found)
            return false;
        next = found + separator.length;
    }
}

/* An empty separator splits at each blank (ASCII white space), as commons-lang does. */
static bool split_blank(struct str text, int64_t index, struct str *out)
{
    if (index < 0 || text.length == 0)
        return false;
    size_t start = 0;
    for (size_t at = 0;; at++) {
        char byte = at < text.length ? text.data[at] : ' ';
        if (byte != ' ' && (byte < '\t' || byte > '\r') && (byte < 0x1c || byte > 0x1f))
            continue;
        if (index-- == 0) {
            *out = (struct str){text.data + start, at - start};
            return true;
        }
        if (at >= text.length)
            return false;
        start = at + 1;
    }
}

static void run_split_index(struct function_call *call)
{
    const struct vec *texts = call->args[0];
    CALL_ROWS(call, row)
    {
        struct str separator = arg_str(call->args[1], row), text = arg_str(texts, row), part;
        int64_t index = arg_i64(call->args[2], row);
        bool there = separator.length ? split_part(text, separator, index, &part)
                                      : split_blank(text, index, &part);
        if (!there)
            call_set_null(call, row);
        else if (!call_share_text(call, row, texts, part.data, part.length))
            return;
    }
}

/* The separator as a number of a character, 1 to 255. */
static void run_split_index_code(struct function_call *call)
{
    const struct vec *texts = call->args[0];
    CALL_ROWS(call, row)
    {
        int64_t code = arg_i64(call->args[1], row);
        struct str text = arg_str(texts, row), part;
        char bytes[2] = {(char)code};
        struct str separator = {bytes, 1};
        if (code >= 0x80) {
            bytes[0] = (char)(0xc0 | code >> 6);
            bytes[1] = (char)(0x80 | (code & 0x3f));
            separator.length = 2;
        }
        if (code < 1 || code > 255 ||
            !split_part(text, separator, arg_i64(call->args[2], row), &part))
            call_set_null(call, row);
        else if (!call_share_text(call, row, texts, part.data, part.length))
            return;
    }
}

static enum status bind_split_index(struct function_bind *bind, struct error *err)
{
    bool code = type_is_integer(bind->arg_types[1]);
    TRY(bind_args(bind, "SPLIT_INDEX", code ? "sii" : "ssi",
                  "a text, a separator (text or number of a character) and an integer", err));
    return bind_result(bind, &TYPE_OF_STRING, true, code ? run_split_index_code : run_split_index,
                       err);
}

/* ---- replacing ---- */

static size_t count_occurrences(struct str text, struct str part)
{
    size_t count = 0;
    const char *next = text.data, *end = text.data + text.length;
    while ((next = text_find((struct str){next, (size_t)(end - next)}, part))) {
        count++;
        next += part.length;
    }
    return count;
}

/* Java replaces the empty text between all characters and at both ends. */
static size_t replace_empty(char *dest, struct str text, struct str put)
{
    size_t used = 0;
    for (size_t at = 0; at <= text.length; at++) {
        bool boundary = at == text.length || ((unsigned char)text.data[at] & 0xc0) != 0x80;
        if (boundary && put.length) {
            memcpy(dest + used, put.data, put.length);
            used += put.length;
        }
        if (at < text.length)
            dest[used++] = text.data[at];
    }
    return used;
}

static size_t replace_all(char *dest, struct str text, struct str part, struct str put)
{
    size_t used = 0;
    const char *next = text.data, *end = text.data + text.length, *found;
    while ((found = text_find((struct str){next, (size_t)(end - next)}, part))) {
        memcpy(dest + used, next, (size_t)(found - next));
        used += (size_t)(found - next);
        if (put.length)
            memcpy(dest + used, put.data, put.length);
        used += put.length;
        next = found + part.length;
    }
    memcpy(dest + used, next, (size_t)(end - next));
    return used + (size_t)(end - next);
}

static void run_replace(struct function_call *call)
{
    CALL_ROWS(call, row)
    {
        struct str text = arg_str(call->args[0], row), part = arg_str(call->args[1], row);
        struct str put = arg_str(call->args[2], row);
        size_t count =
            part.length ? text.length ? count_occurrences(text, part) : 0 : text.length + 1;
        if (count == 0) {
            if (!call_share_text(call, row, call->args[0], text.data, text.length))
                return;
            continue;
        }
        size_t room = text.length + count * put.length; /* count <= bytes + 1 */
        if (put.length > 0 &&
            (count > FUNCTION_TEXT_MAX / put.length || room > FUNCTION_TEXT_MAX)) {
            call_fail(call, row, ERR_LIMIT, "REPLACE gives more than %u bytes", FUNCTION_TEXT_MAX);
            continue;
        }
        char *dest = call_text_room(call, room);
        if (!dest)
            return;
        size_t used =
            part.length ? replace_all(dest, text, part, put) : replace_empty(dest, text, put);
        call_finish_text(call, row, dest, used);
    }
}

static enum status bind_replace(struct function_bind *bind, struct error *err)
{
    TRY(bind_args(bind, "REPLACE", "s", "three texts", err));
    return bind_result(bind, &TYPE_OF_STRING, false, run_replace, err);
}

static size_t char_bytes(const char *at)
{
    unsigned char first = (unsigned char)*at;
    return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* The number of the character in set, or -1. */
static int64_t index_in(struct str set, const char *bytes, size_t length)
{
    int64_t index = 0;
    for (size_t at = 0; at < set.length; at += char_bytes(set.data + at), index++)
        if (set.length - at >= length && memcmp(set.data + at, bytes, length) == 0)
            return index;
    return -1;
}

static void run_translate(struct function_call *call)
{
    CALL_ROWS(call, row)
    {
        struct str text = arg_str(call->args[0], row), from = arg_str(call->args[1], row);
        struct str to = arg_str(call->args[2], row);
        char *dest = call_text_room(call, text.length * 4);
        if (!dest)
            return;
        size_t used = 0;
        for (size_t at = 0; at < text.length;) {
            size_t length = char_bytes(text.data + at);
            int64_t index = index_in(from, text.data + at, length);
            size_t put = index < 0 ? 0 : offset_of(to, index);
            if (index < 0) {
                memcpy(dest + used, text.data + at, length);
                used += length;
            } else if (put < to.length) {
                size_t bytes = char_bytes(to.data + put);
                memcpy(dest + used, to.data + put, bytes);
                used += bytes;
            } /* else: no counterpart, the character goes */
            at += length;
        }
        call_finish_text(call, row, dest, used);
    }
}

static enum status bind_translate(struct function_bind *bind, struct error *err)
{
    TRY(bind_args(bind, "TRANSLATE", "s", "three texts", err));
    return bind_result(bind, &TYPE_OF_STRING, false, run_translate, err);
}

/* ---- padding ---- */

static void run_pad(struct function_call *call, bool left, const char *name)
{
    const struct vec *texts = call->args[0];
    CALL_ROWS(call, row)
    {
        struct str text = arg_str(texts, row), pad = arg_str(call->args[2], row);
        int64_t wanted = arg_i64(call->args[1], row), count = count_of(text);
        if (wanted < 0 || pad.length == 0) {
            call_set_null(call, row);
            continue;
        }
        if (wanted <= count) {
            if (!call_share_text(call, row, texts, text.data, offset_of(text, wanted)))
                return;
            continue;
        }
        int64_t pad_count = count_of(pad), missing = wanted - count;
        if (missing / pad_count > (int64_t)(FUNCTION_TEXT_MAX / pad.length)) {
            call_fail(call, row, ERR_LIMIT, "%s gives more than %u bytes", name, FUNCTION_TEXT_MAX);
            continue;
        }
        size_t whole = (size_t)(missing / pad_count), rest = offset_of(pad, missing % pad_count);
        size_t pad_bytes = whole * pad.length + rest;
        char *dest = call_text_room(call, text.length + pad_bytes);
        if (!dest)
            return;
        char *fill = left ? dest : dest + text.length;
        for (size_t i = 0; i < whole; i++)
            memcpy(fill + i * pad.length, pad.data, pad.length);
        memcpy(fill + whole * pad.length, pad.data, rest);
        if (text.length)
            memcpy(left ? dest + pad_bytes : dest, text.data, text.length);
        call_finish_text(call, row, dest, text.length + pad_bytes);
    }
}

static void run_lpad(struct function_call *call)
{
    run_pad(call, true, "LPAD");
}

static void run_rpad(struct function_call *call)
{
    run_pad(call, false, "RPAD");
}

static enum status bind_lpad(struct function_bind *bind, struct error *err)
{
    TRY(bind_args(bind, "LPAD", "sis", "a text, an integer and a text", err));
    return bind_result(bind, &TYPE_OF_STRING, true, run_lpad, err);
}

static enum status bind_rpad(struct function_bind *bind, struct error *err)
{
    TRY(bind_args(bind, "RPAD", "sis", "a text, an integer and a text", err));
    return bind_result(bind, &TYPE_OF_STRING, true, run_rpad, err);
}

#define STRICT FUNCTION_STRICT

const struct function_def FUNCTIONS_SUBSTRING[] = {
    {"ENDSWITH", "ENDSWITH(expr, end)", "TRUE when the text (or binary) ends with the other.",
     "string", STRICT, 2, 2, bind_endswith},
    {"INSTR", "INSTR(string, part [, start [, n]])",
     "The position of the n-th appearance of part at or after start, 0 when there is none; a "
     "negative start counts from the end and searches backwards.",
     "string", STRICT | FUNCTION_CAN_FAIL, 2, 4, bind_instr},
    {"LEFT", "LEFT(string, count)", "The first characters.", "string", STRICT, 2, 2, bind_left},
    {"LOCATE", "LOCATE(part, string [, start])",
     "The position of part in the text at or after start, 0 when there is none.", "string", STRICT,
     2, 3, bind_locate},
    {"LPAD", "LPAD(string, length, pad)",
     "The text filled at its start to the length, or cut to it; NULL for a negative length or an "
     "empty pad.",
     "string", STRICT | FUNCTION_CAN_FAIL, 3, 3, bind_lpad},
    {"OVERLAY", "OVERLAY(string PLACING other FROM start [FOR length])",
     "The text with length characters from start replaced by the other text.", "string", STRICT, 3,
     4, bind_overlay},
    {"POSITION", "POSITION(part IN string)",
     "The position of the first appearance of part, 0 when there is none.", "string", STRICT, 2, 2,
     bind_position},
    {"REPLACE", "REPLACE(string, part, other)", "The text with every part replaced by other.",
     "string", STRICT | FUNCTION_CAN_FAIL, 3, 3, bind_replace},
    {"RIGHT", "RIGHT(string, count)", "The last characters.", "string", STRICT, 2, 2, bind_right},
    {"RPAD", "RPAD(string, length, pad)",
     "The text filled at its end to the length, or cut to it; NULL for a negative length or an "
     "empty pad.",
     "string", STRICT | FUNCTION_CAN_FAIL, 3, 3, bind_rpad},
    {"SPLIT_INDEX", "SPLIT_INDEX(string, separator, index)",
     "The part with this number, from 0, of the text cut at each separator; NULL when there are "
     "fewer.",
     "string", STRICT, 3, 3, bind_split_index},
    {"STARTSWITH", "STARTSWITH(expr, start)",
     "TRUE when the text (or binary) starts with the other.", "string", STRICT, 2, 2,
     bind_startswith},
    {"SUBSTR", "SUBSTR(string, start [, length])",
     "The characters from start, counted from 1 or backwards from -1.", "string", STRICT, 2, 3,
     bind_substring},
    {"SUBSTRING", "SUBSTRING(string FROM start [FOR length])",
     "The characters from start, counted from 1 or backwards from -1.", "string", STRICT, 2, 3,
     bind_substring},
    {"TRANSLATE", "TRANSLATE(string, from, to)",
     "Each character of from replaced by the one at its place in to, or taken out where to is "
     "shorter.",
     "string", STRICT, 3, 3, bind_translate},
};
const size_t FUNCTIONS_SUBSTRING_COUNT = sizeof FUNCTIONS_SUBSTRING / sizeof *FUNCTIONS_SUBSTRING;
