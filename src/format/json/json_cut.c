/* json_cut.c - see json_cut.h. */
#include "format/json/json_cut.h"

#include <string.h>

enum { CUT_LINES, CUT_VALUE, CUT_FIRST, CUT_ELEMENT, CUT_END };

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static void skip_blanks(struct json_cut *cut)
{
    while (cut->next < cut->end && is_blank(*cut->next))
        cut->next++;
}

static bool stop(struct json_cut *cut, const char *error)
{
    cut->error = error;
    cut->error_offset = (size_t)(cut->next - cut->body);
    cut->state = CUT_END;
    return false;
}

void json_cut_begin(struct json_cut *cut, const uint8_t *body, size_t size_bytes, bool lines)
{
    *cut = (struct json_cut){.body = body, .next = body, .end = body + size_bytes};
    if (size_bytes >= 3 && memcmp(body, "\xef\xbb\xbf", 3) == 0)
        cut->next += 3;
    cut->state = lines ? CUT_LINES : CUT_VALUE;
}

static bool next_line(struct json_cut *cut, const uint8_t **out, uint32_t *out_bytes)
{
    while (cut->next < cut->end) {
        const uint8_t *start = cut->next;
        const uint8_t *stop_at = memchr(start, '\n', (size_t)(cut->end - start));
        cut->next = stop_at ? stop_at + 1 : cut->end;
        if (!stop_at)
            stop_at = cut->end;
        while (start < stop_at && is_blank(*start))
            start++;
        while (stop_at > start && is_blank(stop_at[-1]))
            stop_at--;
        if (start == stop_at)
            continue;
        *out = start;
        *out_bytes = (uint32_t)(stop_at - start);
        return true;
    }
    cut->state = CUT_END;
    return false;
}

/* Behind the string whose opening quote is at `at`; NULL: it does not end. */
static const uint8_t *string_end(const uint8_t *at, const uint8_t *end)
{
    for (at++; at < end; at++) {
        if (*at == '"')
            return at + 1;
        if (*at == '\\')
            at++;
    }
    return NULL;
}

static const uint8_t STRUCTURAL[256] = {['"'] = 1, ['{'] = 2, ['['] = 2, ['}'] = 3, [']'] = 3};

/* Behind the object or array at `at`, brackets only counted; NULL: it does not end. */
static const uint8_t *nested_end(const uint8_t *at, const uint8_t *end)
{
    size_t depth = 0;
    while (at < end) {
        switch (STRUCTURAL[*at]) {
        case 0:
            at++;
            break;
        case 1:
            at = string_end(at, end);
            if (!at)
                return NULL;
            break;
        case 2:
            depth++;
            at++;
            break;
        default:
            at++;
            if (--depth == 0)
                return at;
        }
    }
    return NULL;
}

static const uint8_t *scalar_end(const uint8_t *at, const uint8_t *end)
{
    while (at < end && *at != ',' && *at != ']' && !is_blank(*at))
        at++;
    return at;
}

/* The next element; next is behind '[' or an element. */
static bool next_element(struct json_cut *cut, const uint8_t **out, uint32_t *out_bytes)
{
    skip_blanks(cut);
    if (cut->next == cut->end)
        return stop(cut, "the array does not end");
    bool first = cut->state == CUT_FIRST;
    cut->state = CUT_ELEMENT;
    if (*cut->next == ']') {
        cut->next++;
        skip_blanks(cut);
        if (cut->next < cut->end)
            return stop(cut, "there is something behind the array");
        cut->state = CUT_END;
        return false;
    }
    if (!first) {
        if (*cut->next != ',')
            return stop(cut, "a comma or the end of the array is missing");
        cut->next++;
        skip_blanks(cut);
        if (cut->next == cut->end)
            return stop(cut, "the array does not end");
    }
    const uint8_t *start = cut->next, *behind;
    if (*start == ',' || *start == ']' || *start == '}' || *start == ':')
        return stop(cut, "an element of the array is missing");
    if (*start == '{' || *start == '[')
        behind = nested_end(start, cut->end);
    else
        behind = *start == '"' ? string_end(start, cut->end) : scalar_end(start, cut->end);
    if (!behind)
        return stop(cut, "the element that begins here does not end");
    *out = start;
    *out_bytes = (uint32_t)(behind - start);
    cut->next = behind;
    return true;
}

bool json_cut_next(struct json_cut *cut, const uint8_t **out, uint32_t *out_bytes)
{
    switch (cut->state) {
    case CUT_LINES:
        return next_line(cut, out, out_bytes);
    case CUT_VALUE:
        skip_blanks(cut);
        if (cut->next == cut->end)
            return stop(cut, "the body is empty");
        if (*cut->next == '[') {
            cut->next++;
            cut->state = CUT_FIRST;
            return next_element(cut, out, out_bytes);
        }
        *out = cut->next;
        while (is_blank(cut->end[-1]))
            cut->end--;
        *out_bytes = (uint32_t)(cut->end - cut->next);
        cut->state = CUT_END;
        return true;
    case CUT_FIRST:
    case CUT_ELEMENT:
        return next_element(cut, out, out_bytes);
    default:
        return false;
    }
}
