/* csv_int.h - what the files of format/csv share. */
#ifndef LEAT_FORMAT_CSV_CSV_INT_H
#define LEAT_FORMAT_CSV_CSV_INT_H

#include "format/csv/csv.h"

#define CSV_NONE       (-1)
#define CSV_TEXT_MAX   (1u << 30) /* bytes of a batch's records */
#define CSV_OPTION_MAX (1u << 20)

struct csv_options {
    const char *field_delimiter;
    const char *quote_character;
    const char *escape_character;
    const char *null_literal; /* NULL: none */
    const char *array_element_delimiter;
    bool disable_quote_character;
    bool allow_comments;
    bool ignore_parse_errors;
    bool scientific; /* decimals in Java's shortest notation, as Flink writes them */
};

struct csv_dialect {
    struct csv_options options;
    char delimiter;
    int quote, escape; /* CSV_NONE: there is none */
    struct str null_literal;
    struct arena arena; /* texts of options */
};
enum status csv_dialect_init(struct csv_dialect *dialect, const struct option_given *options,
                             size_t option_count, struct error *err) STATUS_CHECKED;
void csv_dialect_fini(struct csv_dialect *dialect);

/* A line being taken apart. */
struct csv_line {
    const struct csv_dialect *dialect;
    const char *next, *end; /* next NULL: the last field has been read */
    struct buf *scratch;    /* of the field at hand, when it is not in the line as it is */
    const char *problem;    /* set when a field could not be read */
};
/* The next field; *in_place: it points into the line, else into scratch. False: there is none, or
 * line->problem is set. */
bool csv_next_field(struct csv_line *line, struct str *out, bool *in_place);

/* csv_decode.c, csv_encode.c: members of the class */
enum status csv_decoder_open(const struct decoder_request *request, struct decoder **out,
                             struct error *err) STATUS_CHECKED;
enum status csv_decode(struct decoder *decoder, const struct records *records, struct batch **out,
                       const uint32_t **record_of_row, struct bad_rows *bad,
                       struct error *err) STATUS_CHECKED;
void csv_decoder_close(struct decoder *decoder);
enum status csv_encoder_open(const struct encoder_request *request, struct encoder **out,
                             struct error *err) STATUS_CHECKED;
enum status csv_encode(struct encoder *encoder, const struct batch *batch, struct buf *out,
                       uint32_t *offsets, struct error *err) STATUS_CHECKED;
void csv_encoder_close(struct encoder *encoder);

#endif
