/* function_hash.c - digests (OpenSSL), Base64, hexadecimal and binary notation.
 *
 * Digests are lower-case hexadecimal of the UTF-8 bytes, as in Flink. FROM_BASE64 fails the row on
 * bad input (Java throws) and where the bytes are no text; UNHEX gives NULL.
 */
#include <openssl/evp.h>

#include "base/base64.h"
#include "data/utf8.h"
#include "function/bind_args.h"
#include "function/families.h"

/* ---- digests ---- */

struct digest {
    const char *function;
    const EVP_MD *(*algorithm)(void);
    int32_t hex_length;
};

enum digest_index {
    DIGEST_MD5,
    DIGEST_SHA1,
    DIGEST_SHA224,
    DIGEST_SHA256,
    DIGEST_SHA384,
    DIGEST_SHA512
};

static const struct digest digests[] = {
    [DIGEST_MD5] = {"MD5", EVP_md5, 32},          [DIGEST_SHA1] = {"SHA1", EVP_sha1, 40},
    [DIGEST_SHA224] = {"SHA224", EVP_sha224, 56}, [DIGEST_SHA256] = {"SHA256", EVP_sha256, 64},
    [DIGEST_SHA384] = {"SHA384", EVP_sha384, 96}, [DIGEST_SHA512] = {"SHA512", EVP_sha512, 128},
};

static size_t put_hex(char *dest, const uint8_t *bytes, size_t count, const char *digits)
{
    for (size_t i = 0; i < count; i++) {
        dest[2 * i] = digits[bytes[i] >> 4];
        dest[2 * i + 1] = digits[bytes[i] & 15];
    }
    return 2 * count;
}

/* One digest after another with one context. Fetching an algorithm costs more than a short digest,
 * so it is done when the algorithm changes; a NULL algorithm begins again with the same one. */
struct digester {
    EVP_MD_CTX *context;
    const struct digest *current;
};

static bool digester_begin(struct digester *digester, struct function_call *call)
{
    *digester = (struct digester){.context = EVP_MD_CTX_new()};
    if (!digester->context)
        call->status = ERR_MEMORY;
    return digester->context != NULL;
}

