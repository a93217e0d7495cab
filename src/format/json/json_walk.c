/* json_walk.c - one pass over the members of a document by the positions of its structural
 * characters.
 *
 * A key is first compared with the one seen last at this place of a document (producers write their
 * fields in one order), then looked up. Every structural character is checked, also in values that
 * nobody wants; the scalars of unwanted members are not. The last of duplicate members wins.
 * json_shape.c is the short way for documents like the one before.
 */
#include "format/json/json_int.h"

#include "base/hash.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* A key lies in the group's text, which is followed by BUFFER_PADDING readable bytes. */
static bool guess_matches(const struct json_guess *guess, const uint8_t *key)
{
#if defined(__SSE2__)
    __m128i a = _mm_loadu_si128((const __m128i *)key);
    __m128i b = _mm_loadu_si128((const __m128i *)guess->key);
    uint32_t same = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(a, b));
    if (guess->quote_mask > 0xffff) {
        a = _mm_loadu_si128((const __m128i *)(key + 16));
        b = _mm_loadu_si128((const __m128i *)(guess->key + 16));
        same |= (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(a, b)) << 16;
    }
    return (same & guess->quote_mask) == guess->quote_mask;
#else
    return memcmp(guess->key, key, guess->length + 1) == 0;
#endif
}

void json_index_names(struct decoder *decoder)
{
    for (uint32_t i = 0; i < decoder->column_count; i++) {
        const struct json_column *column = &decoder->columns[i];
        uint32_t slot = (uint32_t)hash_bytes(column->name, column->name_length);
        while (decoder->name_slots[slot & decoder->name_slot_mask])
            slot++;
        decoder->name_slots[slot & decoder->name_slot_mask] = i + 1;
    }
}

static uint32_t find_column(const struct decoder *decoder, const uint8_t *name, uint32_t length)
{
    uint32_t slot = (uint32_t)hash_bytes(name, length), found;
    while ((found = decoder->name_slots[slot & decoder->name_slot_mask]) != 0) {
        const struct json_column *column = &decoder->columns[found - 1];
        if (column->name_length == length && memcmp(column->name, name, length) == 0)
            return found - 1;
        slot++;
    }
    return JSON_NO_COLUMN;
}

/* The column of a key that was not guessed; the guess for this place is made anew. */
static uint32_t look_up(struct decoder *decoder, uint32_t place, struct json_token key)
{
    const uint8_t *name = key.data + 1;
    uint32_t length = key.length - 2;
    uint32_t column;
    if (memchr(name, '\\', length)) {
        buf_clear(&decoder->scratch);
        uint8_t *room = buf_room(&decoder->scratch, length + BUFFER_PADDING);
        ptrdiff_t size = room ? json_shim_unescape(decoder->shim, name, room) : -1;
        return size < 0 ? JSON_NO_COLUMN : find_column(decoder, room, (uint32_t)size);
    }
    column = find_column(decoder, name, length);
    if (place < JSON_GUESSES && length < JSON_KEY_GUESS) {
        struct json_guess *guess = &decoder->guesses[place];
        memcpy(guess->key, name, length + 1);
        guess->length = length;
        guess->quote_mask = (uint32_t)((UINT64_C(2) << length) - 1);
        guess->column = column;
    }
    return column;
}

uint32_t json_match_key(struct decoder *decoder, uint32_t place, const uint8_t *text,
                        const uint32_t *position)
{
    const uint8_t *key = text + position[0] + 1;
    if (place < JSON_GUESSES) {
        const struct json_guess *guess = &decoder->guesses[place];
        if (guess->quote_mask && guess_matches(guess, key))
            return guess->column;
    }
    struct json_span span = {position[0], position[1] - position[0]};
    return look_up(decoder, place, json_token(text, span));
}

/* What nobody reads is looked at only where rows can still be refused. */
static bool scalar_fits(struct decoder *decoder, const uint8_t *text, const uint32_t *position)
{
    if (!decoder->strict || position[1] == JSON_POSITION_END)
        return true;
    struct json_span span = {position[0], position[1] - position[0]};
    return json_token_valid(decoder, json_token(text, span));
}

