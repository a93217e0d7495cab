#include "base/error.h"
#include "base/must.h"

#include "../check.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

static struct error err;

TEST(the_first_error_stays)
{
    error_clear(&err);
    CHECK_INT(error_set(&err, ERR_NAME, "first %d", 1), ERR_NAME);
    CHECK_INT(error_set(&err, ERR_IO, "second"), ERR_IO);
    CHECK_INT(err.code, ERR_NAME);
    CHECK_STR(err.text, "first 1");
    error_clear(&err);
    CHECK_INT(err.code, OK);
    CHECK_STR(err.text, "");
    error_set(&err, ERR_IO, "third");
    CHECK_STR(err.text, "third");
}

TEST(null_is_fine_everywhere)
{
    CHECK_INT(error_set(NULL, ERR_NAME, "x"), ERR_NAME);
    CHECK_INT(error_errno(NULL, ENOSPC, "x"), ERR_DISK_FULL);
    CHECK_INT(error_memory(NULL, "x", 1), ERR_MEMORY);
    error_hint(NULL, "x");
    error_prefix(NULL, "x");
    error_at(NULL, (struct source_pos){0});
    error_clear(NULL);
}

TEST(errno_chooses_the_code)
{
    static const struct {
        int errno_value;
        enum status code;
    } rows[] = {{ENOSPC, ERR_DISK_FULL}, {EDQUOT, ERR_DISK_FULL}, {EACCES, ERR_ACCESS},
                {EPERM, ERR_ACCESS},     {EROFS, ERR_ACCESS},     {ENOENT, ERR_NOT_FOUND},
                {ENOMEM, ERR_MEMORY},    {EEXIST, ERR_EXISTS},    {EIO, ERR_IO},
                {99999, ERR_IO}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        error_clear(&err);
        CHECK_INT(error_errno(&err, rows[i].errno_value, "open %s", "/x"), rows[i].code);
        CHECK(strncmp(err.text, "open /x: ", 9) == 0);
    }
}

TEST(long_texts_are_cut_at_a_character)
{
    char big[4000];
    for (size_t i = 0; i + 2 < sizeof(big); i += 2)
        memcpy(big + i, "\xC3\xA4", 2); /* two bytes each */
    big[3998] = '\0';
    for (int shift = 0; shift < 4; shift++) {
        error_clear(&err);
        error_set(&err, ERR_DATA, "%.*s%s", shift, "abc", big);
        size_t length = strlen(err.text);
        CHECK(length >= ERROR_TEXT_MAX - 6 && length < ERROR_TEXT_MAX);
        CHECK_STR(err.text + length - 3, "...");
        CHECK((unsigned char)err.text[length - 4] == 0xA4);
        error_hint(&err, "%s", big);
        CHECK(strlen(err.hint) < ERROR_HINT_MAX);
        error_prefix(&err, "table t");
        CHECK(strncmp(err.text, "table t: ", 9) == 0);
        CHECK(strlen(err.text) < ERROR_TEXT_MAX);
        error_clear(&err);
        error_errno(&err, EIO, "%s", big);
        CHECK(strlen(err.text) < ERROR_TEXT_MAX);
    }
}

TEST(the_innermost_place_stays)
{
    error_clear(&err);
    error_set(&err, ERR_NAME, "x");
    error_at(&err, (struct source_pos){.line = 3, .column = 7});
    error_at(&err, (struct source_pos){.line = 1, .column = 1});
    CHECK_INT(err.pos.line, 3);
    error_clear(&err);
    error_prefix(&err, "nothing to prefix");
    CHECK_STR(err.text, "");
}

/* What a child that runs `fail` writes to stderr; *out_signal is what ended it. */
static const char *child_says(void (*fail)(void), int *out_signal)
{
    static char text[2048];
    int pipe_fds[2], wait_status = 0;
    if (pipe(pipe_fds) != 0)
        return "";
    pid_t pid = fork();
    if (pid == 0) {
        dup2(pipe_fds[1], STDERR_FILENO);
        fail();
        _exit(0);
    }
    close(pipe_fds[1]);
    size_t length = 0;
    ssize_t got;
    while ((got = read(pipe_fds[0], text + length, sizeof(text) - 1 - length)) > 0)
        length += (size_t)got;
    text[length] = '\0';
    close(pipe_fds[0]);
    waitpid(pid, &wait_status, 0);
    *out_signal = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;
    return text;
}

static void fail_plain(void)
{
    must(1 + 1 == 3);
}

static void fail_in_a_job(void)
{
    must_context("orders_by_card", 42);
    must(false);
}

static void pass(void)
{
    must(true);
}

TEST(must_says_where_and_aborts)
{
    int signal_number;
    const char *text = child_says(fail_plain, &signal_number);
    CHECK_INT(signal_number, 6);
    CHECK(strstr(text, "error_test.c:") && strstr(text, "must(1 + 1 == 3)"));
    text = child_says(fail_in_a_job, &signal_number);
    CHECK_INT(signal_number, 6);
    CHECK(strstr(text, "job orders_by_card, epoch 42") != NULL);
    CHECK_STR(child_says(pass, &signal_number), "");
    CHECK_INT(signal_number, 0);
}
