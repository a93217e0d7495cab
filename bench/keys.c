/* keys.c - nanoseconds a row of key_encode (encoding and hash) for typical keys, 2,048 rows in the
 * cache, beside a plain loop that only hashes the same bytes. */
#include <sched.h>
#include <stdio.h>
#include <time.h>

#include "base/hash.h"
#include "base/must.h"
#include "data/key.h"

#define ROWS   BATCH_ROWS_MAX
#define ROUNDS 5000

static struct error err;
static struct key_batch keys;

static double cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static struct batch *make_batch(bool nullable)
{
    static const char *const names[] = {"Visa", "MasterCard", "a name longer than twelve bytes"};
    static const struct type *types[] = {&TYPE_OF_BIGINT, &TYPE_OF_STRING, &TYPE_OF_INT};
    struct vec *columns[3];
    struct batch *batch = NULL;
    for (int c = 0; c < 3; c++) {
        must(vec_new(&columns[c], types[c], ROWS, NULL, &err) == OK);
        columns[c]->length = ROWS;
        if (nullable)
            must(vec_make_validity(columns[c], &err) == OK);
    }
    for (uint32_t i = 0; i < ROWS; i++) {
        const char *name = names[i % 3];
        ((int64_t *)columns[0]->values)[i] = i * INT64_C(7919);
        ((int32_t *)columns[2]->values)[i] = (int32_t)i;
        must(vec_set_text(columns[1], i, name, strlen(name), &err) == OK);
    }
    must(batch_new(&batch, columns, 3, ROWS, &err) == OK);
    return batch;
}

static void measure(const char *what, const struct batch *batch, const uint32_t *columns,
                    uint32_t count)
{
    double start = cpu_ns();
    for (uint32_t i = 0; i < ROUNDS; i++)
        must(key_encode(&keys, batch, columns, count, &err) == OK);
    double ours = (cpu_ns() - start) / ROUNDS / ROWS;
    uint64_t sum = 0;
    start = cpu_ns();
    for (uint32_t i = 0; i < ROUNDS; i++)
        for (uint32_t k = 0; k < keys.count; k++)
            sum += hash_bytes(keys.bytes.data + keys.offsets[k],
                              keys.offsets[k + 1] - keys.offsets[k]);
    double hashing = (cpu_ns() - start) / ROUNDS / ROWS;
    printf("%-28s %6.2f ns/row   hashing alone %6.2f%s\n", what, ours, hashing, sum ? "" : " ");
}

int main(void)
{
    static const uint32_t bigint[] = {0}, text[] = {1}, both[] = {1, 2};
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    sched_setaffinity(0, sizeof(one), &one);
    key_batch_init(&keys, 1 << 20);
    for (int nullable = 0; nullable < 2; nullable++) {
        struct batch *batch = make_batch(nullable);
        printf("%s\n", nullable ? "with validity bitmaps" : "without NULL");
        measure("BIGINT", batch, bigint, 1);
        measure("STRING", batch, text, 1);
        measure("STRING, INT", batch, both, 2);
        batch_unref(batch);
    }
    key_batch_fini(&keys);
    return 0;
}
