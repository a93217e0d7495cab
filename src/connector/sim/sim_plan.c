/* sim_plan.c - the text of an arrival plan to events; values to cells.
 *
 * A row is "[KIND] value | value ..."; a value is literal without outer blanks, NULL, 'quoted' or
 * E'with escapes' (test/README.md).
 */
#include "base/calendar.h"
#include "connector/sim/sim_int.h"
#include "format/csv/csv_value.h"

#define VALUES_MAX  4096
#define EVENTS_MAX  (1u << 22)
#define ORDER_LINES 32 /* bits of an order that count events within a section */

struct parse {
    struct sim_plan *plan;
    const char *table;
    uint64_t section;
    uint32_t line;
    uint32_t split; /* in force */
    struct error *err;
};

static enum status bad_line(const struct parse *parse, const char *what)
{
    return error_set(parse->err, ERR_DATA, "sim input of table %s, line %u: %s", parse->table,
                     parse->line, what);
}

static struct sim_event *add_event(const struct parse *parse, enum sim_event_kind kind)
{
    struct sim_plan *plan = parse->plan;
    if (plan->event_count == plan->capacity) {
        uint32_t capacity = plan->capacity ? plan->capacity * 2 : 64;
        struct sim_event *events =
            capacity <= EVENTS_MAX ? mem_realloc(plan->events, capacity * sizeof(*events)) : NULL;
        if (!events)
            return NULL;
        plan->events = events;
        plan->capacity = capacity;
    }
    struct sim_event *event = &plan->events[plan->event_count];
    *event = (struct sim_event){.kind = kind, .line = parse->line, .split = parse->split};
    event->order = parse->section << ORDER_LINES | plan->event_count;
    plan->event_count++;
    if (parse->split >= plan->split_count)
        plan->split_count = parse->split + 1;
    return event;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One escape behind its backslash at text[*at]; false: not one. */
static bool unescape(struct str text, size_t *at, char *out)
{
    if (*at >= text.length)
        return false;
    char c = text.data[(*at)++];
    if (c == 'x') {
        if (*at + 2 > text.length)
            return false;
        int high = hex_digit(text.data[*at]), low = hex_digit(text.data[*at + 1]);
        *at += 2;
        *out = (char)(high << 4 | low);
        return high >= 0 && low >= 0;
    }
    *out = c == 'n' ? '\n' : c == 't' ? '\t' : c;
    return true;
}

/* A quoted value from its quote on; *at ends behind the closing quote. */
static bool read_quoted(const struct parse *parse, struct str text, size_t *at, bool escapes,
                        struct sim_value *out)
{
    char *bytes = arena_alloc(&parse->plan->arena, text.length + 1);
    size_t length = 0;
    if (!bytes)
        return false;
    for (++*at; *at < text.length;) {
        char c = text.data[(*at)++];
        if (c == '\'') {
            if (*at < text.length && text.data[*at] == '\'') {
                ++*at;
            } else {
                out->text = (struct str){bytes, length};
                return true;
            }
        } else if (c == '\\' && escapes && !unescape(text, at, &c)) {
            return false;
        }
        bytes[length++] = c;
    }
    return false;
}

/* One value up to '|' or the end; *at ends there. */
static bool read_value(const struct parse *parse, struct str text, size_t *at,
                       struct sim_value *out)
{
    size_t from = *at;
    while (from < text.length && (text.data[from] == ' ' || text.data[from] == '\t'))
        from++;
    bool escapes = from + 1 < text.length && text.data[from] == 'E' && text.data[from + 1] == '\'';
    if (escapes || (from < text.length && text.data[from] == '\'')) {
        *at = from + escapes;
        if (!read_quoted(parse, text, at, escapes, out))
            return false;
        while (*at < text.length && text.data[*at] == ' ')
            ++*at;
        return *at == text.length || text.data[*at] == '|';
    }
    size_t end = from;
    while (end < text.length && text.data[end] != '|')
        end++;
    struct str value = str_trim((struct str){text.data + from, end - from});
    *at = end;
    out->is_null = str_eq(value, STR("NULL"));
    out->text = value;
    return true;
}

static enum status parse_row(struct parse *parse, struct str line)
{
    static const char *const kinds[] = {"+I", "-U", "+U", "-D"};
    struct sim_event *event = add_event(parse, SIM_EVENT_ROW);
    if (!event)
        return error_memory(parse->err, "a sim plan", sizeof(*event));
    for (int i = 0; i < 4; i++) {
        if (line.length < 3 || memcmp(line.data, kinds[i], 2) != 0 || line.data[2] != ' ')
            continue;
        event->row_kind = (enum row_kind)i;
        line = (struct str){line.data + 3, line.length - 3};
        break;
    }
    uint32_t count = 1;
    for (size_t i = 0; i < line.length; i++)
        count += line.data[i] == '|';
    if (count > VALUES_MAX)
        return bad_line(parse, "too many values");
    event->values = ARENA_ARRAY(&parse->plan->arena, count, struct sim_value);
    TRY(arena_check(&parse->plan->arena, "a sim plan", parse->err));
    for (size_t at = 0;; at++) {
        if (!read_value(parse, line, &at, &event->values[event->value_count++]))
            return bad_line(parse, "a quoted value does not end, or has something behind it");
        if (at == line.length)
            return OK;
    }
}

static enum status add_signal(struct parse *parse, enum sim_signal signal, int64_t number)
{
    struct sim_event *event = add_event(parse, SIM_EVENT_SIGNAL);
    if (!event)
        return error_memory(parse->err, "a sim plan", sizeof(*event));
    event->signal = signal;
    event->number = number;
    return OK;
}

static enum status add_watermark(struct parse *parse, struct str time)
{
    struct sim_event *event = add_event(parse, SIM_EVENT_WATERMARK);
    if (!event)
        return error_memory(parse->err, "a sim plan", sizeof(*event));
    if (str_eq(time, STR("MAX"))) {
        event->number = WATERMARK_MAX;
        return OK;
    }
    return calendar_parse_timestamp(time, &event->number) ? OK : bad_line(parse, "not a timestamp");
}

static enum status parse_directive(struct parse *parse, struct str line)
{
    size_t end = 1;
    while (end < line.length && line.data[end] != ' ')
        end++;
    struct str word = {line.data + 1, end - 1};
    struct str rest = str_trim((struct str){line.data + end, line.length - end});
    int64_t number = 0;
    if (str_eq(word, STR("watermark")))
        return add_watermark(parse, rest);
    if (str_eq(word, STR("split"))) {
        if (!str_to_i64(rest, &number, NULL) || number < 0 || number >= SIM_SPLITS_MAX)
            return bad_line(parse, "@split needs a number from 0 to 63");
        parse->split = (uint32_t)number;
        return OK;
    }
    if (str_eq(word, STR("time")))
        return str_to_i64(rest, &number, NULL) ? add_signal(parse, SIM_TIME, number)
                                               : bad_line(parse, "@time needs milliseconds");
    if (str_eq(word, STR("checkpoint")))
        return add_signal(parse, SIM_CHECKPOINT, 0);
    if (str_eq(word, STR("idle")))
        return add_signal(parse, SIM_IDLE, 0);
    if (str_eq(word, STR("active")))
        return add_signal(parse, SIM_ACTIVE, 0);
    if (str_eq(word, STR("open"))) {
        parse->plan->is_open = true;
        return OK;
    }
    return str_eq(word, STR("end")) ? OK : bad_line(parse, "unknown line beginning with @");
}

enum status sim_plan_parse(struct sim_plan *plan, struct str text, uint64_t section,
                           const char *table, struct error *err)
{
    struct parse parse = {.plan = plan, .table = table, .section = section, .err = err};
    for (size_t from = 0; from < text.length;) {
        const char *newline = memchr(text.data + from, '\n', text.length - from);
        size_t end = newline ? (size_t)(newline - text.data) : text.length;
        struct str line = str_trim((struct str){text.data + from, end - from});
        from = end + 1;
        parse.line++;
        if (line.length == 0)
            continue;
        if (line.data[0] == '@') {
            TRY(parse_directive(&parse, line));
        } else if (!str_eq(line, STR("---"))) {
            TRY(parse_row(&parse, line));
        } else if (!add_event(&parse, SIM_EVENT_CUT)) {
            return error_memory(err, "a sim plan", sizeof(struct sim_event));
        }
    }
    return OK;
}

void sim_plan_fini(struct sim_plan *plan)
{
    mem_free(plan->events);
    arena_fini(&plan->arena);
}

static bool set_bytes(struct vec *vec, uint32_t row, struct str text)
{
    bool is_hex = text.length >= 3 && text.data[0] == 'x' && text.data[1] == '\'';
    if (!is_hex)
        return vec_set_text(vec, row, text.data, text.length, NULL) == OK;
    size_t length = (text.length - 3) / 2;
    char *dest = vec_string_room(vec, length + 1);
    if (!dest || text.data[text.length - 1] != '\'' || text.length % 2 == 0)
        return false;
    for (size_t i = 0; i < length; i++) {
        int high = hex_digit(text.data[2 + 2 * i]), low = hex_digit(text.data[3 + 2 * i]);
        if (high < 0 || low < 0)
            return false;
        dest[i] = (char)(high << 4 | low);
    }
    ((struct view *)vec->values)[row] = view_of(dest, length);
    return true;
}

/* A local time in the session's zone, as it is printed. */
static bool set_instant(struct vec *vec, uint32_t row, struct str text, const struct zone *zone)
{
    int64_t us;
    if (!calendar_parse_timestamp(text, &us))
        return false;
    us = zone ? zone_local_to_utc(zone, us) : us;
    ((int64_t *)vec->values)[row] =
        vec->type->precision > 6 ? us * 1000 + calendar_rest_ns(text) : us;
    return true;
}

static bool set_value(struct vec *vec, uint32_t row, struct str text, const struct zone *zone)
{
    switch (vec->type->root) {
    case TYPE_BOOLEAN:
        ((uint8_t *)vec->values)[row] = str_eq_nocase(text, STR("true"));
        return str_eq_nocase(text, STR("true")) || str_eq_nocase(text, STR("false"));
    case TYPE_BINARY:
    case TYPE_VARBINARY:
        return set_bytes(vec, row, text);
    case TYPE_TIMESTAMP_LTZ:
        return set_instant(vec, row, text, zone);
    default:
        return csv_set_cell(vec, row, text, false) == CSV_CELL_OK;
    }
}

enum status sim_set_cell(struct vec *vec, uint32_t row, const struct sim_value *value,
                         const struct zone *zone, struct error *err)
{
    if (value->is_null)
        return csv_set_null(vec, row, err);
    if (set_value(vec, row, value->text, zone))
        return OK;
    struct buf type;
    buf_init(&type, 4096);
    type_format(&type, vec->type);
    enum status status = error_set(err, ERR_DATA, "'%.*s' is not a valid %s",
                                   (int)value->text.length, value->text.data, buf_text(&type));
    buf_fini(&type);
    return status;
}
