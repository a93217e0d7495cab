/* case.c - sections of a case file and the helpers of the other parsers; see case.h. */
#include "test/case/case.h"
#include "test/case/case_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char section_mark[] = "===";

static void *checked(void *memory)
{
    if (!memory) {
        fputs("test/case: out of memory\n", stderr);
        abort();
    }
    return memory;
}

bool case_next_line(struct case_span *rest, struct case_span *line)
{
    if (rest->start >= rest->end)
        return false;
    const char *newline = memchr(rest->start, '\n', (size_t)(rest->end - rest->start));
    line->start = rest->start;
    line->end = newline ? newline : rest->end;
    rest->start = newline ? newline + 1 : rest->end;
    if (line->end > line->start && line->end[-1] == '\r')
        line->end--;
    return true;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

struct case_span case_trim(struct case_span span)
{
    while (span.start < span.end && blank(*span.start))
        span.start++;
    while (span.start < span.end && blank(span.end[-1]))
        span.end--;
    return span;
}

bool case_starts(struct case_span span, const char *prefix)
{
    size_t size_bytes = strlen(prefix);
    return (size_t)(span.end - span.start) >= size_bytes &&
           memcmp(span.start, prefix, size_bytes) == 0;
}

char *case_copy(struct case_span span)
{
    size_t size_bytes = (size_t)(span.end - span.start);
    char *copy = checked(malloc(size_bytes + 1));
    memcpy(copy, span.start, size_bytes);
    copy[size_bytes] = '\0';
    return copy;
}

void *case_grow(void **elements, int *count, size_t size_bytes)
{
    if ((*count & (*count - 1)) == 0) { /* full at each power of two */
        size_t capacity = *count ? (size_t)*count * 2 : 1;
        *elements = checked(realloc(*elements, capacity * size_bytes));
    }
    char *element = (char *)*elements + (size_t)*count * size_bytes;
    memset(element, 0, size_bytes);
    ++*count;
    return element;
}

const char *case_find(struct case_span span, const char *separator, bool last)
{
    size_t size_bytes = strlen(separator);
    const char *found = NULL;
    bool quoted = false;
    for (const char *at = span.start; at < span.end; at++) {
        if (*at == '\'')
            quoted = !quoted;
        else if (!quoted && (size_t)(span.end - at) >= size_bytes &&
                 memcmp(at, separator, size_bytes) == 0) {
            found = at;
            if (!last)
                break;
        }
    }
    return found;
}

char *case_read_file(const char *path, size_t *size_bytes, char error[CASE_ERROR_BYTES])
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        snprintf(error, CASE_ERROR_BYTES, "%.120s: %s", path, strerror(errno));
        return NULL;
    }
    char *text = checked(malloc(CASE_MAX_FILE_BYTES));
    *size_bytes = fread(text, 1, CASE_MAX_FILE_BYTES, file);
    bool bad = ferror(file) != 0;
    bool too_long = *size_bytes == CASE_MAX_FILE_BYTES;
    fclose(file);
    if (bad || too_long) {
        snprintf(error, CASE_ERROR_BYTES, "%.120s: %s", path, bad ? "cannot be read" : "too long");
        free(text);
        return NULL;
    }
    return text;
}

static struct case_section *add_section(struct case_file *file, struct case_span head, int line)
{
    struct case_section *section =
        case_grow((void **)&file->sections, &file->section_count, sizeof(*section));
    struct case_span word = head;
    while (word.start < word.end && !blank(*word.start))
        word.start++;
    struct case_span argument = case_trim((struct case_span){word.start, head.end});
    section->keyword = case_copy((struct case_span){head.start, word.start});
    section->argument = case_copy(argument);
    section->line = line;
    return section;
}

bool case_file_parse(struct case_file *file, const char *text, size_t size_bytes)
{
    memset(file, 0, sizeof(*file));
    struct case_span rest = {text, text + size_bytes}, line;
    struct case_section *section = NULL;
    const char *body = text;
    int number = 0;
    if (memchr(text, '\0', size_bytes)) {
        snprintf(file->error, sizeof(file->error), "a NUL byte in the file");
        return false;
    }
    while (case_next_line(&rest, &line)) {
        number++;
        if (case_starts(line, section_mark)) {
            struct case_span before = {body, line.start};
            *(section ? &section->text : &file->comment) = case_copy(before);
            struct case_span head = case_trim((struct case_span){line.start + 3, line.end});
            section = add_section(file, head, number + 1);
            body = rest.start;
            if (head.start == head.end) {
                snprintf(file->error, sizeof(file->error), "line %d: no keyword after ===", number);
                return false;
            }
        } else if (!section && line.start < line.end && *line.start != '#' &&
                   case_trim(line).start < line.end) {
            snprintf(file->error, sizeof(file->error), "line %d: text before the first section",
                     number);
            return false;
        }
    }
    *(section ? &section->text : &file->comment) =
        case_copy((struct case_span){body, text + size_bytes});
    if (!section)
        snprintf(file->error, sizeof(file->error), "no section");
    return section != NULL;
}

bool case_file_load(struct case_file *file, const char *path)
{
    size_t size_bytes;
    memset(file, 0, sizeof(*file));
    char *text = case_read_file(path, &size_bytes, file->error);
    bool good = text && case_file_parse(file, text, size_bytes);
    free(text);
    return good;
}

void case_file_fini(struct case_file *file)
{
    for (int i = 0; i < file->section_count; i++) {
        free(file->sections[i].keyword);
        free(file->sections[i].argument);
        free(file->sections[i].text);
    }
    free(file->sections);
    free(file->comment);
    file->sections = NULL;
    file->comment = NULL;
    file->section_count = 0;
}

const struct case_section *case_section_find(const struct case_file *file, const char *keyword,
                                             const char *argument, const struct case_section *after)
{
    const struct case_section *section = after ? after + 1 : file->sections;
    const struct case_section *end = file->sections + file->section_count;
    for (; section < end; section++)
        if (strcmp(section->keyword, keyword) == 0 &&
            (!argument || strcmp(section->argument, argument) == 0))
            return section;
    return NULL;
}
