/* regexp.c - see regexp.h.
 *
 * Java's syntax and PCRE2's agree on nearly everything that is used; what differs is set here: \w
 * and \d are ASCII (no UCP), a line ends as in Java (any Unicode line end), and Java's \p{Alpha}
 * and its like become POSIX classes. Every match has limits on steps, depth and heap, so that no
 * row can hang a job; the JIT keeps to the limit on steps and falls back to the interpreter when
 * its stack is full.
 */
#include "function/regexp.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/must.h"

#define MATCH_STEPS_MAX 5000000
#define MATCH_DEPTH_MAX 100000
#define MATCH_HEAP_KB   16384
#define PATTERN_BYTES   65536

struct regexp {
    pcre2_code *code;
    pcre2_match_context *limits;
    uint32_t group_count;
};

static void *allocate(size_t size, void *unused)
{
    return mem_alloc(size);
}

static void release(void *block, void *unused)
{
    mem_free(block);
}

static pcre2_general_context *memory_context(void)
{
    return pcre2_general_context_create(allocate, release, NULL);
}

/* Java's names of ASCII classes. */
static const struct {
    const char *java, *posix;
} classes[] = {
    {"{Alpha}", "[:alpha:]"}, {"{Digit}", "[:digit:]"}, {"{Alnum}", "[:alnum:]"},
    {"{Punct}", "[:punct:]"}, {"{Upper}", "[:upper:]"}, {"{Lower}", "[:lower:]"},
    {"{Space}", "[:space:]"}, {"{Blank}", "[:blank:]"}, {"{Cntrl}", "[:cntrl:]"},
    {"{Graph}", "[:graph:]"}, {"{Print}", "[:print:]"}, {"{XDigit}", "[:xdigit:]"},
    {"{ASCII}", "[:ascii:]"},
};

/* The pattern with \p{Alpha} as [[:alpha:]], or [:alpha:] inside a class; \P negates. */
static void translate(struct buf *out, struct str pattern)
{
    unsigned in_class = 0;
    for (size_t at = 0; at < pattern.length; at++) {
        char byte = pattern.data[at];
        if (byte == '\\' && at + 1 < pattern.length) {
            char next = pattern.data[at + 1];
            struct str rest = {pattern.data + at + 2, pattern.length - at - 2};
            size_t i = 0;
            bool property = next == 'p' || next == 'P';
            while (i < COUNT_OF(classes) &&
                   !(property && str_starts(rest, str_of(classes[i].java))))
                i++;
            if (i == COUNT_OF(classes)) {
                buf_append(out, pattern.data + at, 2);
                at++;
                continue;
            }
            const char *posix = classes[i].posix;
            buf_append_text(out, in_class ? "" : "[");
            buf_append_text(out, next == 'P' ? "[:^" : "[:");
            buf_append_text(out, posix + 2);
            buf_append_text(out, in_class ? "" : "]");
            at += 1 + strlen(classes[i].java);
            continue;
        }
        if (byte == '[')
            in_class++;
        else if (byte == ']' && in_class > 0)
            in_class--;
        buf_append_byte(out, (uint8_t)byte);
    }
}

static enum status make_limits(struct regexp *regexp, pcre2_general_context *memory)
{
    regexp->limits = pcre2_match_context_create(memory);
    if (!regexp->limits)
        return ERR_MEMORY;
    pcre2_set_match_limit(regexp->limits, MATCH_STEPS_MAX);
    pcre2_set_depth_limit(regexp->limits, MATCH_DEPTH_MAX);
    pcre2_set_heap_limit(regexp->limits, MATCH_HEAP_KB);
    return OK;
}

