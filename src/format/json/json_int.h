/* json_int.h - what the files of format/json share.
 *
 *   records --json_decode.c--> one text of documents separated by newlines, a group at a time
 *           --json_shim.cc--> positions of structural characters
 *           --json_walk.c--> members of each document --json_value.c--> cells of the wanted columns
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
    struct vec *vec; /* of the batch being made */
};

/* The key seen last at this place of a document, with its closing quote. */
struct json_guess {
    uint8_t key[JSON_KEY_GUESS + 1];
    uint32_t length;     /* without the quote; 0: none */
    uint32_t quote_mask; /* bits [0, length] set */
    uint32_t column;
};

struct decoder {
    struct json_options options;
    struct json_shim *shim;
    uint32_t column_count;
    struct json_column *columns;
    uint32_t seen_words;
    uint64_t *seen;       /* columns met in the document at hand */
    uint32_t *name_slots; /* hash table of column numbers + 1; power of two */
    uint32_t name_slot_mask;
    struct json_guess guesses[JSON_GUESSES];
    struct buffer *text; /* of the newest batch; used again when no vector holds it any more */
    struct buf scratch;  /* unescaped strings */
    struct mem_owner *owner;
    struct bad_rows *bad; /* of the call */
    bool no_memory;       /* why a walk failed: not the document's fault */
};

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

/* json_walk.c: fill row of every column from the document. False: not a valid document or a cell
 * that makes the row bad (json_bad has been called). position moves on, of a valid document to its
 * end. */
bool json_walk(struct decoder *decoder, struct json_document *document);
void json_index_names(struct decoder *decoder);
/* Make every cell of the row NULL. */
enum status json_null_row(struct decoder *decoder, uint32_t row, struct error *err) STATUS_CHECKED;

/* json_value.c: convert one scalar (or, for text columns, any value) into the cell. */
enum json_cell { JSON_CELL_OK, JSON_CELL_NULL, JSON_CELL_BAD, JSON_CELL_MEMORY };
enum json_cell json_set_cell(struct decoder *decoder, struct json_column *column, uint32_t row,
                             struct json_token token);

/* Is it JSON at all? Inner scalars of an object or array are not checked. */
bool json_token_valid(struct decoder *decoder, struct json_token token);

/* json.c: ERR_UNSUPPORTED for types the format does not do yet. */
enum status json_check_column(const struct table_field *field, const char *table,
                              struct error *err) STATUS_CHECKED;

/* Note the record as bad, with a text. */
void json_bad(struct decoder *decoder, uint32_t record, const char *fmt, ...) PRINTF_LIKE(3, 4);

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
