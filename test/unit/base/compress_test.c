#include "base/compress.h"

#include <lz4frame.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include "../check.h"

static uint64_t seed = 1;
static uint32_t roll(uint32_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

/* Text that compresses about as orders do. */
static void fill(uint8_t *bytes, size_t size)
{
    static const char words[] =
        "{\"order_id\": 4711, \"card_type\": \"visa\", \"amount\": \"38.48\"}";
    for (size_t i = 0; i < size; i++)
        bytes[i] = roll(5) == 0 ? (uint8_t)roll(256) : (uint8_t)words[i % (sizeof words - 1)];
}

static const size_t sizes[] = {0, 1, 17, 100, 4096, 65535, 65536, 65537, 300000, 1100000};

TEST(round_trips)
{
    struct error err = {0};
    uint8_t *input = malloc(1100000);
    fill(input, 1100000);
    for (int kind = COMPRESSION_NONE; kind <= COMPRESSION_ZSTD; kind++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            struct buf packed, plain;
            buf_init(&packed, 4000000);
            buf_init(&plain, 4000000);
            buf_append_text(&plain, "kept");
            CHECK_OK(compress_append(&packed, (enum compression)kind, input, sizes[i], &err));
            CHECK_OK(decompress_append(&plain, (enum compression)kind, packed.data, packed.length,
                                       sizes[i], &err));
            CHECK_INT(plain.length, sizes[i] + 4);
            CHECK(memcmp(plain.data, "kept", 4) == 0);
            CHECK(memcmp(plain.data + 4, input, sizes[i]) == 0);
            if (sizes[i] > 0) { /* one byte less allowed */
                buf_clear(&plain);
                CHECK_INT(decompress_append(&plain, (enum compression)kind, packed.data,
                                            packed.length, sizes[i] - 1, NULL),
                          ERR_LIMIT);
            }
            buf_fini(&packed);
            buf_fini(&plain);
        }
    free(input);
}

/* What other writers make, by the libraries directly. */
TEST(reads_what_others_write)
{
    struct error err = {0};
    static uint8_t input[200000], packed[400000];
    fill(input, sizeof input);
    struct buf plain;
    buf_init(&plain, 1000000);

    size_t length = sizeof packed; /* raw snappy, as librdkafka */
    CHECK(snappy_compress((char *)input, sizeof input, (char *)packed, &length) == SNAPPY_OK);
    CHECK_OK(decompress_append(&plain, COMPRESSION_SNAPPY, packed, length, 200000, &err));
    CHECK(plain.length == sizeof input && memcmp(plain.data, input, sizeof input) == 0);

    LZ4F_preferences_t linked = {.frameInfo = {.blockSizeID = LZ4F_max64KB,
                                               .blockMode = LZ4F_blockLinked,
                                               .contentChecksumFlag = LZ4F_contentChecksumEnabled,
                                               .contentSize = sizeof input}};
    length = LZ4F_compressFrame(packed, sizeof packed, input, sizeof input, &linked);
    buf_clear(&plain);
    CHECK_OK(decompress_append(&plain, COMPRESSION_LZ4, packed, length, 200000, &err));
    CHECK(plain.length == sizeof input && memcmp(plain.data, input, sizeof input) == 0);

    z_stream stream = {0}; /* two gzip members */
    size_t at = 0;
    for (int member = 0; member < 2; member++) {
        CHECK(deflateInit2(&stream, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) == Z_OK);
        stream.next_in = input + member * 100000;
        stream.avail_in = 100000;
        stream.next_out = packed + at;
        stream.avail_out = (uInt)(sizeof packed - at);
        CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
        at += stream.total_out;
        deflateEnd(&stream);
    }
    buf_clear(&plain);
    CHECK_OK(decompress_append(&plain, COMPRESSION_GZIP, packed, at, 200000, &err));
    CHECK(plain.length == sizeof input && memcmp(plain.data, input, sizeof input) == 0);

    ZSTD_CCtx *writer = ZSTD_createCCtx(); /* a streamed frame states no size */
    ZSTD_inBuffer in = {input, sizeof input, 0};
    ZSTD_outBuffer out = {packed, sizeof packed, 0};
    CHECK(ZSTD_compressStream2(writer, &out, &in, ZSTD_e_continue) != 0 || true);
    CHECK(ZSTD_compressStream2(writer, &out, &in, ZSTD_e_end) == 0);
    ZSTD_freeCCtx(writer);
    buf_clear(&plain);
    CHECK_OK(decompress_append(&plain, COMPRESSION_ZSTD, packed, out.pos, 200000, &err));
    CHECK(plain.length == sizeof input && memcmp(plain.data, input, sizeof input) == 0);
    buf_fini(&plain);
}

/* The start and structure of what we write is what Java's readers look for. */
TEST(written_headers)
{
    struct error err = {0};
    struct buf packed;
    buf_init(&packed, 100000);
    CHECK_OK(compress_append(&packed, COMPRESSION_SNAPPY, "abc", 3, &err));
    CHECK(memcmp(packed.data, "\x82SNAPPY\0\0\0\0\1\0\0\0\1", 16) == 0);
    buf_clear(&packed);
    CHECK_OK(compress_append(&packed, COMPRESSION_LZ4, "abc", 3, &err));
    CHECK(memcmp(packed.data, "\x04\x22\x4d\x18\x60\x40", 6) == 0); /* independent, 64 KB */
    buf_clear(&packed);
    CHECK_OK(compress_append(&packed, COMPRESSION_GZIP, "abc", 3, &err));
    CHECK(memcmp(packed.data, "\x1f\x8b\x08", 3) == 0);
    buf_fini(&packed);
}

TEST(bombs_cost_no_more_than_the_cap)
{
    enum { BOMB = 64 * 1024 * 1024, CAP = 1000000 };
    uint8_t *zeros = calloc(1, BOMB);
    for (int kind = COMPRESSION_GZIP; kind <= COMPRESSION_ZSTD; kind++) {
        struct error err = {0};
        struct buf packed, plain;
        buf_init(&packed, 200000000);
        buf_init(&plain, 200000000);
        CHECK_OK(compress_append(&packed, (enum compression)kind, zeros, BOMB, &err));
        CHECK_INT(decompress_append(&plain, (enum compression)kind, packed.data, packed.length, CAP,
                                    &err),
                  ERR_LIMIT);
        CHECK(plain.capacity < 4 * CAP);
        buf_fini(&packed);
        buf_fini(&plain);
    }
    free(zeros);
}

TEST(damage_is_an_error_never_a_crash)
{
    uint8_t input[3000];
    fill(input, sizeof input);
    for (int kind = COMPRESSION_GZIP; kind <= COMPRESSION_ZSTD; kind++) {
        struct error err = {0};
        struct buf packed, plain;
        buf_init(&packed, 100000);
        buf_init(&plain, 1000000);
        CHECK_OK(compress_append(&packed, (enum compression)kind, input, sizeof input, &err));
        for (size_t cut = 0; cut < packed.length; cut++) { /* every truncation */
            uint8_t *copy = malloc(cut); /* exact size: the sanitizer sees an overrun */
            memcpy(copy, packed.data, cut);
            buf_clear(&plain);
            enum status status =
                decompress_append(&plain, (enum compression)kind, copy, cut, 100000, NULL);
            free(copy);
            bool between_blocks = kind == COMPRESSION_SNAPPY && cut == 16;
            if (status == OK && !between_blocks)
                CHECK_FAIL("kind %d cut at %zu is taken", kind, cut);
        }
        for (int i = 0; i < 4000; i++) {
            uint8_t *copy = malloc(packed.length);
            memcpy(copy, packed.data, packed.length);
            for (uint32_t n = roll(4) + 1; n > 0; n--)
                copy[roll(roll(2) ? 40 : (uint32_t)packed.length)] = (uint8_t)roll(256);
            buf_clear(&plain);
            enum status status = decompress_append(&plain, (enum compression)kind, copy,
                                                   packed.length, 100000, NULL);
            free(copy);
            CHECK(status == OK || status == ERR_DATA || status == ERR_LIMIT);
            CHECK(plain.length <= 100001);
        }
        buf_fini(&packed);
        buf_fini(&plain);
    }
}

TEST(unknown_kind)
{
    struct buf plain;
    buf_init(&plain, 100);
    CHECK_INT(decompress_append(&plain, (enum compression)7, "x", 1, 10, NULL), ERR_DATA);
    CHECK_INT(compress_append(&plain, (enum compression)7, "x", 1, NULL), ERR_DATA);
    buf_fini(&plain);
}

TEST(no_memory_is_a_status)
{
    struct error err = {0};
    uint8_t input[3000];
    fill(input, sizeof input);
    for (int kind = COMPRESSION_GZIP; kind <= COMPRESSION_ZSTD; kind++) {
        struct buf packed, plain;
        buf_init(&packed, 100000);
        buf_init(&plain, 100000);
        CHECK_OK(compress_append(&packed, (enum compression)kind, input, sizeof input, &err));
        mem_fail_after(1);
        CHECK_INT(decompress_append(&plain, (enum compression)kind, packed.data, packed.length,
                                    100000, NULL),
                  ERR_MEMORY);
        mem_fail_after(0);
        buf_fini(&packed);
        buf_fini(&plain);
    }
}
