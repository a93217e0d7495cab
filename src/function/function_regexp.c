/* function_regexp.c - REGEXP and its family, and SIMILAR TO.
 *
 * A constant pattern is compiled when binding; a constant pattern that does not compile is Flink's
 * result for it in every row: FALSE for REGEXP, NULL for the others. A row whose match goes past
 * the limits (regexp.c) fails with ERR_LIMIT.
 */
#include "data/utf8.h"
#include "function/families.h"
#include "function/regexp.h"

/* What a kernel's rows share: for each row the pattern is chosen, then matched. */
static void matcher_begin(struct regexp_matcher *matcher, struct function_call *call)
{
    matcher_init(matcher, call->state);
}

static void matcher_end(struct regexp_matcher *matcher, struct function_call *call)
{
    if (matcher->no_memory)
        call->status = ERR_MEMORY;
    matcher_fini(matcher);
}

/* The pattern is argument 1. False: it does not compile, and so there is no match. */
static bool choose(struct regexp_matcher *matcher, struct function_call *call, uint32_t row)
{
    if (!call->state)
        matcher_use(matcher, arg_str(call->args[1], row));
    return matcher->regexp != NULL;
}

/* True: found. A match past the limits fails the row; *failed says so. */
static bool find(struct regexp_matcher *matcher, struct function_call *call, uint32_t row,
                 struct str text, size_t from, bool *failed)
{
    enum match_result result = matcher_find(matcher, text, from);
    *failed = result == MATCH_LIMIT;
    if (*failed)
        call_fail(call, row, ERR_LIMIT, "the regular expression needs too many steps on this text");
    return result == MATCH_YES;
}

static void free_state(const void *state)
{
    regexp_free((struct regexp *)(uintptr_t)state);
}

/* Compiles a constant pattern; `broken` is the kernel that stands for one that does not compile. */
static enum status bind_pattern(struct function_bind *bind, function_kernel kernel,
                                function_kernel broken, struct error *err)
{
    struct str pattern;
    bind->kernel = kernel;
    if (!bind_constant_text(bind, 1, &pattern))
        return OK;
    bool memory_failed;
    struct regexp *regexp = regexp_compile(pattern, &memory_failed, NULL);
    if (!regexp && memory_failed)
        return error_memory(err, "a regular expression", pattern.length);
    if (regexp) {
        bind->state = regexp;
        bind->release_state = free_state;
    } else {
        bind->kernel = broken;
    }
    return OK;
}

static void run_null(struct function_call *call)
{
    CALL_ROWS(call, row)
    call_set_null(call, row);
}

static void run_false(struct function_call *call)
{
    uint8_t *out = call->out->values;
    CALL_ROWS(call, row)
    out[row] = 0;
}

/* ---- REGEXP ---- */

static void run_regexp(struct function_call *call)
{
    struct regexp_matcher matcher;
    matcher_begin(&matcher, call);
    uint8_t *out = call->out->values;
    CALL_ROWS(call, row)
    {
        bool failed = false;
        out[row] = arg_view(call->args[1], row)->length > 0 && choose(&matcher, call, row) &&
                   find(&matcher, call, row, arg_str(call->args[0], row), 0, &failed);
    }
    matcher_end(&matcher, call);
}

static enum status bind_regexp(struct function_bind *bind, struct error *err)
{
    TRY(bind_args(bind, "REGEXP", "s", "a text and a regular expression", err));
    TRY(bind_result(bind, &TYPE_OF_BOOLEAN, false, run_regexp, err));
    return bind_pattern(bind, run_regexp, run_false, err);
}

/* ---- REGEXP_EXTRACT, REGEXP_SUBSTR ---- */

