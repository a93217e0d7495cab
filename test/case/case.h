/* case.h - reads case files (.test), their rows and arrival plans, and scalar triples.
 *
 * The formats are described in test/README.md. It knows nothing of types: a value is NULL or bytes.
 * Parsers own what they return (one fini each) and report errors as text with "line N: ...".
 * Running out of memory ends the program: this is test code.
 */
#ifndef LEAT_TEST_CASE_H
#define LEAT_TEST_CASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CASE_ERROR_BYTES = 200, CASE_MAX_VALUES = 256, CASE_MAX_FILE_BYTES = 16 << 20 };

/* A section "=== KEYWORD ARGUMENT" and its lines. text is NUL-terminated. */
struct case_section {
    char *keyword;
    char *argument; /* "" when there is none */
    char *text;     /* the lines, each with its newline */
    int line;       /* of the first text line in the file, from 1 */
};

struct case_file {
    char *comment; /* what stands before the first section */
    struct case_section *sections;
    int section_count;
    char error[CASE_ERROR_BYTES]; /* set when parse returned false */
};

/* text need not live on. False: file->error says why; fini is still due. */
bool case_file_parse(struct case_file *file, const char *text, size_t size_bytes);
/* Reads the file first; at most CASE_MAX_FILE_BYTES. */
bool case_file_load(struct case_file *file, const char *path);
void case_file_fini(struct case_file *file);
/* The first section of this keyword and argument (NULL: any) after `after` (NULL: from the start);
 * NULL when there is none. */
const struct case_section *case_section_find(const struct case_file *file, const char *keyword,
                                             const char *argument,
                                             const struct case_section *after);

struct case_value {
    bool null;
    bool quoted;
    char *text; /* NUL-terminated; "" when NULL */
    size_t size_bytes;
};

enum case_event_kind {
    CASE_ROW,
    CASE_CUT,       /* "---": the batch ends here */
    CASE_WATERMARK, /* text: the time as written */
    CASE_SPLIT,     /* number */
    CASE_IDLE,
    CASE_ACTIVE,
    CASE_TIME, /* number: processing time in ms */
    CASE_CHECKPOINT,
    CASE_END,
    CASE_OPEN, /* no implied end */
};

struct case_event {
    enum case_event_kind kind;
    int line;
    char row_kind[3]; /* "+I", "-U", "+U" or "-D" */
    int split;        /* the split in force, for every kind */
    int64_t number;
    char *text;
    struct case_value *values; /* of a row */
    int value_count;
};

struct case_plan {
    struct case_event *events;
    int event_count;
    char error[CASE_ERROR_BYTES];
};

/* Reads the lines of an input or of an expect section (the latter: only rows are allowed). */
bool case_plan_parse(struct case_plan *plan, const struct case_section *section, bool only_rows);
void case_plan_fini(struct case_plan *plan);

/* Builds up rows got from a program under test; row_kind is copied, text too. */
struct case_event *case_plan_add_row(struct case_plan *plan, const char *row_kind);
void case_row_add(struct case_event *row, const char *text, size_t size_bytes, bool null);

/* The rows left after all changes, appended to rows (fresh). With key columns, +I and +U replace
 * the row of their key and -D removes it (-U is ignored); without, +I and +U add a row and -U and
 * -D remove an equal one. False: a change removes a row that is not there, unless it may come
 * again (repeats); changes->error names it. */
bool case_fold(struct case_plan *changes, const int *key_columns, int key_column_count,
               bool repeats, struct case_plan *rows);

enum { CASE_ORDERED = 1, CASE_ROW_KINDS = 2 }; /* flags: order counts; row kinds count */

/* NULL when got is what is expected, else a text to print (caller frees): "-" expected, "+" got.
 * Only CASE_ROW events count. approximate[i] (NULL: none): column i compares at 1e-9 relative.
 * Costs rows squared without CASE_ORDERED. */
char *case_compare(const struct case_plan *expected, const struct case_plan *got, int flags,
                   const bool *approximate, int column_count);

struct case_triple {
    int line;
    char *expression; /* for a directive: its text; "set KEY = VALUE", "columns ..." */
    bool directive;
    bool has_error; /* value.text then is the wanted part of the error's text */
    struct case_value value;
    char *type; /* NULL when not given */
};

struct case_triples {
    struct case_triple *triples;
    int triple_count;
    char error[CASE_ERROR_BYTES];
};

bool case_triples_parse(struct case_triples *triples, const char *text, size_t size_bytes);
bool case_triples_load(struct case_triples *triples, const char *path);
void case_triples_fini(struct case_triples *triples);

#endif
