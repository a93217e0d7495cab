/* What triples cannot show of scalar functions: kernels over columns with a selection, patterns
 * from columns, shared string bytes, failing memory; and the table as a whole. */
#include "function/function.h"

#include "../check.h"

#define ROWS 5

/* One bound call over columns; arguments are columns unless a constant is given. */
struct bench {
    struct arena arena;
    struct zone *zone;
    struct function_session session;
    struct function_bind bind;
    struct datum constants[4];
    struct vec *args[4];
    struct vec *out;
    struct row_errors errors;
    struct eval_context context;
    struct error err;
};

static void bench_begin(struct bench *bench)
{
    memset(bench, 0, sizeof *bench);
    arena_init(&bench->arena, NULL, 1 << 20);
    if (zone_from_offset(&bench->zone, 0, NULL) != OK)
        abort();
    bench->session.zone = bench->context.zone = bench->zone;
    bench->bind.arena = &bench->arena;
    bench->bind.session = &bench->session;
}

static void bench_end(struct bench *bench)
{
    if (bench->bind.release_state)
        bench->bind.release_state(bench->bind.state);
    for (int i = 0; i < 4; i++)
        vec_unref(bench->args[i]);
    vec_unref(bench->out);
    zone_free(bench->zone);
    arena_fini(&bench->arena);
}

static void add_column(struct bench *bench, const struct type *type, struct vec *vec)
{
    bench->args[bench->bind.arg_count] = vec;
    bench->bind.arg_types[bench->bind.arg_count++] = type;
}

/* NULL texts are NULL values. */
static void add_texts(struct bench *bench, const char *const *texts)
{
    struct vec *vec;
    if (vec_new(&vec, &TYPE_OF_STRING, ROWS, NULL, NULL) != OK)
        abort();
    memset(vec->values, 0, ROWS * sizeof(struct view));
    for (uint32_t row = 0; row < ROWS; row++) {
        const char *text = texts[row] ? texts[row] : "";
        if (vec_set_text(vec, row, text, strlen(text), NULL) != OK)
            abort();
        if (!texts[row] && vec_make_validity(vec, NULL) == OK)
            vec_clear_valid(vec, row);
    }
    vec->length = ROWS;
    add_column(bench, &TYPE_OF_STRING, vec);
}

static void add_constant(struct bench *bench, const char *text)
{
    uint32_t i = bench->bind.arg_count;
    struct datum *datum = &bench->constants[i];
    datum->type = type_text(&bench->arena, TYPE_CHAR, (int32_t)strlen(text), false);
    datum->text = str_of(text);
    if (datum_to_vec(&bench->args[i], datum, ROWS, NULL) != OK)
        abort();
    bench->bind.arg_constants[i] = datum;
    bench->bind.arg_types[bench->bind.arg_count++] = datum->type;
}

static enum status bench_bind(struct bench *bench, const char *name)
{
    const struct function_def *def = function_find(str_of(name), NULL);
    enum status status =
        def ? def->bind(&bench->bind, &bench->err) : error_set(&bench->err, ERR_NAME, "%s", name);
    if (status == OK)
        status = vec_new(&bench->out, bench->bind.result, ROWS, NULL, &bench->err);
    if (status == OK) {
        bench->out->length = ROWS;
        memset(bench->out->values, 0, ROWS * physical_size_bytes(type_physical(bench->out->type)));
    }
    return status;
}

static enum status bench_run(struct bench *bench, const uint16_t *selection, uint32_t count)
{
    struct function_call call = {
        .state = bench->bind.state,
        .args = (const struct vec *const *)bench->args,
        .arg_count = bench->bind.arg_count,
        .selection = selection,
        .count = count,
        .out = bench->out,
        .errors = &bench->errors,
        .context = &bench->context,
    };
    bench->bind.kernel(&call);
    return call.status;
}

static const char *text_at(const struct bench *bench, uint32_t row)
{
    static char texts[4][400];
    static int next;
    char *text = texts[next++ % 4];
    if (!vec_is_valid(bench->out, row))
        return "NULL";
    struct str value = view_str((const struct view *)bench->out->values + row);
    memcpy(text, value.data, value.length);
    text[value.length] = 0;
    return text;
}

TEST(every_function_has_its_texts_and_is_found)
{
    size_t count;
    const struct function_def *const *table = function_table(&count);
    CHECK(count > 100);
    for (size_t i = 0; i < count; i++) {
        const struct function_def *def = table[i];
        if (!def->signature || !strstr(def->signature, def->name) || !def->help ||
            strlen(def->help) < 5 || !def->family || def->min_args > def->max_args)
            CHECK_FAIL("%s: signature, help or family", def->name);
        if (i > 0 && strcmp(table[i - 1]->name, def->name) >= 0)
            CHECK_FAIL("%s is not in order", def->name);
        CHECK(function_find(str_of(def->name), NULL) == def);
    }
    bool known = true;
    CHECK(function_find(STR("upper"), NULL) == function_find(STR("UPPER"), NULL));
    CHECK(function_find(STR("no_such"), &known) == NULL && !known);
    CHECK(function_find(STR("json_value"), &known) == NULL && known);
}