static void run_extract(struct function_call *call)
{
    struct regexp_matcher matcher;
    matcher_begin(&matcher, call);
    const struct vec *texts = call->args[0];
    CALL_ROWS(call, row)
    {
        struct str text = arg_str(texts, row);
        int64_t group = call->arg_count == 3 ? arg_i64(call->args[2], row) : 0;
        size_t start, end;
        bool failed = false;
        bool found = choose(&matcher, call, row) && group >= 0 &&
                     group <= regexp_group_count(matcher.regexp) &&
                     find(&matcher, call, row, text, 0, &failed) &&
                     matcher_group(&matcher, (unsigned)group, &start, &end);
        if (failed)
            continue;
        if (!found)
            call_set_null(call, row);
        else if (!call_share_text(call, row, texts, text.data + start, end - start))
            break;
    }
    matcher_end(&matcher, call);
}

static enum status bind_extract(struct function_bind *bind, struct error *err)
{
    TRY(bind_args(bind, "REGEXP_EXTRACT", "ssi",
                  "a text, a regular expression and the number of a group", err));
    TRY(bind_result(bind, &TYPE_OF_STRING, true, run_extract, err));
    return bind_pattern(bind, run_extract, run_null, err);
}

static enum status bind_substr(struct function_bind *bind, struct error *err)
{
    TRY(bind_args(bind, "REGEXP_SUBSTR", "s", "a text and a regular expression", err));
    TRY(bind_result(bind, &TYPE_OF_STRING, true, run_extract, err));
    return bind_pattern(bind, run_extract, run_null, err);
}

/* ---- REGEXP_COUNT, REGEXP_INSTR ---- */

/* Where to search on after a match; an empty one is followed by the next character. */
static size_t next_start(struct str text, size_t start, size_t end)
{
    if (end > start || end >= text.length)
        return end > start ? end : text.length + 1;
    return end + utf8_offset(text.data + end, text.length - end, 1);
}

static void run_count(struct function_call *call)
{
    struct regexp_matcher matcher;
    matcher_begin(&matcher, call);
    int32_t *out = call->out->values;
    CALL_ROWS(call, row)
    {
        if (!choose(&matcher, call, row)) {
            call_set_null(call, row);
            continue;
        }
        struct str text = arg_str(call->args[0], row);
        size_t from = 0, start, end;
        int32_t count = 0;
        bool failed = false;
        while (from <= text.length && find(&matcher, call, row, text, from, &failed) &&
               matcher_group(&matcher, 0, &start, &end)) {
            count++;
            from = next_start(text, start, end);
        }
        out[row] = count;
    }
    matcher_end(&matcher, call);
}

static enum status bind_count(struct function_bind *bind, struct error *err)
{
    TRY(bind_args(bind, "REGEXP_COUNT", "s", "a text and a regular expression", err));
    TRY(bind_result(bind, &TYPE_OF_INT, true, run_count, err));
    return bind_pattern(bind, run_count, run_null, err);
}

static void run_instr(struct function_call *call)
{
    struct regexp_matcher matcher;
    matcher_begin(&matcher, call);
    int32_t *out = call->out->values;
    CALL_ROWS(call, row)
    {
        struct str text = arg_str(call->args[0], row);
        size_t start, end;
        bool failed = false;
        if (!choose(&matcher, call, row))
            call_set_null(call, row);
        else if (find(&matcher, call, row, text, 0, &failed) &&
                 matcher_group(&matcher, 0, &start, &end))
            out[row] = (int32_t)utf8_count(text.data, start) + 1;
        else
            out[row] = 0;
    }
    matcher_end(&matcher, call);
}

static enum status bind_instr(struct function_bind *bind, struct error *err)
{
    TRY(bind_args(bind, "REGEXP_INSTR", "s", "a text and a regular expression", err));
    TRY(bind_result(bind, &TYPE_OF_INT, true, run_instr, err));
    return bind_pattern(bind, run_instr, run_null, err);
}

/* ---- REGEXP_REPLACE ---- */

