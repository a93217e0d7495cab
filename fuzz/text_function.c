/* text_function - LIKE against a plain recursive matcher, and the regular expression and Base64
 * functions, over any text and pattern. The input is text, newline, pattern. */
#include <stddef.h>
#include <stdint.h>

#include "data/utf8.h"
#include "function/function.h"

static size_t char_bytes(unsigned char first)
{
    return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* The definition of LIKE; exponential, so inputs are short. */
static bool like(struct str text, struct str pattern)
{
    if (pattern.length == 0)
        return text.length == 0;
    struct str rest = {pattern.data + 1, pattern.length - 1};
    if (pattern.data[0] == '%') {
        for (size_t at = 0;; at += char_bytes((unsigned char)text.data[at])) {
            if (like((struct str){text.data + at, text.length - at}, rest))
                return true;
            if (at >= text.length)
                return false;
        }
    }
    if (text.length == 0)
        return false;
    size_t step = pattern.data[0] == '_' ? char_bytes((unsigned char)text.data[0]) : 1;
    return (pattern.data[0] == '_' || pattern.data[0] == text.data[0]) &&
           like((struct str){text.data + step, text.length - step}, rest);
}

static struct vec *constant(struct arena *arena, struct str text)
{
    struct vec *vec = NULL;
    struct datum datum = {.type = &TYPE_OF_STRING, .text = text};
    if (datum_to_vec(&vec, &datum, 1, NULL) != OK)
        __builtin_trap();
    return vec;
}

static void run(const char *name, struct str a, struct str b, int like_result)
{
    struct arena arena;
    arena_init(&arena, NULL, 1 << 20);
    struct zone *zone = NULL;
    if (zone_from_offset(&zone, 0, NULL) != OK)
        __builtin_trap();
    struct function_session session = {.zone = zone};
    struct datum pattern = {.type = &TYPE_OF_STRING, .text = b};
    const struct function_def *def = function_find(str_of(name), NULL);
    struct function_bind bind = {.arena = &arena, .session = &session, .arg_count = def->min_args};
    for (uint32_t i = 0; i < bind.arg_count; i++)
        bind.arg_types[i] = &TYPE_OF_STRING;
    bind.arg_constants[1] = bind.arg_count > 1 ? &pattern : NULL;
    struct vec *args[3] = {constant(&arena, a), constant(&arena, b), constant(&arena, a)};
    struct vec *out = NULL;
    static struct row_errors errors;
    row_errors_clear(&errors);
    if (def->bind(&bind, NULL) == OK && vec_new(&out, bind.result, 1, NULL, NULL) == OK) {
        struct eval_context context = {.zone = zone};
        memset(out->values, 0, 16);
        out->length = 1;
        struct function_call call = {.state = bind.state,
                                     .args = (const struct vec *const *)args,
                                     .arg_count = bind.arg_count,
                                     .count = 1,
                                     .out = out,
                                     .errors = &errors,
                                     .context = &context};
        bind.kernel(&call);
        if (like_result >= 0 && *(uint8_t *)out->values != like_result)
            __builtin_trap();
        vec_verify(out);
    }
    if (bind.release_state)
        bind.release_state(bind.state);
    for (int i = 0; i < 3; i++)
        vec_unref(args[i]);
    vec_unref(out);
    zone_free(zone);
    arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!utf8_valid((const char *)data, size))
        return 0;
    const uint8_t *cut = size ? memchr(data, '\n', size) : NULL;
    if (!cut)
        return 0;
    struct str text = {(const char *)data, (size_t)(cut - data)};
    struct str pattern = {(const char *)cut + 1, size - text.length - 1};
    if (text.length <= 16 && pattern.length <= 10)
        run("LIKE", text, pattern, like(text, pattern));
    static const char *const names[] = {
        "SIMILAR TO", "REGEXP", "REGEXP_EXTRACT", "REGEXP_REPLACE", "REGEXP_COUNT", "FROM_BASE64",
        "UNHEX",      "UPPER",  "INITCAP",        "REPLACE",        "TRANSLATE"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        run(names[i], text, pattern, -1);
    return 0;
}
