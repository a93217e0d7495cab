#include "base/buffer.h"

#include "../check.h"

static struct error err;
static int releases;

static void on_release(struct buffer *buffer, void *context)
{
    releases += buffer->data == context;
}

TEST(shared_blocks_are_counted)
{
    struct mem_owner owner;
    struct buffer *buffer;
    mem_owner_init(&owner, NULL, "test");
    error_clear(&err);
    CHECK_OK(buffer_new(&buffer, 100, &owner, &err));
    CHECK_INT(buffer->size_bytes, 100);
    CHECK((uintptr_t)buffer->data % 16 == 0);
    for (int i = 0; i < BUFFER_PADDING; i++)
        CHECK_INT(buffer->data[100 + i], 0);
    CHECK(owner.used_bytes >= 100 + BUFFER_PADDING);
    CHECK(buffer_ref(buffer) == buffer);
    buffer->size_bytes = 50; /* a decoder that filled less */
    buffer_unref(buffer);
    CHECK(owner.used_bytes > 0);
    buffer_unref(buffer);
    mem_owner_fini(&owner);
    buffer_unref(NULL);
    CHECK(buffer_ref(NULL) == NULL);
    CHECK_OK(buffer_new(&buffer, 0, NULL, &err));
    buffer_unref(buffer);
    CHECK_INT(buffer_new(&buffer, SIZE_MAX - 10, NULL, &err), ERR_MEMORY);
    CHECK(buffer == NULL);
    owner.limit_bytes = 100;
    CHECK_INT(buffer_new(&buffer, 100, &owner, NULL), ERR_BUDGET);
    mem_fail_after(1);
    owner.limit_bytes = 0;
    CHECK_INT(buffer_new(&buffer, 100, &owner, NULL), ERR_MEMORY);
    mem_owner_fini(&owner);
}

TEST(foreign_memory_goes_back)
{
    struct buffer *buffer;
    char foreign[10 + BUFFER_PADDING] = "x";
    error_clear(&err);
    CHECK_OK(buffer_wrap(&buffer, foreign, 10, on_release, foreign, &err));
    buffer_ref(buffer);
    buffer_unref(buffer);
    CHECK_INT(releases, 0);
    buffer_unref(buffer);
    CHECK_INT(releases, 1);
    mem_fail_after(1);
    CHECK_INT(buffer_wrap(&buffer, foreign, 10, on_release, foreign, NULL), ERR_MEMORY);
    CHECK(buffer == NULL);
    CHECK_INT(releases, 1); /* still the caller's */
}

TEST(growing_buffers)
{
    struct buf buf;
    buf_init(&buf, 1 << 20);
    CHECK_STR(buf_text(&buf), "");
    for (int i = 0; i < 1000; i++)
        buf_append_byte(&buf, (uint8_t)('a' + i % 26));
    buf_append_text(&buf, "end");
    buf_append(&buf, NULL, 0);
    buf_printf(&buf, "-%d-%s", 42, "x");
    buf_printf(&buf, "%s", "");
    CHECK_INT(buf.length, 1008);
    CHECK_STR(buf_text(&buf) + 1000, "end-42-x");
    CHECK_INT(buf.length, 1008);
    buf_clear(&buf);
    char expected[257]; /* a power of two, as capacities are */
    memset(expected, 'p', sizeof(expected) - 1);
    expected[256] = '\0';
    for (int width = 0; width < 256; width++) { /* every place where the NUL may not fit */
        buf_fini(&buf);
        buf_append(&buf, expected, (size_t)width);
        buf_printf(&buf, "%s", expected + width);
        CHECK_STR(buf_text(&buf), expected);
    }
    buf_fini(&buf);
    buf_fini(&buf);
}

TEST(the_maximum_is_exact_and_sticky)
{
    struct buf buf;
    for (int how = 0; how < 3; how++) {
        buf_init(&buf, 100);
        buf_printf(&buf, "%0100d", 1);
        error_clear(&err);
        CHECK_OK(buf_check(&buf, "line", &err));
        CHECK_INT(strlen(buf_text(&buf)), 100); /* the NUL does not count */
        if (how == 0)
            buf_append_byte(&buf, 1);
        else if (how == 1)
            buf_printf(&buf, "x");
        else
            CHECK(buf_room(&buf, SIZE_MAX) == NULL);
        CHECK(buf.failed);
        CHECK_STR(buf_text(&buf), "");
        CHECK_INT(buf_check(&buf, "line", &err), ERR_LIMIT);
        CHECK(strstr(err.text, "line") && strstr(err.text, "100"));
        buf_clear(&buf);
        buf_append_text(&buf, "again");
        CHECK_STR(buf_text(&buf), "again");
        buf_fini(&buf);
    }
}

TEST(every_failing_allocation)
{
    bool failed = true;
    for (uint64_t n = 1; failed; n++) {
        struct buf buf;
        buf_init(&buf, 1 << 20);
        mem_fail_after(n);
        for (int i = 0; i < 50; i++)
            buf_printf(&buf, "%0100d", i);
        const char *text = buf_text(&buf);
        mem_fail_after(0);
        error_clear(&err);
        failed = buf_check(&buf, "x", &err) != OK;
        CHECK_INT(err.code, failed ? ERR_MEMORY : OK);
        CHECK_INT(strlen(text), failed ? 0 : 5000);
        buf_fini(&buf);
    }
}