/* The replacement is literal: Flink quotes it. */
static void replace_matches(struct regexp_matcher *matcher, struct function_call *call,
                            uint32_t row, struct buf *out)
{
    struct str text = arg_str(call->args[0], row), put = arg_str(call->args[2], row);
    size_t from = 0, copied = 0, start, end;
    bool failed = false;
    buf_clear(out);
    while (from <= text.length && find(matcher, call, row, text, from, &failed) &&
           matcher_group(matcher, 0, &start, &end)) {
        buf_append(out, text.data + copied, start - copied);
        buf_append(out, put.data, put.length);
        copied = end;
        from = next_start(text, start, end);
    }
    if (failed)
        return;
    buf_append(out, text.data + copied, text.length - copied);
    if (out->failed)
        call_fail(call, row, ERR_LIMIT, "REGEXP_REPLACE gives more than %u bytes",
                  FUNCTION_TEXT_MAX);
    else
        call_set_text(call, row, (const char *)out->data, out->length);
}

static void run_replace(struct function_call *call)
{
    struct regexp_matcher matcher;
    struct buf out;
    matcher_begin(&matcher, call);
    buf_init(&out, FUNCTION_TEXT_MAX);
    CALL_ROWS(call, row)
    {
        if (choose(&matcher, call, row))
            replace_matches(&matcher, call, row, &out);
        else
            call_set_null(call, row);
    }
    buf_fini(&out);
    matcher_end(&matcher, call);
}

static enum status bind_replace(struct function_bind *bind, struct error *err)
{
    TRY(bind_args(bind, "REGEXP_REPLACE", "s", "a text, a regular expression and a text", err));
    TRY(bind_result(bind, &TYPE_OF_STRING, true, run_replace, err));
    return bind_pattern(bind, run_replace, run_null, err);
}

/* ---- SIMILAR TO ---- */

#define SIMILAR_BYTES_MAX 16384

/* One escaped character as itself. */
static void append_literal(struct buf *out, char byte)
{
    if (strchr("\\.[]{}()*+?^$|", byte))
        buf_append_byte(out, '\\');
    buf_append_byte(out, (uint8_t)byte);
}

/* An SQL pattern as a regular expression that must match as a whole: % and _ as in LIKE, | * + ? {}
 * () [] as in regular expressions, . ^ $ \ stand for themselves. False: a wrong escape. */
static bool similar_translate(struct buf *out, struct str pattern, struct str escape)
{
    bool in_class = false;
    buf_append_text(out, "(?s)\\A(?:");
    for (size_t at = 0; at < pattern.length; at++) {
        char byte = pattern.data[at];
        if (escape.length == 1 && byte == escape.data[0]) {
            if (++at == pattern.length ||
                (!strchr("_%|*+?{}()[]-^", pattern.data[at]) && pattern.data[at] != byte))
                return false;
            append_literal(out, pattern.data[at]);
        } else if (in_class) {
            in_class = byte != ']';
            if (byte == '\\')
                buf_append_byte(out, '\\');
            buf_append_byte(out, (uint8_t)byte);
        } else if (byte == '%') {
            buf_append_text(out, ".*");
        } else if (byte == '_') {
            buf_append_byte(out, '.');
        } else if (byte == '.' || byte == '^' || byte == '$' || byte == '\\') {
            append_literal(out, byte);
        } else {
            in_class = byte == '[';
            buf_append_byte(out, (uint8_t)byte);
        }
    }
    buf_append_text(out, ")\\z");
    return !out->failed;
}

static void similar_row(struct regexp_matcher *matcher, struct function_call *call, uint32_t row,
                        struct buf *text)
{
    uint8_t *out = call->out->values;
    if (!call->state) {
        struct str pattern = arg_str(call->args[1], row);
        struct str escape = call->arg_count == 3 ? arg_str(call->args[2], row) : STR("");
        buf_clear(text);
        bool good = similar_translate(text, pattern, escape);
        if (good)
            matcher_use(matcher, (struct str){(const char *)text->data, text->length});
        if (!good || !matcher->regexp) {
            call_fail(call, row, ERR_DATA, "'%.*s' is no pattern for SIMILAR TO",
                      pattern.length > 60 ? 60 : (int)pattern.length, pattern.data);
            return;
        }
    }
    bool failed = false;
    out[row] = find(matcher, call, row, arg_str(call->args[0], row), 0, &failed);
}

