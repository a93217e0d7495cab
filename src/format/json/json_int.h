/* json_int.h - what the files of format/json share.
 *
 *   records --json_decode.c--> groups of documents in one text, blanks and a newline between them
 *           --json_shim.cc--> positions of structural characters
 *           --json_shape.c (as the document before), json_walk.c (any)--> spans: where the values
 *                             of the wanted columns lie, [column][document]
 *           --json_value.c--> cells, a column at a time
 *
 * Why a group is indexed as one text and still each document ends where its record ends: a newline
 * between two documents cannot lie inside a string (stage 1 refuses control characters there), so a
 * string left open by one document fails the whole group, which is then indexed one by one; and the
 * walk refuses any member or bracket that lies behind its document's end.
 */
#ifndef LEAT_FORMAT_JSON_JSON_INT_H
#define LEAT_FORMAT_JSON_JSON_INT_H

#include "format/json/json.h"
#include "format/json/json_shim.h"
#include "plugin/format.h"

#define JSON_DEPTH_MAX   512
#define JSON_GROUP_BYTES (96u << 10) /* text indexed at once: stays in the second-level cache */
#define JSON_GROUP_ROWS  512         /* documents in it */
#define JSON_KEY_GUESS   31          /* longest key kept for the comparison at its usual place */
#define JSON_GUESSES     64          /* members of a document that are guessed */
#define JSON_NO_COLUMN   UINT32_MAX

enum json_timestamp_format { JSON_TIMESTAMP_SQL, JSON_TIMESTAMP_ISO };

struct json_options {
    bool ignore_parse_errors;
    bool fail_on_missing_field;
    int timestamp_format;    /* enum json_timestamp_format */
    bool ignore_null_fields; /* encode */
};

struct json_column {
    const char *name;
    uint32_t name_length;
    const struct type *type;
    uint32_t field;  /* number in the table */
    struct vec *vec; /* of the batch being made */
};

/* The key seen last at this place of a document, with its closing quote. */
struct json_guess {
    uint8_t key[JSON_KEY_GUESS + 1];
    uint32_t length;     /* without the quote; 0: none */
    uint32_t quote_mask; /* bits [0, length] set */
    uint32_t column;
};

/* The last document's shape: everything between its scalar values, byte for byte. Of a document
 * with the same bytes there, the structure is known to be valid (json_shape.c). */
#define JSON_SHAPE_ITEMS  64
#define JSON_SHAPE_BYTES  32  /* compared at once */
#define JSON_SHAPE_RESTS  64  /* pieces of items that are longer */
#define JSON_SHAPE_CREDIT 256 /* of learning: one for each document, LESSON to learn a shape */
#define JSON_SHAPE_LESSON 64

struct json_shape_piece { /* the mask's zeros are not compared */
    uint8_t bytes[JSON_SHAPE_BYTES], mask[JSON_SHAPE_BYTES];
};
struct json_shape_item { /* up to a value, from the structural character behind the one before */
    struct json_shape_piece piece; /* its first bytes */
    uint32_t count;                /* structural characters */
};
struct json_shape_rest {
    struct json_shape_piece piece;
    uint32_t first, last; /* structural characters where its item begins and ends */
    uint32_t offset;      /* bytes from the first one */
};
struct json_shape_wanted {
    uint32_t value; /* structural character */
    uint32_t column;
};
struct json_shape {
    uint32_t position_count; /* structural characters of the document; 0: no shape */
    uint32_t item_count;     /* without the last one, which is what follows the last value */
    uint32_t rest_count;
    uint32_t wanted_count;
    bool is_complete; /* all columns are among the wanted */
    struct json_shape_item items[JSON_SHAPE_ITEMS + 1];
    struct json_shape_rest rests[JSON_SHAPE_RESTS];
    struct json_shape_wanted wanted[JSON_SHAPE_ITEMS];
};

/* Where a value lies in its group's text: up to the next structural character. length 0: there is
 * none. */
struct json_span {
    uint32_t start, length;
};

/* The documents being decoded, rows [first, first + count) of the batch. */
struct json_group {
    const uint8_t *text;
    uint32_t first, count;
    const uint32_t *position_end; /* of the text's structural characters */
};