/* Behind the object or array that begins at position, or NULL when it is not well formed. */
static const uint32_t *skip_nested(struct decoder *decoder, const uint8_t *text,
                                   const uint32_t *position, uint32_t end)
{
    uint8_t is_object[JSON_DEPTH_MAX];
    uint32_t depth = 0;
    for (;;) {
        /* a value */
        if (*position >= end)
            return NULL;
        uint8_t c = text[*position++];
        if (c == '{' || c == '[') {
            if (depth == JSON_DEPTH_MAX)
                return NULL;
            is_object[depth++] = c == '{';
            if (*position < end && text[*position] == c + 2) { /* '}' is '{' + 2, ']' is '[' + 2 */
                position++;
                depth--;
            } else if (c == '{') {
                goto key;
            } else {
                continue;
            }
        } else if (c == '}' || c == ']' || c == ',' || c == ':' ||
                   !scalar_fits(decoder, text, position - 1)) {
            return NULL;
        }
        /* behind a value */
        for (;;) {
            if (depth == 0)
                return position;
            if (*position >= end)
                return NULL;
            c = text[*position++];
            if (c == ',')
                break;
            if (c != (is_object[depth - 1] ? '}' : ']'))
                return NULL;
            depth--;
        }
        if (!is_object[depth - 1])
            continue;
    key:
        if (position[0] >= end || position[1] >= end || text[position[0]] != '"' ||
            text[position[1]] != ':')
            return NULL;
        position += 2;
    }
}

/* Behind a member's value, likewise. */
static const uint32_t *skip_value(struct decoder *decoder, const uint8_t *text,
                                  const uint32_t *position, uint32_t end, bool unread)
{
    uint8_t c = text[*position];
    if (c == '{' || c == '[')
        return skip_nested(decoder, text, position, end);
    if (c == '}' || c == ']' || c == ',' || c == ':' ||
        (unread && !scalar_fits(decoder, text, position)))
        return NULL;
    return position + 1;
}

static bool malformed(struct decoder *decoder, const struct json_document *document,
                      const uint32_t *position)
{
    if (*position >= document->end)
        json_bad(decoder, document->row, "not valid JSON: it ends too early, after %u bytes",
                 document->end - document->start);
    else
        json_bad(decoder, document->row, "not valid JSON at byte %u ('%c' does not belong there)",
                 *position - document->start,
                 document->text[*position] < 0x7f ? document->text[*position] : '?');
    return false;
}

bool json_walk(struct decoder *decoder, struct json_document *document)
{
    const uint8_t *text = document->text;
    const uint32_t *position = document->position, end = document->end;
    uint32_t at = document->row - decoder->group.first;
    if (*position >= end) {
        json_bad(decoder, document->row, "not valid JSON: it is empty");
        return false;
    }
    if (text[*position] != '{') {
        json_bad(decoder, document->row, "not a JSON object");
        return false;
    }
    position++;
    if (*position < end && text[*position] == '}') {
        document->position = ++position;
        return *position >= end || malformed(decoder, document, position);
    }
    for (uint32_t place = 0;; place++) {
        if (position[0] >= end || text[position[0]] != '"')
            return malformed(decoder, document, position);
        if (position[1] >= end || text[position[1]] != ':')
            return malformed(decoder, document, position + 1);
        if (position[2] >= end)
            return malformed(decoder, document, position + 2);
        uint32_t column = json_match_key(decoder, place, text, position);
        uint32_t value = position[2];
        const uint32_t *next =
            skip_value(decoder, text, position + 2, end, column == JSON_NO_COLUMN);
        if (!next)
            return malformed(decoder, document, position + 2);
        if (*next >= end)
            return malformed(decoder, document, next);
        if (column != JSON_NO_COLUMN)
            json_spans(decoder, column)[at] = (struct json_span){value, *next - value};
        uint8_t c = text[*next];
        position = next + 1;
        if (c == '}')
            break;
        if (c != ',')
            return malformed(decoder, document, next);
    }
    document->position = position;
    return *position >= end || malformed(decoder, document, position);
}
