/* csv.c - the csv format's class, its options, and taking a line apart.
 *
 * Quoting as Jackson reads it for Flink: a quote opens a field only as its first character, doubled
 * quotes (or the escape character) keep one inside, blanks may follow the closing one. A field with
 * an open quote goes on over newlines.
 */
#include "format/csv/csv.h"

#include <stddef.h>

#include "base/must.h"
#include "format/csv/csv_int.h"

static const struct option_def OPTIONS[] = {
    {.key = "field-delimiter",
     .kind = OPTION_STRING,
     .offset = offsetof(struct csv_options, field_delimiter),
     .default_value = ",",
     .help = "The character between fields; \\t is a tab."},
    {.key = "disable-quote-character",
     .kind = OPTION_BOOL,
     .offset = offsetof(struct csv_options, disable_quote_character),
     .default_value = "false",
     .help = "No character encloses fields."},
    {.key = "quote-character",
     .kind = OPTION_STRING,
     .offset = offsetof(struct csv_options, quote_character),
     .default_value = "\"",
     .help = "The character that encloses fields."},
    {.key = "allow-comments",
     .kind = OPTION_BOOL,
     .offset = offsetof(struct csv_options, allow_comments),
     .default_value = "false",
     .help = "Lines that begin with # are skipped."},
    {.key = "ignore-parse-errors",
     .kind = OPTION_BOOL,
     .offset = offsetof(struct csv_options, ignore_parse_errors),
     .default_value = "false",
     .help = "A field that cannot be converted is NULL, a line that cannot be read is dropped and "
             "counted; false: the table's leat.bad-rows decides."},
    {.key = "array-element-delimiter",
     .kind = OPTION_STRING,
     .offset = offsetof(struct csv_options, array_element_delimiter),
     .default_value = ";",
     .help = "Taken and not used: array columns are not built."},
    {.key = "escape-character",
     .kind = OPTION_STRING,
     .offset = offsetof(struct csv_options, escape_character),
     .help = "The character that takes the meaning from the next one."},
    {.key = "null-literal",
     .kind = OPTION_STRING,
     .offset = offsetof(struct csv_options, null_literal),
     .help = "The text that stands for NULL; none when not given."},
    {.key = "write-bigdecimal-in-scientific-notation",
     .kind = OPTION_BOOL,
     .offset = offsetof(struct csv_options, scientific),
     .default_value = "true",
     .help = "Decimals are written as Java's shortest form (1E+2); false: as plain digits."},
};

/* One character of an option: itself, or \t and \\. */
static enum status one_character(const char *text, const char *key, int *out, struct error *err)
{
    struct str str = str_of(text);
    if (str.length == 1) {
        *out = str.data[0];
    } else if (str_eq(str, STR("\\t"))) {
        *out = '\t';
    } else if (str_eq(str, STR("\\\\"))) {
        *out = '\\';
    } else {
        return error_set(err, ERR_OPTION,
                         "format 'csv': option '%s' is '%s', but must be one ASCII character", key,
                         text);
    }
    if (*out < 0 || *out == '\n' || *out == '\r')
        return error_set(err, ERR_OPTION,
                         "format 'csv': option '%s' must be an ASCII character within a line", key);
    return OK;
}

enum status csv_dialect_init(struct csv_dialect *dialect, const struct option_given *options,
                             size_t option_count, struct error *err)
{
    int delimiter;
    *dialect = (struct csv_dialect){.quote = CSV_NONE, .escape = CSV_NONE};
    arena_init(&dialect->arena, NULL, CSV_OPTION_MAX);
    TRY(option_parse(OPTIONS, COUNT_OF(OPTIONS), options, option_count, NULL, "format 'csv'",
                     &dialect->options, &dialect->arena, err));
    TRY(one_character(dialect->options.field_delimiter, "field-delimiter", &delimiter, err));
    dialect->delimiter = (char)delimiter;
    if (!dialect->options.disable_quote_character)
        TRY(one_character(dialect->options.quote_character, "quote-character", &dialect->quote,
                          err));
    if (dialect->options.escape_character)
        TRY(one_character(dialect->options.escape_character, "escape-character", &dialect->escape,
                          err));
    if (dialect->quote == delimiter || dialect->escape == delimiter)
        return error_set(err, ERR_OPTION,
                         "format 'csv': field-delimiter, quote-character and escape-character have "
                         "to differ");
    dialect->null_literal = str_of(dialect->options.null_literal);
    return OK;
}

