/* check.h - the unit test harness: one program per file, one process and time-out each (meson
 * test).
 *
 * TEST(name) { ... } defines and registers a test; they run in the order of the file. A failed
 * CHECK prints file, line and values, marks the test failed and returns from it. With an argument
 * only tests whose name contains it run. Each program prints TAP; its exit code is 1 when any
 * failed.
 */
#ifndef LEAT_TEST_CHECK_H
#define LEAT_TEST_CHECK_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct check_test {
    const char *name;
    void (*run)(void);
    struct check_test *next;
};
static struct check_test *check_first, **check_last = &check_first;
static bool check_failed;

#define TEST(test_name)                                                                            \
    static void test_name(void);                                                                   \
    __attribute__((constructor)) static void register_##test_name(void)                            \
    {                                                                                              \
        static struct check_test node = {#test_name, test_name, NULL};                             \
        *check_last = &node;                                                                       \
        check_last = &node.next;                                                                   \
    }                                                                                              \
    static void test_name(void)

#define CHECK_FAIL(...)                                                                            \
    do {                                                                                           \
        check_failed = true;                                                                       \
        printf("# %s:%d: ", __FILE__, __LINE__);                                                   \
        printf(__VA_ARGS__);                                                                       \
        printf("\n");                                                                              \
        return;                                                                                    \
    } while (0)

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond))                                                                               \
            CHECK_FAIL("not true: %s", #cond);                                                     \
    } while (0)

#define CHECK_INT(got, want)                                                                       \
    do {                                                                                           \
        int64_t check_got = (int64_t)(got), check_want = (int64_t)(want);                          \
        if (check_got != check_want)                                                               \
            CHECK_FAIL("%s = %" PRId64 ", want %" PRId64, #got, check_got, check_want);            \
    } while (0)

#define CHECK_STR(got, want)                                                                       \
    do {                                                                                           \
        const char *check_got = (got), *check_want = (want);                                       \
        if (!check_got || strcmp(check_got, check_want) != 0)                                      \
            CHECK_FAIL("%s = \"%s\", want \"%s\"", #got, check_got ? check_got : "(null)",         \
                       check_want);                                                                \
    } while (0)

/* For calls that return enum status and fill a struct error named err. */
#define CHECK_OK(call)                                                                             \
    do {                                                                                           \
        enum status check_status = (call);                                                         \
        if (check_status != OK)                                                                    \
            CHECK_FAIL("%s: %s: %s", #call, status_name(check_status), err.text);                  \
    } while (0)

int main(int argc, char **argv)
{
    int failures = 0, number = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (struct check_test *test = check_first; test; test = test->next) {
        if (argc > 1 && !strstr(test->name, argv[1]))
            continue;
        check_failed = false;
        test->run();
        printf("%s %d - %s\n", check_failed ? "not ok" : "ok", ++number, test->name);
        failures += check_failed;
    }
    printf("1..%d\n", number);
    return failures ? 1 : 0;
}

#endif