/* No bind may crash on any types, and a refusal says what is wrong. */
TEST(every_function_binds_or_refuses_any_types)
{
    static const struct type *const types[] = {
        &TYPE_OF_NULL,
        &TYPE_OF_BOOLEAN,
        &TYPE_OF_INT,
        &TYPE_OF_DOUBLE,
        &TYPE_OF_STRING,
        &TYPE_OF_BYTES,
        &TYPE_OF_DATE,
        &TYPE_OF_TIME,
        &TYPE_OF_TIMESTAMP_3,
        &TYPE_OF_BIGINT,
        &TYPE_OF_TIMESTAMP_LTZ_3,
        &TYPE_OF_INTERVAL_DAY_TIME,
    };
    const size_t type_count = sizeof types / sizeof *types;
    size_t count;
    const struct function_def *const *table = function_table(&count);
    for (size_t i = 0; i < count; i++)
        for (uint32_t args = table[i]->min_args; args <= table[i]->max_args && args <= 4; args++)
            for (size_t pick = 0; pick < 400; pick++) {
                struct bench bench;
                bench_begin(&bench);
                size_t rest = pick * 2654435761u >> 3;
                for (uint32_t arg = 0; arg < args; arg++, rest /= type_count)
                    bench.bind.arg_types[arg] = types[rest % type_count];
                bench.bind.arg_count = args;
                enum status status = table[i]->bind(&bench.bind, &bench.err);
                if (status == OK ? !bench.bind.result || !bench.bind.kernel : !bench.err.text[0])
                    CHECK_FAIL("%s: no result or no text", table[i]->name);
                bench_end(&bench);
            }
}

TEST(only_selected_rows_are_written)
{
    static const char *const texts[ROWS] = {"one", "two", "three", "a text of many bytes", "five"};
    static const uint16_t selection[] = {1, 3};
    struct bench bench;
    bench_begin(&bench);
    add_texts(&bench, texts);
    CHECK_INT(bench_bind(&bench, "UPPER"), OK);
    CHECK_INT(bench_run(&bench, selection, 2), OK);
    CHECK_STR(text_at(&bench, 0), "");
    CHECK_STR(text_at(&bench, 1), "TWO");
    CHECK_STR(text_at(&bench, 2), "");
    CHECK_STR(text_at(&bench, 3), "A TEXT OF MANY BYTES");
    vec_verify(bench.out);
    bench_end(&bench);
}

TEST(parts_share_the_bytes_and_outlive_the_argument)
{
    static const char *const texts[ROWS] = {"a long text, 1", "a long text, 2", "short", "",
                                            "a long text, 5"};
    struct bench bench;
    bench_begin(&bench);
    add_texts(&bench, texts);
    add_constant(&bench, " ,");
    CHECK_INT(bench_bind(&bench, "LTRIM"), OK);
    CHECK_INT(bench_run(&bench, NULL, ROWS), OK);
    vec_unref(bench.args[0]);
    bench.args[0] = NULL;
    CHECK_STR(text_at(&bench, 0), "a long text, 1");
    CHECK_STR(text_at(&bench, 2), "short");
    CHECK_STR(text_at(&bench, 4), "a long text, 5");
    vec_verify(bench.out);
    bench_end(&bench);
}

