/* plan.c - values, rows and arrival plans of a case file; see case.h. */
#include "test/case/case.h"
#include "test/case/case_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes the escape after the backslash at *at, moves *at to its last byte; -1: there is no such.
 */
static int unescape(const char **at, const char *end)
{
    const char *p = *at + 1;
    if (p == end)
        return -1;
    *at = p;
    switch (*p) {
    case 'n':
        return '\n';
    case 't':
        return '\t';
    case 'r':
        return '\r';
    case '\\':
        return '\\';
    case 'x': {
        if (end - p < 3)
            return -1;
        int high = hex_digit(p[1]), low = hex_digit(p[2]);
        *at = p + 2;
        return high < 0 || low < 0 ? -1 : high * 16 + low;
    }
    default:
        return -1;
    }
}

/* span is what stands between the outer quotes. */
static bool unquote(struct case_value *value, struct case_span span, bool escapes,
                    const char **problem)
{
    char *out = value->text = case_copy(span);
    for (const char *at = span.start; at < span.end; at++) {
        int byte = (unsigned char)*at;
        if (*at == '\'') {
            if (++at == span.end || *at != '\'') {
                *problem = "a single quote inside quotes has to be doubled";
                return false;
            }
        } else if (*at == '\\' && escapes) {
            byte = unescape(&at, span.end);
            if (byte < 0) {
                *problem = "unknown escape; there are \\n \\t \\r \\\\ \\xHH";
                return false;
            }
        }
        *out++ = (char)byte;
    }
    *out = '\0';
    value->size_bytes = (size_t)(out - value->text);
    return true;
}

bool case_value_parse(struct case_value *value, struct case_span span, const char **problem)
{
    memset(value, 0, sizeof(*value));
    span = case_trim(span);
    bool escapes = case_starts(span, "E'");
    if (escapes || case_starts(span, "'")) {
        span.start += escapes ? 2 : 1;
        value->quoted = true;
        if (span.end <= span.start || span.end[-1] != '\'') {
            *problem = "the quotes are not closed";
            return false;
        }
        span.end--;
        return unquote(value, span, escapes, problem);
    }
    value->null = span.end - span.start == 4 && case_starts(span, "NULL");
    if (value->null)
        span.end = span.start;
    value->text = case_copy(span);
    value->size_bytes = (size_t)(span.end - span.start);
    return true;
}

static bool parse_row(struct case_event *event, struct case_span line, const char **problem)
{
    static const char kinds[][3] = {"+I", "-U", "+U", "-D"};
    memcpy(event->row_kind, "+I", 3);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (case_starts(line, kinds[i]) &&
            (line.end - line.start == 2 || line.start[2] == ' ' || line.start[2] == '\t')) {
            memcpy(event->row_kind, kinds[i], 3);
            line.start += 2;
            break;
        }
    }
    bool more = true;
    while (more) {
        const char *bar = case_find(line, "|", false);
        more = bar != NULL;
        if (event->value_count == CASE_MAX_VALUES) {
            *problem = "too many values";
            return false;
        }
        struct case_value *value =
            case_grow((void **)&event->values, &event->value_count, sizeof(*value));
        if (!case_value_parse(value, (struct case_span){line.start, bar ? bar : line.end}, problem))
            return false;
        if (bar)
            line.start = bar + 1;
    }
    return true;
}

static const struct directive {
    const char *name;
    enum case_event_kind kind;
    enum { NOTHING, TEXT, NUMBER } argument;
} directives[] = {
    {"@watermark", CASE_WATERMARK, TEXT}, {"@split", CASE_SPLIT, NUMBER},
    {"@idle", CASE_IDLE, NOTHING},        {"@active", CASE_ACTIVE, NOTHING},
    {"@time", CASE_TIME, NUMBER},         {"@checkpoint", CASE_CHECKPOINT, NOTHING},
    {"@end", CASE_END, NOTHING},          {"@open", CASE_OPEN, NOTHING},
};

static bool parse_number(const char *text, int64_t *number)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    *number = value;
    return errno == 0 && end != text && *end == '\0';
}

static bool parse_directive(struct case_event *event, struct case_span line, const char **problem)
{
    struct case_span name = line;
    while (name.start < name.end && *name.start != ' ' && *name.start != '\t')
        name.start++;
    name = (struct case_span){line.start, name.start};
    for (size_t i = 0; i < sizeof(directives) / sizeof(directives[0]); i++) {
        const struct directive *known = &directives[i];
        if (strlen(known->name) != (size_t)(name.end - name.start) ||
            !case_starts(name, known->name))
            continue;
        event->kind = known->kind;
        event->text = case_copy(case_trim((struct case_span){name.end, line.end}));
        if ((known->argument == NOTHING) != (event->text[0] == '\0')) {
            *problem =
                known->argument == NOTHING ? "it takes no argument" : "its argument is missing";
            return false;
        }
        if (known->argument == NUMBER && (!parse_number(event->text, &event->number) ||
                                          event->number < 0 || event->number > INT64_C(1) << 50)) {
            *problem = "its argument is no number";
            return false;
        }
        if (event->kind == CASE_SPLIT && event->number > 1000) {
            *problem = "splits go from 0 to 1000";
            return false;
        }
        return true;
    }
    *problem = "unknown directive";
    return false;
}

bool case_plan_parse(struct case_plan *plan, const struct case_section *section, bool only_rows)
{
    memset(plan, 0, sizeof(*plan));
    struct case_span rest = {section->text, section->text + strlen(section->text)}, line;
    int split = 0;
    for (int number = section->line; case_next_line(&rest, &line); number++) {
        const char *problem = NULL;
        line = case_trim(line);
        if (line.start == line.end || *line.start == '#')
            continue;
        struct case_event *event =
            case_grow((void **)&plan->events, &plan->event_count, sizeof(*event));
        event->line = number;
        bool good = true;
        if (*line.start == '@')
            good = parse_directive(event, line, &problem);
        else if (line.end - line.start == 3 && case_starts(line, "---"))
            event->kind = CASE_CUT;
        else
            good = parse_row(event, line, &problem);
        if (good && event->kind == CASE_SPLIT)
            split = (int)event->number;
        event->split = split;
        if (good && only_rows && event->kind != CASE_ROW) {
            problem = "only rows can stand here";
            good = false;
        }
        if (!good) {
            snprintf(plan->error, sizeof(plan->error), "line %d: %s: %.*s", number, problem,
                     (int)(line.end - line.start > 80 ? 80 : line.end - line.start), line.start);
            return false;
        }
    }
    return true;
}

void case_plan_fini(struct case_plan *plan)
{
    for (int i = 0; i < plan->event_count; i++) {
        struct case_event *event = &plan->events[i];
        for (int j = 0; j < event->value_count; j++)
            free(event->values[j].text);
        free(event->values);
        free(event->text);
    }
    free(plan->events);
    plan->events = NULL;
    plan->event_count = 0;
}