void csv_dialect_fini(struct csv_dialect *dialect)
{
    arena_fini(&dialect->arena);
}

static char unescaped(char c)
{
    switch (c) {
    case '0':
        return '\0';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return c;
    }
}

static bool problem(struct csv_line *line, const char *text)
{
    line->problem = text;
    line->next = NULL;
    return false;
}

/* Behind a field: the delimiter, or the line's end. */
static bool end_field(struct csv_line *line, const char *at)
{
    if (at == line->end) {
        line->next = NULL;
        return true;
    }
    if (*at != line->dialect->delimiter)
        return problem(line, "something follows a closing quote");
    line->next = at + 1;
    return true;
}

/* A field whose bytes are not those of the line: escapes, doubled quotes. From `at` on. */
static bool rewritten_field(struct csv_line *line, const char *at, bool quoted, struct str *out)
{
    const struct csv_dialect *dialect = line->dialect;
    bool closed = !quoted;
    for (; at < line->end; at++) {
        char c = *at;
        if (dialect->escape == c && at + 1 < line->end) {
            c = unescaped(*++at);
        } else if (quoted && c == (char)dialect->quote) {
            if (at + 1 == line->end || at[1] != c) {
                closed = true;
                at++;
                break;
            }
            at++;
        } else if (!quoted && c == dialect->delimiter) {
            break;
        } else if (!quoted && c == '\n') {
            return problem(line, "a second line follows");
        }
        buf_append_byte(line->scratch, (uint8_t)c);
    }
    if (!closed)
        return problem(line, "a quoted field does not end");
    while (quoted && at < line->end && (*at == ' ' || (*at == '\t' && dialect->delimiter != '\t')))
        at++;
    if (line->scratch->failed)
        return problem(line, "no memory for a field");
    *out = (struct str){(const char *)line->scratch->data, line->scratch->length};
    return end_field(line, at);
}

bool csv_next_field(struct csv_line *line, struct str *out, bool *in_place)
{
    const struct csv_dialect *dialect = line->dialect;
    const char *start = line->next, *at = start;
    if (!start)
        return false;
    buf_clear(line->scratch);
    bool quoted = at < line->end && dialect->quote != CSV_NONE && *at == (char)dialect->quote;
    char stop = quoted ? (char)dialect->quote : dialect->delimiter;
    for (at += quoted; at < line->end && *at != stop; at++)
        if (dialect->escape == *at) {
            *in_place = false;
            return rewritten_field(line, start + quoted, quoted, out);
        }
    *in_place = !quoted || (at + 1 < line->end ? at[1] == dialect->delimiter : at < line->end);
    if (!*in_place)
        return rewritten_field(line, start + quoted, quoted, out);
    *out = (struct str){start + quoted, (size_t)(at - start) - quoted};
    if (!quoted && memchr(out->data, '\n', out->length))
        return problem(line, "a second line follows");
    return end_field(line, at + quoted);
}

const struct format_class CSV_FORMAT = {
    .size = sizeof(struct format_class),
    .name = "csv",
    .help = "One line of separated values a record, in the order of the columns.",
    .options = OPTIONS,
    .option_count = COUNT_OF(OPTIONS),
    .decoder_open = csv_decoder_open,
    .decode = csv_decode,
    .decoder_close = csv_decoder_close,
    .encoder_open = csv_encoder_open,
    .encode = csv_encode,
    .encoder_close = csv_encoder_close,
};
