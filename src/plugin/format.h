/* format.h - the contract of formats: bytes to columns and back.
 *
 * A decoder turns up to BATCH_ROWS_MAX records into one batch of the wanted columns; an encoder
 * turns a batch's rows into byte strings. Both belong to one thread at a time. Nothing blocks, no
 * callback runs per row. Formats never abort on data: a record that cannot be used is a bad row.
 */
#ifndef LEAT_PLUGIN_FORMAT_H
#define LEAT_PLUGIN_FORMAT_H

#include "data/batch.h"
#include "plugin/table.h"

#define RECORD_NULL         UINT32_MAX /* length of a value or key that is absent (a tombstone) */
#define RECORDS_BUFFERS_MAX 64

/* Records of one split, in order: arrays of payload pointers into ref-counted buffers. Owned by the
 * reader that filled it; valid until that reader is polled again. Every payload is followed by
 * BUFFER_PADDING readable bytes (of whatever). Arrays have BATCH_ROWS_MAX entries; those a source
 * does not know are NULL. */
struct payload_header {
    struct str key;
    const uint8_t *value;
    uint32_t value_length;
};
struct records {
    uint32_t count;
    const uint8_t **values;
    uint32_t *value_lengths;
    const uint8_t **keys;
    uint32_t *key_lengths;
    int64_t *offsets;        /* position of the record in its split */
    int64_t *timestamps_us;  /* UTC */
    uint32_t *header_counts; /* NULL: none has headers; then headers_of gives the i-th record's */
    const struct payload_header *const *headers;
    uint8_t timestamp_type; /* 0 none, 1 create time, 2 log append time */
    const char *topic;      /* topic, file: for metadata and messages */
    int32_t partition;
    int32_t leader_epoch;
    uint32_t buffer_count; /* whoever keeps payload pointers takes references to all of these */
    struct buffer *buffers[RECORDS_BUFFERS_MAX];
    /* Records [run_ends[i - 1], run_ends[i]) are a run: their values lie one behind the other in
     * one text, between two of them nothing but JSON's blanks, at least one newline among them. The
     * runs are all records; run_count 0: not known. */
    uint32_t run_count;
    uint32_t run_ends[RECORDS_BUFFERS_MAX];
};

/* A record that gave no row. */
#define BAD_ROW_NO_FIELD UINT32_MAX
struct bad_row {
    uint32_t record; /* index into the records */
    uint32_t field;  /* of the table; BAD_ROW_NO_FIELD: the record as a whole */
    enum status code;
    char value[64]; /* of the field as it stood in the record, cut at whole characters; "": none */
    char text[200]; /* "column order_amount: 'abc' is not a DECIMAL(10, 2)" */
};
struct bad_rows {
    bool ignore;    /* the format's options say: drop and count, whatever the table's policy */
    uint32_t count; /* may exceed kept */
    uint32_t kept;
    struct bad_row rows[64];
    uint64_t records[BATCH_ROWS_MAX / 64]; /* which records were bad; set whenever count > 0 */
};

/* Note a record as bad, with a text; the first 64 texts are kept. */
void bad_rows_add(struct bad_rows *bad, uint32_t record, const char *fmt, ...) PRINTF_LIKE(3, 4);
static inline bool bad_rows_has(const struct bad_rows *bad, uint32_t record)
{
    return bad->count && (bad->records[record >> 6] >> (record & 63) & 1);
}

struct decoder;
struct encoder;

struct decoder_request {
    const struct table_description *table;
    uint32_t wanted_count;
    const uint32_t *wanted; /* field numbers to produce, ascending; may be none (COUNT(*)) */
    const struct option_given
        *options; /* with the format's prefix taken off: "ignore-parse-errors" */
    size_t option_count;
    /* For the door of a table (an endpoint), where a row can still be refused: the whole record is
     * checked, also what is not wanted, and a value that a reader would cut, round to NULL or drop
     * is bad, whatever the options say. */
    bool strict;
    const struct plugin_context *context;
    struct mem_owner *owner;
};

struct encoder_request {
    const struct table_description *table;
    const struct option_given *options;
    size_t option_count;
    const struct plugin_context *context;
    struct mem_owner *owner;
};

struct format_class {
    size_t size;      /* sizeof(struct format_class) */
    const char *name; /* "json" */
    const char *help;
    const struct option_def *options;
    size_t option_count;
    bool produces_changelog; /* rows may be other than +I */
    enum status (*decoder_open)(const struct decoder_request *request, struct decoder **out,
                                struct error *err);
    /* Decode all records. *out has a column per wanted field. The usual case is one row a record
     * in the records' order (bad ones are left out by the batch's selection), and *record_of_row is
     * set to NULL; a format with several or no rows a record sets it to the decoder's array of
     * record indices. bad is cleared first. ERR_* for memory only. */
    enum status (*decode)(struct decoder *decoder, const struct records *records,
                          struct batch **out, const uint32_t **record_of_row, struct bad_rows *bad,
                          struct error *err);
    void (*decoder_close)(struct decoder *decoder);

    enum status (*encoder_open)(const struct encoder_request *request, struct encoder **out,
                                struct error *err); /* NULL: the format cannot write */
    /* Append the encoding of each selected row to out; offsets[i] .. offsets[i + 1] is the i-th
     * selected row's (offsets has selected_count + 1 entries). A row that cannot be encoded is an
     * error naming it. */
    enum status (*encode)(struct encoder *encoder, const struct batch *batch, struct buf *out,
                          uint32_t *offsets, struct error *err);
    void (*encoder_close)(struct encoder *encoder);
};

#endif
