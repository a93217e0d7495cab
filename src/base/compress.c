/* compress.c - the four Kafka compressions behind one pair of functions.
 *
 * Does not: stream. A record batch is in memory as a whole, in and out. Contexts are made at a
 * thread's first use and freed at its end by a thread-specific key. Output is written straight into
 * the caller's buffer, which grows in steps up to the cap, so a bomb costs at most the cap.
 */
#include "base/compress.h"

#include <pthread.h>
#include <string.h>

#include <lz4frame.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include "base/must.h"

#define GZIP_WINDOW_BITS 31 /* 15 bits of window, gzip header and trailer */
#define GZIP_LEVEL       6
#define ZSTD_LEVEL       3
#define ZSTD_WINDOW_BITS 27 /* frames that want more memory are refused */
#define FIRST_STEP_BYTES (64 * 1024)

struct contexts {
    z_stream deflater, inflater;
    bool deflater_ready, inflater_ready;
    LZ4F_dctx *lz4_reader;
    ZSTD_CCtx *zstd_writer;
    ZSTD_DCtx *zstd_reader;
};

static pthread_once_t contexts_once = PTHREAD_ONCE_INIT;
static pthread_key_t contexts_key;
static bool contexts_key_made;
static __thread struct contexts *contexts_here;

static void contexts_free(void *context)
{
    struct contexts *contexts = context;
    if (contexts->deflater_ready)
        deflateEnd(&contexts->deflater);
    if (contexts->inflater_ready)
        inflateEnd(&contexts->inflater);
    LZ4F_freeDecompressionContext(contexts->lz4_reader);
    ZSTD_freeCCtx(contexts->zstd_writer);
    ZSTD_freeDCtx(contexts->zstd_reader);
    mem_free(contexts);
    contexts_here = NULL;
}

/* The main thread leaves by exit(), which runs no thread-specific destructors. */
__attribute__((destructor)) static void contexts_free_main(void)
{
    if (contexts_here) {
        pthread_setspecific(contexts_key, NULL);
        contexts_free(contexts_here);
    }
}

static void contexts_key_make(void)
{
    contexts_key_made = pthread_key_create(&contexts_key, contexts_free) == 0;
}

static enum status contexts_get(struct contexts **out, struct error *err)
{
    if (!contexts_here) {
        pthread_once(&contexts_once, contexts_key_make);
        struct contexts *made = contexts_key_made ? mem_calloc(1, sizeof *made) : NULL;
        if (made && pthread_setspecific(contexts_key, made) != 0) {
            mem_free(made);
            made = NULL;
        }
        if (!made)
            return error_memory(err, "compression contexts", sizeof(struct contexts));
        contexts_here = made;
    }
    *out = contexts_here;
    return OK;
}

static enum status damaged(struct error *err, const char *kind, const char *why)
{
    return error_set(err, ERR_DATA, "%s data is damaged: %s", kind, why);
}

static enum status over_limit(struct error *err, const char *kind, size_t max_bytes)
{
    return error_set(err, ERR_LIMIT, "%s data is more than %zu bytes when decompressed", kind,
                     max_bytes);
}

/* ---- output in steps ---- */

/* Where decompressed bytes go: out grows, never past max_bytes of new bytes. */
struct output {
    struct buf *out;
    size_t start;     /* out->length before */
    size_t max_bytes; /* of new bytes */
    size_t room;      /* asked for at a time; doubles */
    const char *kind;
};

static size_t output_done(const struct output *output)
{
    return output->out->length - output->start;
}

/* Room for more bytes; *size is never 0. One byte more than the cap is offered, so that exactly
 * max_bytes of data can be told from more. */
static enum status output_room(struct output *output, uint8_t **dest, size_t *size,
                               struct error *err)
{
    size_t left = output->max_bytes - output_done(output);
    size_t want = left < output->room ? left + 1 : output->room;
    *dest = buf_room(output->out, want);
    if (!*dest)
        return buf_check(output->out, "decompressed data", err);
    *size = want;
    output->room *= 2;
    return OK;
}

static enum status output_took(struct output *output, size_t size_bytes, struct error *err)
{
    if (size_bytes > output->max_bytes - output_done(output))
        return over_limit(err, output->kind, output->max_bytes);
    output->out->length += size_bytes;
    return OK;
}

static struct output output_begin(struct buf *out, size_t input_bytes, size_t max_bytes,
                                  const char *kind)
{
    size_t room = input_bytes < SIZE_MAX / 8 ? input_bytes * 4 : input_bytes;
    if (room < FIRST_STEP_BYTES)
        room = FIRST_STEP_BYTES;
    return (struct output){
        .out = out, .start = out->length, .max_bytes = max_bytes, .room = room, .kind = kind};
}

