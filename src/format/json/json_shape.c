/* json_shape.c - documents that look like the one before: one comparison instead of a walk.
 *
 *   {"id": 17, "card": "Visa"}     positions  {  "id  :  17  ,  "card  :  "Visa  }
 *   └──────┘  └─────────┘    └     items      what lies between one value and the next, as bytes
 *
 * The shape of a valid document is everything but its scalar values. A document has the same shape
 * when its items begin with the same bytes: stage 1 finds structural characters from left to right
 * and an item begins outside of strings, so equal bytes have as many structural characters, the
 * same ones, at the same places. What begins at the position between two items is a scalar, if it
 * is no bracket, comma or colon. So such a document is valid, as far as the walk checks it, without
 * a look at its keys. Blanks count: written otherwise it goes the long way, and is learned.
 *
 * Not learned: wanted columns with nested values, more than JSON_SHAPE_ITEMS values, and unwanted
 * values where all must be looked at (strict). To learn costs
 * as much as several documents, so that mixed shapes must not do it each time (JSON_SHAPE_CREDIT).
 */
#include "format/json/json_int.h"

/* Resolvers of ifuncs run before a sanitizer is ready. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__x86_64__)
#define CLONES
#elif defined(__has_feature)
#define CLONES
#else
#define CLONES __attribute__((target_clones("avx2", "default")))
#endif

/* Pieces lie in the group's text, which is followed by BUFFER_PADDING readable bytes. */
_Static_assert(JSON_SHAPE_BYTES <= BUFFER_PADDING, "a piece may reach behind the text");
#define LANES (JSON_SHAPE_BYTES / 8)

static const bool IS_STRUCTURE[256] = {
    ['{'] = true, ['}'] = true, ['['] = true, [']'] = true, [','] = true, [':'] = true};

/* differs |= the piece and the text's bytes, where the mask is set. A macro, since a function would
 * pass vectors, whose registers depend on the clone. */
#define COMPARE(differs, piece, text)                                                              \
    do {                                                                                           \
        uint64_t __attribute__((vector_size(JSON_SHAPE_BYTES))) have, want, mask;                  \
        memcpy(&have, text, JSON_SHAPE_BYTES);                                                     \
        memcpy(&want, (piece).bytes, JSON_SHAPE_BYTES);                                            \
        memcpy(&mask, (piece).mask, JSON_SHAPE_BYTES);                                             \
        (differs) |= (have ^ want) & mask;                                                         \
    } while (0)

CLONES static bool has_shape(const struct json_shape *shape, const uint8_t *text,
                             const uint32_t *position)
{
    uint64_t __attribute__((vector_size(JSON_SHAPE_BYTES))) bytes = {0};
    uint32_t differs = 0, start;
    const uint32_t *next = position;
    const struct json_shape_item *item = shape->items, *last = item + shape->item_count;
    for (; item < last; item++) {
        COMPARE(bytes, item->piece, text + *next);
        next += item->count;
        differs |= IS_STRUCTURE[text[*next]];
        next++;
    }
    COMPARE(bytes, last->piece, text + *next);
    for (uint32_t i = 0; i < shape->rest_count; i++) {
        const struct json_shape_rest *rest = &shape->rests[i];
        start = position[rest->first] + rest->offset;
        if (start > position[rest->last]) /* it is shorter, and the text may be at its end */
            return false;
        COMPARE(bytes, rest->piece, text + start);
    }
    for (int i = 0; i < LANES; i++)
        differs |= bytes[i] != 0;
    return differs == 0;
}

bool json_shape_match(struct decoder *decoder, struct json_document *document)
{
    const struct json_shape *shape = &decoder->shape;
    const uint32_t *position = document->position;
    uint32_t count = shape->position_count;
    uint32_t at = document->row - decoder->group.first;
    decoder->shape_credit += decoder->shape_credit < JSON_SHAPE_CREDIT;
    if (count == 0 || decoder->group.position_end - position < count ||
        position[count - 1] >= document->end || position[count] < document->end ||
        !has_shape(shape, document->text, position))
        return false;
    for (uint32_t i = 0; !shape->is_complete && i < decoder->column_count; i++)
        json_spans(decoder, i)[at].length = 0;
    for (uint32_t i = 0; i < shape->wanted_count; i++) {
        const uint32_t *value = position + shape->wanted[i].value;
        json_spans(decoder, shape->wanted[i].column)[at] =
            (struct json_span){value[0], value[1] - value[0]};
    }
    document->position = position + count;
    return true;
}

