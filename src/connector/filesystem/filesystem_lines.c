/* filesystem_lines.c - where the records of a file end: at newlines, for csv those outside quotes.
 *
 * A quote opens a field only as its first character, as the csv format reads it; so a stray one
 * inside a field does not swallow the lines behind it.
 */
#include "connector/filesystem/filesystem_int.h"

static struct str option_of(const struct table_description *table, const char *key)
{
    struct str found = {0};
    for (size_t i = 0; i < table->option_count; i++)
        if (str_eq(table->options[i].key, str_of(key)))
            found = table->options[i].value;
    return found;
}

struct line_rules line_rules_of(const struct table_description *table)
{
    struct line_rules rules = {.delimiter = ',', .quote = '"', .escape = -1};
    struct str format = option_of(table, "format");
    struct str delimiter = option_of(table, "csv.field-delimiter");
    struct str quote = option_of(table, "csv.quote-character");
    struct str escape = option_of(table, "csv.escape-character");
    rules.skips_empty = str_eq(format, STR("json"));
    rules.quoted = str_eq(format, STR("csv")) &&
                   !str_eq_nocase(option_of(table, "csv.disable-quote-character"), STR("true"));
    if (delimiter.length)
        rules.delimiter = str_eq(delimiter, STR("\\t")) ? '\t' : delimiter.data[0];
    if (quote.length)
        rules.quote = quote.data[0];
    if (escape.length)
        rules.escape = escape.data[0];
    return rules;
}

const uint8_t *line_end(const struct line_rules *rules, const uint8_t *data, size_t length)
{
    const uint8_t *end = data + length, *newline = memchr(data, '\n', length);
    if (!rules->quoted || !memchr(data, rules->quote, newline ? (size_t)(newline - data) : length))
        return newline;
    bool at_start = true, inside = false;
    for (const uint8_t *at = data; at < end; at++) {
        if (*at == rules->escape) {
            at++;
            at_start = false;
        } else if (inside) {
            if (*at == rules->quote && at + 1 < end && at[1] == rules->quote)
                at++;
            else if (*at == rules->quote)
                inside = false;
        } else if (*at == '\n') {
            return at;
        } else {
            inside = at_start && *at == rules->quote;
            at_start = *at == (uint8_t)rules->delimiter;
        }
    }
    return NULL;
}