/* ---- gzip ---- */

static enum status gzip_compress(struct contexts *contexts, struct buf *out, const void *bytes,
                                 size_t size_bytes, struct error *err)
{
    z_stream *stream = &contexts->deflater;
    if (size_bytes > UINT32_MAX / 2)
        return error_set(err, ERR_LIMIT, "gzip: %zu bytes are too many for one batch", size_bytes);
    if (!contexts->deflater_ready) {
        if (deflateInit2(stream, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW_BITS, 8, Z_DEFAULT_STRATEGY) !=
            Z_OK)
            return error_memory(err, "gzip context", 0);
        contexts->deflater_ready = true;
    }
    deflateReset(stream);
    size_t bound = deflateBound(stream, size_bytes);
    uint8_t *dest = buf_room(out, bound);
    if (!dest)
        return buf_check(out, "gzip data", err);
    stream->next_in = (Bytef *)(uintptr_t)bytes;
    stream->avail_in = (uInt)size_bytes;
    stream->next_out = dest;
    stream->avail_out = (uInt)bound;
    int result = deflate(stream, Z_FINISH);
    if (result != Z_STREAM_END)
        return error_set(err, ERR_DATA, "gzip: zlib failed with %d", result);
    out->length += bound - stream->avail_out;
    return OK;
}

static enum status gzip_decompress(struct contexts *contexts, struct buf *out, const uint8_t *bytes,
                                   size_t size_bytes, size_t max_bytes, struct error *err)
{
    z_stream *stream = &contexts->inflater;
    if (size_bytes > UINT32_MAX / 2)
        return error_set(err, ERR_LIMIT, "gzip: %zu bytes are too many for one batch", size_bytes);
    if (!contexts->inflater_ready) {
        if (inflateInit2(stream, GZIP_WINDOW_BITS) != Z_OK)
            return error_memory(err, "gzip context", 0);
        contexts->inflater_ready = true;
    }
    struct output output = output_begin(out, size_bytes, max_bytes, "gzip");
    stream->next_in = (Bytef *)(uintptr_t)bytes;
    stream->avail_in = (uInt)size_bytes;
    do { /* one turn per member: Java's reader takes several one after another */
        inflateReset(stream);
        int result;
        do {
            uint8_t *dest;
            size_t room;
            TRY(output_room(&output, &dest, &room, err));
            if (room > UINT32_MAX)
                room = UINT32_MAX;
            stream->next_out = dest;
            stream->avail_out = (uInt)room;
            result = inflate(stream, Z_NO_FLUSH);
            if (result == Z_MEM_ERROR)
                return error_memory(err, "gzip context", 0);
            if (result != Z_OK && result != Z_STREAM_END)
                return damaged(err, "gzip",
                               result == Z_BUF_ERROR ? "it ends early"
                               : stream->msg         ? stream->msg
                                                     : "not gzip");
            TRY(output_took(&output, room - stream->avail_out, err));
        } while (result != Z_STREAM_END);
    } while (stream->avail_in > 0);
    return OK;
}

/* ---- snappy ---- */

static const uint8_t xerial_magic[8] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};
#define XERIAL_HEADER_BYTES 16
#define XERIAL_BLOCK_BYTES  (32 * 1024)

static void put_be32(uint8_t *dest, uint32_t value)
{
    value = __builtin_bswap32(value);
    memcpy(dest, &value, 4);
}

static enum status snappy_block(struct output *output, const uint8_t *bytes, size_t size_bytes,
                                struct error *err)
{
    size_t length;
    if (snappy_uncompressed_length((const char *)bytes, size_bytes, &length) != SNAPPY_OK)
        return damaged(err, "snappy", "a block has no length");
    if (length > output->max_bytes - output_done(output))
        return over_limit(err, "snappy", output->max_bytes);
    /* snappy expands by at most 64 bytes for each 3 of input: a length beyond that is a lie that
     * would cost memory. */
    if (length / 32 > size_bytes)
        return damaged(err, "snappy", "a block claims an impossible length");
    uint8_t *dest = buf_room(output->out, length);
    if (!dest)
        return buf_check(output->out, "decompressed data", err);
    if (snappy_uncompress((const char *)bytes, size_bytes, (char *)dest, &length) != SNAPPY_OK)
        return damaged(err, "snappy", "a block cannot be read");
    return output_took(output, length, err);
}