struct regexp *regexp_compile(struct str pattern, bool *memory_failed, char *reason)
{
    int code = 0;
    PCRE2_SIZE offset = 0;
    struct buf text;
    buf_init(&text, PATTERN_BYTES);
    pcre2_general_context *memory = memory_context();
    pcre2_compile_context *context = memory ? pcre2_compile_context_create(memory) : NULL;
    struct regexp *regexp = context ? mem_calloc(1, sizeof *regexp) : NULL;
    *memory_failed = true;
    if (!regexp)
        goto out;
    translate(&text, pattern);
    pcre2_set_newline(context, PCRE2_NEWLINE_ANY);
    pcre2_set_max_pattern_length(context, PATTERN_BYTES);
    *memory_failed = text.failed && text.length < PATTERN_BYTES / 2;
    if (!text.failed)
        regexp->code = pcre2_compile((PCRE2_SPTR)buf_text(&text), text.length,
                                     PCRE2_UTF | PCRE2_NO_UTF_CHECK, &code, &offset, context);
    if (!regexp->code) {
        if (text.failed)
            code = PCRE2_ERROR_PATTERN_STRING_TOO_LONG;
        if (reason && pcre2_get_error_message(code, (PCRE2_UCHAR *)reason, REGEXP_REASON_MAX) < 0)
            reason[0] = 0;
        goto out;
    }
    pcre2_jit_compile(regexp->code, PCRE2_JIT_COMPLETE); /* without JIT: the interpreter */
    pcre2_pattern_info(regexp->code, PCRE2_INFO_CAPTURECOUNT, &regexp->group_count);
    if (make_limits(regexp, memory) != OK)
        *memory_failed = true;
out:
    if (regexp && (!regexp->code || !regexp->limits)) {
        regexp_free(regexp);
        regexp = NULL;
    }
    pcre2_compile_context_free(context);
    pcre2_general_context_free(memory);
    buf_fini(&text);
    return regexp;
}

void regexp_free(struct regexp *regexp)
{
    if (!regexp)
        return;
    pcre2_match_context_free(regexp->limits);
    pcre2_code_free(regexp->code);
    mem_free(regexp);
}

unsigned regexp_group_count(const struct regexp *regexp)
{
    return regexp->group_count;
}

void matcher_init(struct regexp_matcher *matcher, const struct regexp *constant)
{
    memset(matcher, 0, sizeof *matcher);
    matcher->regexp = constant;
}

static void drop_own(struct regexp_matcher *matcher)
{
    regexp_free(matcher->own);
    mem_free(matcher->own_text);
    matcher->own = NULL;
    matcher->own_text = NULL;
}

void matcher_fini(struct regexp_matcher *matcher)
{
    drop_own(matcher);
    pcre2_match_data_free(matcher->match_data);
}

void matcher_use(struct regexp_matcher *matcher, struct str pattern)
{
    struct str last = {matcher->own_text, matcher->own_length};
    if (matcher->own_text && str_eq(last, pattern))
        return;
    drop_own(matcher);
    pcre2_match_data_free(matcher->match_data);
    matcher->match_data = NULL;
    matcher->own_text = mem_alloc(pattern.length);
    bool memory_failed = !matcher->own_text;
    if (matcher->own_text) {
        if (pattern.length)
            memcpy(matcher->own_text, pattern.data, pattern.length);
        matcher->own_length = pattern.length;
        matcher->own = regexp_compile(pattern, &memory_failed, NULL);
    }
    matcher->no_memory |= memory_failed && !matcher->own;
    matcher->regexp = matcher->own;
}

enum match_result matcher_find(struct regexp_matcher *matcher, struct str text, size_t from)
{
    const struct regexp *regexp = matcher->regexp;
    if (!matcher->match_data)
        matcher->match_data = pcre2_match_data_create_from_pattern(regexp->code, NULL);
    if (!matcher->match_data) {
        matcher->no_memory = true;
        return MATCH_NO;
    }
    PCRE2_SPTR subject = (PCRE2_SPTR)(text.data ? text.data : "");
    int found = pcre2_match(regexp->code, subject, text.length, from, PCRE2_NO_UTF_CHECK,
                            matcher->match_data, regexp->limits);
    if (found == PCRE2_ERROR_JIT_STACKLIMIT)
        found = pcre2_match(regexp->code, subject, text.length, from,
                            PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, matcher->match_data, regexp->limits);
    if (found >= 0)
        return MATCH_YES;
    if (found == PCRE2_ERROR_NOMEMORY)
        matcher->no_memory = true;
    return found == PCRE2_ERROR_NOMATCH ? MATCH_NO : MATCH_LIMIT;
}

bool matcher_group(const struct regexp_matcher *matcher, unsigned group, size_t *start, size_t *end)
{
    if (group >= pcre2_get_ovector_count(matcher->match_data))
        return false;
    const PCRE2_SIZE *offsets = pcre2_get_ovector_pointer(matcher->match_data);
    *start = offsets[2 * group];
    *end = offsets[2 * group + 1];
    return *start != PCRE2_UNSET && *start <= *end;
}