TEST(patterns_from_a_column)
{
    static const char *const texts[ROWS] = {"abc", "abc", "xyz", "abc", "abc"};
    static const char *const likes[ROWS] = {"a%", "b%", "%z", "a\\%", "_b_"};
    static const char *const regexes[ROWS] = {"b(c)", "b(c)", "(", "(", "^(.)"};
    struct bench bench;
    bench_begin(&bench);
    add_texts(&bench, texts);
    add_texts(&bench, likes);
    CHECK_INT(bench_bind(&bench, "LIKE"), OK);
    CHECK_INT(bench_run(&bench, NULL, ROWS), OK);
    const uint8_t *out = bench.out->values;
    CHECK(out[0] == 1 && out[1] == 0 && out[2] == 1 && out[3] == 0 && out[4] == 1);
    bench_end(&bench);

    bench_begin(&bench);
    add_texts(&bench, texts);
    add_texts(&bench, regexes);
    CHECK_INT(bench_bind(&bench, "REGEXP_EXTRACT"), OK);
    CHECK_INT(bench_run(&bench, NULL, ROWS), OK);
    CHECK_STR(text_at(&bench, 0), "bc");
    CHECK_STR(text_at(&bench, 1), "bc");
    CHECK_STR(text_at(&bench, 2), "NULL");
    CHECK_STR(text_at(&bench, 3), "NULL");
    CHECK_STR(text_at(&bench, 4), "a");
    bench_end(&bench);

    static const char *const stamps[ROWS] = {"2020-10-21 10:59:10", "2020-10-21 10:59:10",
                                             "2020-10-21 10:59:10", "x", "2020-10-21 10:59:10"};
    static const char *const patterns[ROWS] = {"yyyy", "yyyy", "VV", "HH", "HH:mm"};
    bench_begin(&bench);
    add_texts(&bench, stamps);
    add_texts(&bench, patterns);
    CHECK_INT(bench_bind(&bench, "DATE_FORMAT"), OK);
    CHECK_INT(bench_run(&bench, NULL, ROWS), OK);
    CHECK_STR(text_at(&bench, 0), "2020");
    CHECK_STR(text_at(&bench, 1), "2020");
    CHECK_STR(text_at(&bench, 2), "NULL");
    CHECK_STR(text_at(&bench, 3), "NULL");
    CHECK_STR(text_at(&bench, 4), "10:59");
    const struct row_error *error = row_errors_first(&bench.errors, NULL, ROWS);
    CHECK(error && error->row == 2 && error->code == ERR_UNSUPPORTED);
    CHECK(strstr(error->text, "'V'") != NULL);
    bench_end(&bench);
}

TEST(concat_ws_looks_at_each_row)
{
    static const char *const a[ROWS] = {"a", NULL, "a", NULL, "a text of many bytes"};
    static const char *const b[ROWS] = {"b", "b", NULL, NULL, "b"};
    struct bench bench;
    bench_begin(&bench);
    add_constant(&bench, ", ");
    add_texts(&bench, a);
    add_texts(&bench, b);
    CHECK_INT(bench_bind(&bench, "CONCAT_WS"), OK);
    CHECK_INT(bench_run(&bench, NULL, ROWS), OK);
    CHECK_STR(text_at(&bench, 0), "a, b");
    CHECK_STR(text_at(&bench, 1), "b");
    CHECK_STR(text_at(&bench, 2), "a");
    CHECK_STR(text_at(&bench, 3), "");
    CHECK_STR(text_at(&bench, 4), "a text of many bytes, b");
    bench_end(&bench);
}

TEST(a_bound_pattern_is_used_again)
{
    static const char *const texts[ROWS] = {"order 17", "order 4", "none", "", "order 99"};
    struct bench bench;
    bench_begin(&bench);
    add_texts(&bench, texts);
    add_constant(&bench, "order ([0-9]+)");
    CHECK_INT(bench_bind(&bench, "REGEXP_SUBSTR"), OK);
    for (int turn = 0; turn < 100; turn++)
        CHECK_INT(bench_run(&bench, NULL, ROWS), OK);
    CHECK_STR(text_at(&bench, 4), "order 99");
    bench_end(&bench);
}

/* The Nth allocation fails, N = 1, 2, 3 ...: a status, never a crash, and then the right result. */
TEST(no_memory_is_a_status)
{
    static const char *const texts[ROWS] = {"a long text, 1", "a long text, 2", "short", "",
                                            "a long text, 5"};
    static const char *const names[] = {"UPPER",          "REVERSE",      "CONCAT",    "REPLACE",
                                        "REGEXP_REPLACE", "REGEXP_COUNT", "TO_BASE64", "LPAD"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        enum status status = ERR_MEMORY;
        for (uint64_t countdown = 1; status != OK; countdown++) {
            struct bench bench;
            bench_begin(&bench);
            add_texts(&bench, texts);
            const struct function_def *def = function_find(str_of(names[i]), NULL);
            for (int arg = 1; arg < def->min_args; arg++)
                add_texts(&bench, texts);
            if (strcmp(names[i], "LPAD") == 0) {
                vec_unref(bench.args[1]);
                bench.bind.arg_types[1] = &TYPE_OF_BIGINT;
                if (vec_new(&bench.args[1], &TYPE_OF_BIGINT, ROWS, NULL, NULL) != OK)
                    abort();
                for (int row = 0; row < ROWS; row++)
                    ((int64_t *)bench.args[1]->values)[row] = 20 + row;
                bench.args[1]->length = ROWS;
            }
            mem_fail_after(countdown);
            status = bench_bind(&bench, names[i]);
            if (status == OK)
                status = bench_run(&bench, NULL, ROWS);
            mem_fail_after(0);
            CHECK(status == OK || status == ERR_MEMORY);
            CHECK(countdown < 200);
            bench_end(&bench);
        }
    }
}
