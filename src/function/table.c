/* table.c - all scalar functions as one table sorted by name, made once on first use. */
#include <pthread.h>
#include <stdlib.h>

#include "base/must.h"
#include "function/families.h"

#define FUNCTIONS_MAX 512

static const struct function_def *table[FUNCTIONS_MAX];
static size_t table_count;
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static int compare_defs(const void *a, const void *b)
{
    return strcmp((*(const struct function_def *const *)a)->name,
                  (*(const struct function_def *const *)b)->name);
}

static void add_family(const struct function_def *defs, size_t count)
{
    must(table_count + count <= FUNCTIONS_MAX);
    for (size_t i = 0; i < count; i++)
        table[table_count++] = &defs[i];
}

static void make_table(void)
{
#define X(family) add_family(FUNCTIONS_##family, FUNCTIONS_##family##_COUNT);
    FUNCTION_FAMILIES(X)
#undef X
    qsort(table, table_count, sizeof(table[0]), compare_defs);
    for (size_t i = 1; i < table_count; i++)
        must(strcmp(table[i - 1]->name, table[i]->name) != 0);
}

const struct function_def *const *function_table(size_t *count)
{
    must(pthread_once(&table_once, make_table) == 0);
    *count = table_count;
    return table;
}

/* ASCII case-insensitive order of a name against an upper-case entry. */
static int compare_name(struct str name, const char *entry)
{
    for (size_t i = 0; i < name.length; i++) {
        unsigned char c = (unsigned char)name.data[i], e = (unsigned char)entry[i];
        if (c >= 'a' && c <= 'z')
            c = (unsigned char)(c - 'a' + 'A');
        if (c != e)
            return c < e ? -1 : 1;
    }
    return entry[name.length] ? -1 : 0;
}

static bool flink_has(struct str name)
{
    size_t low = 0, high = FLINK_FUNCTION_NAME_COUNT;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = compare_name(name, FLINK_FUNCTION_NAMES[middle]);
        if (order == 0)
            return true;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

const struct function_def *function_find(struct str name, bool *known_to_flink)
{
    size_t count, low = 0;
    const struct function_def *const *all = function_table(&count);
    if (known_to_flink)
        *known_to_flink = true;
    while (low < count) {
        size_t middle = (low + count) / 2;
        int order = compare_name(name, all[middle]->name);
        if (order == 0)
            return all[middle];
        if (order < 0)
            count = middle;
        else
            low = middle + 1;
    }
    if (known_to_flink)
        *known_to_flink = flink_has(name);
    return NULL;
}