static void digest_row(struct digester *digester, struct function_call *call, uint32_t row,
                       const struct digest *digest)
{
    struct str text = arg_str(call->args[0], row);
    uint8_t bytes[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    char hex[2 * EVP_MAX_MD_SIZE];
    const EVP_MD *algorithm = digest == digester->current ? NULL : digest->algorithm();
    digester->current = NULL;
    if (EVP_DigestInit_ex(digester->context, algorithm, NULL) == 1 &&
        EVP_DigestUpdate(digester->context, text.data, text.length) == 1 &&
        EVP_DigestFinal_ex(digester->context, bytes, &length) == 1) {
        digester->current = digest;
        call_set_text(call, row, hex, put_hex(hex, bytes, length, "0123456789abcdef"));
    } else {
        call_fail(call, row, ERR_UNSUPPORTED, "OpenSSL on this system refuses %s",
                  digest->function);
    }
}

static void run_digest(struct function_call *call)
{
    struct digester digester;
    if (!digester_begin(&digester, call))
        return;
    CALL_ROWS(call, row)
    digest_row(&digester, call, row, call->state);
    EVP_MD_CTX_free(digester.context);
}

static enum status bind_digest(struct function_bind *bind, enum digest_index index,
                               struct error *err)
{
    const struct digest *digest = &digests[index];
    TRY(bind_args(bind, digest->function, "b", "a text", err));
    bind->state = digest;
    return bind_result(bind, type_text(bind->arena, TYPE_CHAR, digest->hex_length, false), false,
                       run_digest, err);
}

#define BIND_DIGEST(name)                                                                          \
    static enum status bind_##name(struct function_bind *bind, struct error *err)                  \
    {                                                                                              \
        return bind_digest(bind, DIGEST_##name, err);                                              \
    }
BIND_DIGEST(MD5)
BIND_DIGEST(SHA1)
BIND_DIGEST(SHA224)
BIND_DIGEST(SHA256)
BIND_DIGEST(SHA384)
BIND_DIGEST(SHA512)

static const struct digest *sha2_of(int64_t bits)
{
    return bits == 224   ? &digests[DIGEST_SHA224]
           : bits == 256 ? &digests[DIGEST_SHA256]
           : bits == 384 ? &digests[DIGEST_SHA384]
           : bits == 512 ? &digests[DIGEST_SHA512]
                         : NULL;
}

static void run_sha2(struct function_call *call)
{
    struct digester digester;
    if (!digester_begin(&digester, call))
        return;
    CALL_ROWS(call, row)
    {
        const struct digest *digest = sha2_of(arg_i64(call->args[1], row));
        if (digest)
            digest_row(&digester, call, row, digest);
        else
            call_fail(call, row, ERR_RANGE, "SHA2 takes a length of 224, 256, 384 or 512");
    }
    EVP_MD_CTX_free(digester.context);
}

static enum status bind_sha2(struct function_bind *bind, struct error *err)
{
    TRY(bind_args(bind, "SHA2", "bi", "a text and a length of 224, 256, 384 or 512", err));
    return bind_result(bind, type_text(bind->arena, TYPE_VARCHAR, 128, false), false, run_sha2,
                       err);
}

/* ---- Base64 ---- */

static void run_to_base64(struct function_call *call)
{
    CALL_ROWS(call, row)
    {
        struct str bytes = arg_str(call->args[0], row);
        char *dest = call_text_room(call, BASE64_ENCODED(bytes.length));
        if (!dest)
            return;
        call_finish_text(call, row, dest, base64_encode(dest, bytes.data, bytes.length));
    }
}

static enum status bind_to_base64(struct function_bind *bind, struct error *err)
{
    TRY(bind_args(bind, "TO_BASE64", "b", "a text or bytes", err));
    return bind_result(bind, &TYPE_OF_STRING, false, run_to_base64, err);
}

static void run_from_base64(struct function_call *call)
{
    CALL_ROWS(call, row)
    {
        struct str text = arg_str(call->args[0], row);
        size_t used;
        char *dest = call_text_room(call, text.length);
        if (!dest)
            return;
        if (!base64_decode(dest, text, &used))
            call_fail(call, row, ERR_DATA, "FROM_BASE64: '%.*s' is not Base64",
                      text.length > 60 ? 60 : (int)text.length, text.data);
        else if (!utf8_valid(dest, used))
            call_fail(call, row, ERR_DATA, "FROM_BASE64: the bytes are no UTF-8 text");
        else
            call_finish_text(call, row, dest, used);
    }
}

static enum status bind_from_base64(struct function_bind *bind, struct error *err)
{
    TRY(bind_args(bind, "FROM_BASE64", "b", "a text", err));
    return bind_result(bind, &TYPE_OF_STRING, false, run_from_base64, err);
}

/* ---- HEX, UNHEX, BIN ---- */

static void run_hex_text(struct function_call *call)
{
    CALL_ROWS(call, row)
    {
        struct str bytes = arg_str(call->args[0], row);
        char *dest = call_text_room(call, bytes.length * 2);
        if (!dest)
            return;
        call_finish_text(
            call, row, dest,
            put_hex(dest, (const uint8_t *)bytes.data, bytes.length, "0123456789ABCDEF"));
    }
}

/* The number as unsigned digits of `bits` bits each, without leading zeros. */
static void put_digits(struct function_call *call, unsigned bits)
{
    CALL_ROWS(call, row)
    {
        uint64_t value = (uint64_t)arg_i64(call->args[0], row);
        char digits[64];
        size_t at = sizeof digits;
        do {
            digits[--at] = "0123456789ABCDEF"[value & ((1u << bits) - 1)];
            value >>= bits;
        } while (value);
        if (!call_set_text(call, row, digits + at, sizeof digits - at))
            return;
    }
}

static void run_hex_integer(struct function_call *call)
{
    put_digits(call, 4);
}

static void run_bin(struct function_call *call)
{
    put_digits(call, 1);
}

static enum status bind_hex(struct function_bind *bind, struct error *err)
{
    bool integer = type_is_integer(bind->arg_types[0]);
    TRY(bind_args(bind, "HEX", integer ? "i" : "b", "an integer or a text", err));
    return bind_result(bind, &TYPE_OF_STRING, false, integer ? run_hex_integer : run_hex_text, err);
}

static enum status bind_bin(struct function_bind *bind, struct error *err)
{
    TRY(bind_args(bind, "BIN", "i", "an integer", err));
    return bind_result(bind, &TYPE_OF_STRING, false, run_bin, err);
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    digit = (char)(digit | 0x20);
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static void run_unhex(struct function_call *call)
{
    CALL_ROWS(call, row)
    {
        struct str text = arg_str(call->args[0], row);
        char *dest = call_text_room(call, text.length / 2 + 1);
        if (!dest)
            return;
        size_t used = 0, at = 0;
        bool good = true;
        if (text.length % 2 == 1) { /* a leading 0 is understood */
            int value = hex_value(text.data[at++]);
            good = value >= 0;
            dest[used++] = (char)value;
        }
        for (; good && at < text.length; at += 2) {
            int high = hex_value(text.data[at]), low = hex_value(text.data[at + 1]);
            good = high >= 0 && low >= 0;
            dest[used++] = (char)((unsigned)high << 4 | (unsigned)low);
        }
        if (good)
            call_finish_text(call, row, dest, used);
        else
            call_set_null(call, row);
    }
}

static enum status bind_unhex(struct function_bind *bind, struct error *err)
{
    TRY(bind_args(bind, "UNHEX", "s", "a text", err));
    return bind_result(bind, &TYPE_OF_BYTES, true, run_unhex, err);
}

#define STRICT     FUNCTION_STRICT
#define MAY_FAIL   (FUNCTION_STRICT | FUNCTION_CAN_FAIL)
#define HASH(bits) "The " bits " hash of the text as hexadecimal digits."

const struct function_def FUNCTIONS_HASH[] = {
    {"BIN", "BIN(integer)", "The integer as binary digits.", "math", STRICT, 1, 1, bind_bin},
    {"FROM_BASE64", "FROM_BASE64(string)", "The text that the Base64 digits mean.", "string",
     MAY_FAIL, 1, 1, bind_from_base64},
    {"HEX", "HEX(integer | string)",
     "The integer, or the bytes of the text, as hexadecimal digits.", "math", STRICT, 1, 1,
     bind_hex},
    {"MD5", "MD5(string)", HASH("MD5"), "hash", MAY_FAIL, 1, 1, bind_MD5},
    {"SHA1", "SHA1(string)", HASH("SHA-1"), "hash", MAY_FAIL, 1, 1, bind_SHA1},
    {"SHA2", "SHA2(string, length)",
     "The SHA-2 hash of this length (224, 256, 384, 512) as hexadecimal digits.", "hash", MAY_FAIL,
     2, 2, bind_sha2},
    {"SHA224", "SHA224(string)", HASH("SHA-224"), "hash", MAY_FAIL, 1, 1, bind_SHA224},
    {"SHA256", "SHA256(string)", HASH("SHA-256"), "hash", MAY_FAIL, 1, 1, bind_SHA256},
    {"SHA384", "SHA384(string)", HASH("SHA-384"), "hash", MAY_FAIL, 1, 1, bind_SHA384},
    {"SHA512", "SHA512(string)", HASH("SHA-512"), "hash", MAY_FAIL, 1, 1, bind_SHA512},
    {"TO_BASE64", "TO_BASE64(string)", "The bytes of the text in Base64.", "string", STRICT, 1, 1,
     bind_to_base64},
    {"UNHEX", "UNHEX(string)", "The bytes that the hexadecimal digits mean; NULL for other text.",
     "math", STRICT, 1, 1, bind_unhex},
};
const size_t FUNCTIONS_HASH_COUNT = sizeof FUNCTIONS_HASH / sizeof *FUNCTIONS_HASH;