struct decoder {
    struct json_options options;
    bool strict; /* decoder_request.strict */
    struct json_shim *shim;
    uint32_t column_count;
    struct json_column *columns;
    struct json_span *spans; /* [column * JSON_GROUP_ROWS + row - group.first] */
    uint32_t *name_slots;    /* hash table of column numbers + 1; power of two */
    uint32_t name_slot_mask;
    struct json_guess guesses[JSON_GUESSES];
    struct json_shape shape;
    uint32_t shape_credit;
    struct buffer *text; /* of the newest batch; used again when no vector holds it any more */
    struct buf scratch;  /* unescaped strings */
    struct mem_owner *owner;
    const uint8_t *copies[BATCH_ROWS_MAX]; /* where the documents lie in text */

    /* of the call */
    struct bad_rows *bad;
    const struct records *records;
    const uint8_t *const *documents; /* NULL where there is none */
    struct json_group group;
};

static inline bool json_is_bad(const struct decoder *decoder, uint32_t record)
{
    return bad_rows_has(decoder->bad, record);
}

/* A document within an indexed text. */
struct json_document {
    const uint8_t *text;      /* of the group */
    const uint32_t *position; /* of the document's first structural character */
    uint32_t start, end;      /* the document in text */
    uint32_t row;
};

/* The token of a value: from its first character to before the next structural one, trimmed. */
struct json_token {
    const uint8_t *data;
    uint32_t length;
};

static inline struct json_span *json_spans(const struct decoder *decoder, uint32_t column)
{
    return decoder->spans + column * JSON_GROUP_ROWS;
}

/* JSON's blanks, no others: "1\x01" is no number. */
static inline bool json_is_blank(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}
static inline struct json_token json_token(const uint8_t *text, struct json_span span)
{
    while (span.length > 1 && json_is_blank(text[span.start + span.length - 1]))
        span.length--;
    return (struct json_token){text + span.start, span.length};
}

/* json_walk.c: set the document's span in every column that it has. False: not a valid document
 * (json_bad has been called, spans are unspecified). position moves on, of a valid document to its
 * end. */
bool json_walk(struct decoder *decoder, struct json_document *document);
void json_index_names(struct decoder *decoder);
/* The column of that name, escapes and all, or JSON_NO_COLUMN; place: its number among the
 * document's members. */
uint32_t json_match_key(struct decoder *decoder, uint32_t place, const uint8_t *text,
                        const uint32_t *position);

/* json_shape.c: as json_walk, for a document of the known shape. False: it is not, nothing has
 * changed. */
bool json_shape_match(struct decoder *decoder, struct json_document *document);
/* Learn the shape of a valid document, whose positions are [position, end). */
void json_shape_learn(struct decoder *decoder, const uint8_t *text, const uint32_t *position,
                      const uint32_t *end);

/* json_value.c: the spans of the group to cells of the column. */
enum status json_fill_column(struct decoder *decoder, struct json_column *column,
                             struct error *err) STATUS_CHECKED;

/* Is it JSON at all? Inner scalars of an object or array are not checked. */
bool json_token_valid(struct decoder *decoder, struct json_token token);

/* json.c: ERR_UNSUPPORTED for types the format does not do yet. */
enum status json_check_column(const struct table_field *field, const char *table,
                              struct error *err) STATUS_CHECKED;

/* Note the record as bad, with a text. */
void json_bad(struct decoder *decoder, uint32_t record, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* The same for a value that its column cannot take. */
void json_bad_cell(struct decoder *decoder, uint32_t record, const struct json_column *column,
                   struct json_token token);

/* json_decode.c: format_class.decode */
enum status json_decode(struct decoder *decoder, const struct records *records, struct batch **out,
                        const uint32_t **record_of_row, struct bad_rows *bad,
                        struct error *err) STATUS_CHECKED;

/* json_encode.c */
enum status json_encoder_open(const struct encoder_request *request, struct encoder **out,
                              struct error *err) STATUS_CHECKED;
enum status json_encode(struct encoder *encoder, const struct batch *batch, struct buf *out,
                        uint32_t *offsets, struct error *err) STATUS_CHECKED;
void json_encoder_close(struct encoder *encoder);

extern const struct option_def JSON_OPTIONS[];
extern const size_t JSON_OPTION_COUNT;

#endif