static void run_similar(struct function_call *call)
{
    struct regexp_matcher matcher;
    struct buf text;
    matcher_begin(&matcher, call);
    buf_init(&text, SIMILAR_BYTES_MAX);
    CALL_ROWS(call, row)
    similar_row(&matcher, call, row, &text);
    buf_fini(&text);
    matcher_end(&matcher, call);
}

static enum status compile_similar(struct function_bind *bind, struct str pattern,
                                   struct str escape, struct error *err)
{
    struct buf text;
    char reason[REGEXP_REASON_MAX] = "wrong escape";
    bool memory_failed = false;
    struct regexp *regexp = NULL;
    buf_init(&text, SIMILAR_BYTES_MAX);
    if (similar_translate(&text, pattern, escape))
        regexp = regexp_compile((struct str){(const char *)text.data, text.length}, &memory_failed,
                                reason);
    buf_fini(&text);
    if (!regexp && memory_failed)
        return error_memory(err, "a pattern", pattern.length);
    if (!regexp) {
        error_set(err, ERR_DATA, "'%.*s' is no pattern for SIMILAR TO: %s", (int)pattern.length,
                  pattern.data, reason);
        error_at(err, bind->pos);
        return ERR_DATA;
    }
    bind->state = regexp;
    bind->release_state = free_state;
    return OK;
}

static enum status bind_similar(struct function_bind *bind, struct error *err)
{
    TRY(bind_args(bind, "SIMILAR TO", "s", "a text, a pattern and an escape character", err));
    TRY(bind_result(bind, &TYPE_OF_BOOLEAN, false, run_similar, err));
    struct str pattern, escape = {"", 0};
    if (bind_constant_text(bind, 1, &pattern) &&
        (bind->arg_count < 3 || bind_constant_text(bind, 2, &escape)))
        return compile_similar(bind, pattern, escape, err);
    return OK;
}

#define MAY_FAIL (FUNCTION_STRICT | FUNCTION_CAN_FAIL)

const struct function_def FUNCTIONS_REGEXP[] = {
    {"REGEXP", "REGEXP(string, regex)",
     "TRUE when the regular expression is found in the text; FALSE for one that does not compile.",
     "string", MAY_FAIL, 2, 2, bind_regexp},
    {"REGEXP_COUNT", "REGEXP_COUNT(string, regex)",
     "How often the regular expression is found; NULL for one that does not compile.", "string",
     MAY_FAIL, 2, 2, bind_count},
    {"REGEXP_EXTRACT", "REGEXP_EXTRACT(string, regex [, group])",
     "What the group (0, the default: the whole expression) of the first match is; NULL without "
     "one.",
     "string", MAY_FAIL, 2, 3, bind_extract},
    {"REGEXP_INSTR", "REGEXP_INSTR(string, regex)",
     "The position of the first match, 0 when there is none.", "string", MAY_FAIL, 2, 2,
     bind_instr},
    {"REGEXP_REPLACE", "REGEXP_REPLACE(string, regex, other)",
     "The text with every match replaced by other, which is taken literally.", "string", MAY_FAIL,
     3, 3, bind_replace},
    {"REGEXP_SUBSTR", "REGEXP_SUBSTR(string, regex)", "The first match, NULL when there is none.",
     "string", MAY_FAIL, 2, 2, bind_substr},
    {"SIMILAR TO", "string SIMILAR TO pattern [ESCAPE character]",
     "TRUE when the whole text has the form of the SQL regular expression.", "comparison", MAY_FAIL,
     2, 3, bind_similar},
};
const size_t FUNCTIONS_REGEXP_COUNT = sizeof FUNCTIONS_REGEXP / sizeof *FUNCTIONS_REGEXP;
