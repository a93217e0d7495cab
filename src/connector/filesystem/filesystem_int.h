/* filesystem_int.h - what the files of connector/filesystem share. */
#ifndef LEAT_CONNECTOR_FILESYSTEM_FILESYSTEM_INT_H
#define LEAT_CONNECTOR_FILESYSTEM_FILESYSTEM_INT_H

#include "connector/filesystem/filesystem.h"

#define FILESYSTEM_OPTIONS_MAX (1u << 20)
#define FILESYSTEM_LINE_MAX    (256u << 20) /* bytes of one record */

struct filesystem_options {
    const char *path;    /* without "file://" */
    uint64_t roll_bytes; /* of a sink's files: the next one begins when this one has so many */
    int64_t roll_ms;     /* or is so old */
};
extern const struct option_def FILESYSTEM_OPTIONS[];
extern const size_t FILESYSTEM_OPTION_COUNT;

/* Check a table's options; texts are in arena. */
enum status filesystem_parse(const struct table_description *table,
                             const struct plugin_context *context, struct filesystem_options *out,
                             struct arena *arena, struct error *err) STATUS_CHECKED;

/* ---- filesystem_lines.c: where records end */

struct line_rules {
    bool quoted; /* csv: a newline within quotes does not end a record */
    char delimiter;
    int quote, escape; /* -1: none */
    bool skips_empty;  /* json: lines without a byte are no records */
};
/* By the table's format and its options; wrong ones are left for the format to refuse. */
struct line_rules line_rules_of(const struct table_description *table);
/* The newline that ends the record at data, or NULL when it does not end before data + length. */
const uint8_t *line_end(const struct line_rules *rules, const uint8_t *data, size_t length);

extern const struct source_class FILESYSTEM_SOURCE;
extern const struct sink_class FILESYSTEM_SINK;

#endif