static enum status xerial_compress(struct buf *out, const uint8_t *bytes, size_t size_bytes,
                                   struct error *err)
{
    uint8_t *dest = buf_room(out, XERIAL_HEADER_BYTES);
    if (!dest)
        return buf_check(out, "snappy data", err);
    memcpy(dest, xerial_magic, 8);
    put_be32(dest + 8, 1);  /* version */
    put_be32(dest + 12, 1); /* oldest version that can read it */
    out->length += XERIAL_HEADER_BYTES;
    while (size_bytes > 0) {
        size_t block = size_bytes < XERIAL_BLOCK_BYTES ? size_bytes : XERIAL_BLOCK_BYTES;
        size_t length = snappy_max_compressed_length(block);
        dest = buf_room(out, 4 + length);
        if (!dest)
            return buf_check(out, "snappy data", err);
        if (snappy_compress((const char *)bytes, block, (char *)dest + 4, &length) != SNAPPY_OK)
            return error_set(err, ERR_DATA, "snappy: the library failed");
        put_be32(dest, (uint32_t)length);
        out->length += 4 + length;
        bytes += block;
        size_bytes -= block;
    }
    return OK;
}

static enum status snappy_decompress(struct buf *out, const uint8_t *bytes, size_t size_bytes,
                                     size_t max_bytes, struct error *err)
{
    struct output output = output_begin(out, size_bytes, max_bytes, "snappy");
    if (size_bytes < XERIAL_HEADER_BYTES || memcmp(bytes, xerial_magic, 8) != 0)
        return snappy_block(&output, bytes, size_bytes, err);
    bytes += XERIAL_HEADER_BYTES;
    size_bytes -= XERIAL_HEADER_BYTES;
    while (size_bytes > 0) {
        uint32_t length;
        if (size_bytes < 4)
            return damaged(err, "snappy", "it ends early");
        memcpy(&length, bytes, 4);
        length = __builtin_bswap32(length);
        if (length > size_bytes - 4)
            return damaged(err, "snappy", "a block is longer than the data");
        TRY(snappy_block(&output, bytes + 4, length, err));
        bytes += 4 + length;
        size_bytes -= 4 + length;
    }
    return OK;
}

/* ---- lz4 ---- */

static enum status lz4_compress(struct buf *out, const void *bytes, size_t size_bytes,
                                struct error *err)
{
    /* Independent blocks of 64 KB without content size: what Java's writer and librdkafka make. */
    LZ4F_preferences_t preferences = {
        .frameInfo = {.blockSizeID = LZ4F_max64KB, .blockMode = LZ4F_blockIndependent}};
    size_t bound = LZ4F_compressFrameBound(size_bytes, &preferences);
    uint8_t *dest = buf_room(out, bound);
    if (!dest)
        return buf_check(out, "lz4 data", err);
    size_t length = LZ4F_compressFrame(dest, bound, bytes, size_bytes, &preferences);
    if (LZ4F_isError(length))
        return error_set(err, ERR_DATA, "lz4: %s", LZ4F_getErrorName(length));
    out->length += length;
    return OK;
}

static enum status lz4_decompress(struct contexts *contexts, struct buf *out, const uint8_t *bytes,
                                  size_t size_bytes, size_t max_bytes, struct error *err)
{
    if (!contexts->lz4_reader &&
        LZ4F_isError(LZ4F_createDecompressionContext(&contexts->lz4_reader, LZ4F_VERSION)))
        return error_memory(err, "lz4 context", 0);
    LZ4F_dctx *reader = contexts->lz4_reader;
    LZ4F_resetDecompressionContext(reader);
    struct output output = output_begin(out, size_bytes, max_bytes, "lz4");
    size_t hint;
    do {
        uint8_t *dest;
        size_t room, taken = size_bytes;
        TRY(output_room(&output, &dest, &room, err));
        hint = LZ4F_decompress(reader, dest, &room, bytes, &taken, NULL);
        if (LZ4F_isError(hint))
            return damaged(err, "lz4", LZ4F_getErrorName(hint));
        TRY(output_took(&output, room, err));
        bytes += taken;
        size_bytes -= taken;
        if (taken == 0 && room == 0)
            return damaged(err, "lz4", "it ends early");
    } while (hint != 0 || size_bytes > 0);
    return OK;
}

/* ---- zstd ---- */