/* ---- learning ---- */

static void set_piece(struct json_shape_piece *piece, const uint8_t *bytes, uint32_t length)
{
    memset(piece, 0, sizeof(*piece));
    memcpy(piece->bytes, bytes, length < JSON_SHAPE_BYTES ? length : JSON_SHAPE_BYTES);
    memset(piece->mask, 0xff, length < JSON_SHAPE_BYTES ? length : JSON_SHAPE_BYTES);
}

/* What lies in the document from structural character `first` to `last`, and more_bytes. */
static bool set_item(struct json_shape *shape, struct json_shape_item *item, const uint8_t *text,
                     const uint32_t *position, uint32_t first, uint32_t last, uint32_t more_bytes)
{
    const uint8_t *start = text + position[first];
    uint32_t length = position[last] - position[first] + more_bytes;
    item->count = last - first;
    set_piece(&item->piece, start, length);
    for (uint32_t offset = JSON_SHAPE_BYTES; offset < length; offset += JSON_SHAPE_BYTES) {
        if (shape->rest_count == JSON_SHAPE_RESTS)
            return false;
        struct json_shape_rest *rest = &shape->rests[shape->rest_count++];
        set_piece(&rest->piece, start + offset, length - offset);
        rest->first = first;
        rest->last = last;
        rest->offset = offset;
    }
    return true;
}

/* The items of a valid document. False: it has too many, or none. */
static bool learn(struct decoder *decoder, const uint8_t *text, const uint32_t *position,
                  uint32_t count)
{
    struct json_shape *shape = &decoder->shape;
    shape->position_count = shape->item_count = shape->rest_count = shape->wanted_count = 0;
    uint32_t depth = 0, member = 0, column = JSON_NO_COLUMN, first = 0;
    for (uint32_t i = 0; i + 1 < count; i++) {
        uint8_t c = text[position[i]];
        if (c == '{' || c == '[') {
            if (depth == 1 && column != JSON_NO_COLUMN) /* wanted, as its text */
                return false;
            depth++;
        } else if (c == '}' || c == ']') {
            depth--;
        } else if (c == ',' || c == ':') {
            continue;
        } else if (text[position[i + 1]] == ':') { /* a key */
            if (depth == 1)
                column = json_match_key(decoder, member++, text, position + i);
        } else {
            if (shape->item_count == JSON_SHAPE_ITEMS ||
                !set_item(shape, &shape->items[shape->item_count++], text, position, first, i, 0))
                return false;
            if (depth == 1 && column != JSON_NO_COLUMN)
                shape->wanted[shape->wanted_count++] = (struct json_shape_wanted){i, column};
            first = i + 1;
        }
    }
    return first > 0 &&
           set_item(shape, &shape->items[shape->item_count], text, position, first, count - 1, 1);
}

void json_shape_learn(struct decoder *decoder, const uint8_t *text, const uint32_t *position,
                      const uint32_t *end)
{
    struct json_shape *shape = &decoder->shape;
    uint32_t count = (uint32_t)(end - position);
    if (decoder->shape_credit < JSON_SHAPE_LESSON)
        return;
    decoder->shape_credit -= JSON_SHAPE_LESSON;
    if (!learn(decoder, text, position, count))
        return;
    uint32_t different = 0;
    for (uint32_t i = 0; i < shape->wanted_count; i++) {
        bool again = false;
        for (uint32_t k = 0; k < i; k++)
            again |= shape->wanted[k].column == shape->wanted[i].column;
        different += !again;
    }
    shape->is_complete = different == decoder->column_count;
    if (!decoder->strict || shape->wanted_count == shape->item_count) /* else scalars are unread */
        shape->position_count = count;
}