static enum status zstd_compress(struct contexts *contexts, struct buf *out, const void *bytes,
                                 size_t size_bytes, struct error *err)
{
    if (!contexts->zstd_writer && !(contexts->zstd_writer = ZSTD_createCCtx()))
        return error_memory(err, "zstd context", 0);
    size_t bound = ZSTD_compressBound(size_bytes);
    uint8_t *dest = buf_room(out, bound);
    if (!dest)
        return buf_check(out, "zstd data", err);
    size_t length =
        ZSTD_compressCCtx(contexts->zstd_writer, dest, bound, bytes, size_bytes, ZSTD_LEVEL);
    if (ZSTD_isError(length))
        return error_set(err, ERR_DATA, "zstd: %s", ZSTD_getErrorName(length));
    out->length += length;
    return OK;
}

static enum status zstd_decompress(struct contexts *contexts, struct buf *out, const uint8_t *bytes,
                                   size_t size_bytes, size_t max_bytes, struct error *err)
{
    ZSTD_DCtx *reader = contexts->zstd_reader;
    if (!reader) {
        reader = contexts->zstd_reader = ZSTD_createDCtx();
        if (!reader)
            return error_memory(err, "zstd context", 0);
        ZSTD_DCtx_setParameter(reader, ZSTD_d_windowLogMax, ZSTD_WINDOW_BITS);
    }
    ZSTD_DCtx_reset(reader, ZSTD_reset_session_only);
    struct output output = output_begin(out, size_bytes, max_bytes, "zstd");
    unsigned long long content = ZSTD_getFrameContentSize(bytes, size_bytes);
    if (content < ZSTD_CONTENTSIZE_ERROR) {
        if (content > max_bytes)
            return over_limit(err, "zstd", max_bytes);
        /* Whole frames into one sufficient room are decoded without a window buffer. A stated size
         * is believed only as far as blocks of the input's length can make it true. */
        if (content > output.room && content / 4096 <= size_bytes)
            output.room = content;
    }
    ZSTD_inBuffer in = {.src = bytes, .size = size_bytes};
    size_t hint;
    do {
        ZSTD_outBuffer to = {.pos = 0};
        size_t before = in.pos;
        TRY(output_room(&output, (uint8_t **)&to.dst, &to.size, err));
        hint = ZSTD_decompressStream(reader, &to, &in);
        if (ZSTD_isError(hint))
            return damaged(err, "zstd", ZSTD_getErrorName(hint));
        TRY(output_took(&output, to.pos, err));
        if (to.pos == 0 && in.pos == before)
            return damaged(err, "zstd", "it ends early");
    } while (hint != 0 || in.pos < in.size);
    return OK;
}

/* ---- dispatch ---- */

static enum status append_plain(struct buf *out, const void *bytes, size_t size_bytes,
                                struct error *err)
{
    buf_append(out, bytes, size_bytes);
    return buf_check(out, "uncompressed data", err);
}

enum status compress_append(struct buf *out, enum compression kind, const void *bytes,
                            size_t size_bytes, struct error *err)
{
    struct contexts *contexts;
    TRY(contexts_get(&contexts, err));
    switch (kind) {
    case COMPRESSION_NONE:
        return append_plain(out, bytes, size_bytes, err);
    case COMPRESSION_GZIP:
        return gzip_compress(contexts, out, bytes, size_bytes, err);
    case COMPRESSION_SNAPPY:
        return xerial_compress(out, bytes, size_bytes, err);
    case COMPRESSION_LZ4:
        return lz4_compress(out, bytes, size_bytes, err);
    case COMPRESSION_ZSTD:
        return zstd_compress(contexts, out, bytes, size_bytes, err);
    }
    return error_set(err, ERR_DATA, "compression %d is not known", (int)kind);
}

enum status decompress_append(struct buf *out, enum compression kind, const void *bytes,
                              size_t size_bytes, size_t max_bytes, struct error *err)
{
    struct contexts *contexts;
    TRY(contexts_get(&contexts, err));
    switch (kind) {
    case COMPRESSION_NONE:
        if (size_bytes > max_bytes)
            return over_limit(err, "uncompressed", max_bytes);
        return append_plain(out, bytes, size_bytes, err);
    case COMPRESSION_GZIP:
        return gzip_decompress(contexts, out, bytes, size_bytes, max_bytes, err);
    case COMPRESSION_SNAPPY:
        return snappy_decompress(out, bytes, size_bytes, max_bytes, err);
    case COMPRESSION_LZ4:
        return lz4_decompress(contexts, out, bytes, size_bytes, max_bytes, err);
    case COMPRESSION_ZSTD:
        return zstd_decompress(contexts, out, bytes, size_bytes, max_bytes, err);
    }
    return error_set(err, ERR_DATA, "compression %d is not known", (int)kind);
}
