/* message_test.c - the codec: bytes written down by hand after the protocol guide, every API in
 * every version round and round, cut at every length, and garbage. */
#include "kafka/api.h"

#include "base/must.h"
#include "kafka/bytes.h"
#include "check.h"

static uint8_t *from_hex(const char *hex, size_t *out_bytes)
{
    static uint8_t bytes[4096];
    *out_bytes = 0;
    for (unsigned value; *hex; hex++) {
        if (*hex == ' ')
            continue;
        sscanf(hex, "%2x", &value);
        bytes[(*out_bytes)++] = (uint8_t)value;
        hex++;
    }
    return bytes;
}

#define CHECK_HEX(buf, hex)                                                                        \
    do {                                                                                           \
        size_t hex_bytes;                                                                          \
        const uint8_t *want_bytes = from_hex(hex, &hex_bytes);                                     \
        CHECK_INT((buf)->length, hex_bytes);                                                       \
        for (size_t hex_i = 0; hex_i < hex_bytes; hex_i++)                                         \
            if ((buf)->data[hex_i] != want_bytes[hex_i])                                           \
                CHECK_FAIL("byte %zu is %02x, want %02x", hex_i, (buf)->data[hex_i],               \
                           want_bytes[hex_i]);                                                     \
    } while (0)

/* ApiVersions v3 as librdkafka 2.0.2 sends it: header v2 with a plain nullable client id. */
TEST(request_header_flexible)
{
    size_t size_bytes;
    uint8_t *bytes = from_hex("0012 0003 00000001 0007 72646b61666b61 00"
                              "0b 6c696272646b61666b61 06 322e302e32 00",
                              &size_bytes);
    struct kafka_cursor cursor = {bytes, bytes + size_bytes};
    struct kafka_request_header header;
    struct kafka_api_versions_request request;
    const struct kafka_api *api;
    struct arena arena;
    struct error err = {0};
    arena_init(&arena, NULL, 1 << 20);
    CHECK_OK(kafka_request_header_decode(&cursor, &header, &api, &err));
    CHECK(api && api->key == KAFKA_API_VERSIONS);
    CHECK_INT(header.version, 3);
    CHECK_INT(header.correlation_id, 1);
    CHECK(str_eq(header.client_id, STR("rdkafka")));
    CHECK_OK(kafka_decode(api->request(), 3, true, &cursor, &arena, &request, &err));
    CHECK(str_eq(request.software_name, STR("librdkafka")));
    CHECK(str_eq(request.software_version, STR("2.0.2")));
    CHECK(cursor.next == cursor.end);
    arena_fini(&arena);
}

TEST(metadata_request_versions)
{
    size_t size_bytes;
    struct arena arena;
    struct error err = {0};
    struct kafka_metadata_request request;
    arena_init(&arena, NULL, 1 << 20);
    uint8_t *bytes = from_hex("00000001 0003 616263 01", &size_bytes);
    struct kafka_cursor cursor = {bytes, bytes + size_bytes};
    CHECK_OK(
        kafka_decode(kafka_metadata_request_schema(), 4, false, &cursor, &arena, &request, &err));
    CHECK_INT(request.topics.count, 1);
    CHECK(str_eq(request.topics.items[0].name, STR("abc")));
    CHECK(request.allow_auto_creation);

    bytes = from_hex("ffffffff", &size_bytes);
    cursor = (struct kafka_cursor){bytes, bytes + size_bytes};
    CHECK_OK(
        kafka_decode(kafka_metadata_request_schema(), 1, false, &cursor, &arena, &request, &err));
    CHECK_INT(request.topics.count, -1);
    CHECK(request.allow_auto_creation); /* the fallback of versions without the field */

    /* v12: a topic by id and null name, tagged fields 3 and 7 that nobody knows */
    bytes = from_hex("02 000102030405060708090a0b0c0d0e0f 00 02 03 01 ff 07 02 aabb 00 01 00",
                     &size_bytes);
    cursor = (struct kafka_cursor){bytes, bytes + size_bytes};
    CHECK_OK(
        kafka_decode(kafka_metadata_request_schema(), 12, true, &cursor, &arena, &request, &err));
    CHECK_INT(request.topics.count, 1);
    CHECK(!request.topics.items[0].name.data);
    CHECK_INT(request.topics.items[0].id.bytes[15], 15);
    CHECK(request.include_topic_operations);
    CHECK(cursor.next == cursor.end);

    bytes = from_hex("00000001 ffff 01", &size_bytes); /* null name where it may not be */
    cursor = (struct kafka_cursor){bytes, bytes + size_bytes};
    CHECK_INT(
        kafka_decode(kafka_metadata_request_schema(), 4, false, &cursor, &arena, &request, &err),
        ERR_DATA);
    arena_fini(&arena);
}

TEST(produce_response_bytes)
{
    struct buf out;
    struct kafka_produce_partition_result partition = {
        .index = 1, .base_offset = 258, .append_time_ms = -1, .log_start_offset = 3};
    struct kafka_produce_topic_result topic = {.name = STR("t"), .partitions = {&partition, 1}};
    struct kafka_produce_response response = {.topics = {&topic, 1}};
    const struct kafka_api *api = kafka_api_find(KAFKA_PRODUCE);
    buf_init(&out, 4096);
    kafka_response_encode(api, 7, 77, &response, &out, NULL);
    CHECK_HEX(&out, "00000031 0000004d 00000001 0001 74 00000001 00000001 0000 0000000000000102"
                    "ffffffffffffffff 0000000000000003 00000000");
    buf_clear(&out);
    kafka_response_encode(api, 9, 77, &response, &out, NULL);
    CHECK_HEX(&out, "00000030 0000004d 00 02 02 74 02 00000001 0000 0000000000000102"
                    "ffffffffffffffff 0000000000000003 01 00 00 00 00000000 00");
    buf_fini(&out);
}

/* A struct that may be null is preceded by a byte: -1, or 1 and then the struct. */
TEST(optional_structs)
{
    struct buf out;
    struct kafka_topic_partitions_cursor cursor = {STR("t"), 3};
    struct kafka_topic_partitions_response response = {.next_cursor = {&cursor, 1}};
    struct kafka_topic_partitions_request request;
    struct arena arena;
    struct error err = {0};
    const struct kafka_api *api = kafka_api_find(KAFKA_DESCRIBE_TOPIC_PARTITIONS);
    size_t size_bytes;
    buf_init(&out, 4096);
    kafka_response_encode(api, 0, 9, &response, &out, NULL);
    CHECK_HEX(&out, "00000013 00000009 00 00000000 01 01 02 74 00000003 00 00");
    response.next_cursor.count = 0;
    buf_clear(&out);
    kafka_response_encode(api, 0, 9, &response, &out, NULL);
    CHECK_HEX(&out, "0000000c 00000009 00 00000000 01 ff 00");
    buf_fini(&out);

    arena_init(&arena, NULL, 1 << 20);
    uint8_t *bytes = from_hex("01 000007d0 01 02 74 00000003 00 00", &size_bytes);
    struct kafka_cursor at = {bytes, bytes + size_bytes};
    CHECK_OK(kafka_decode(api->request(), 0, true, &at, &arena, &request, &err));
    CHECK_INT(request.cursor.count, 1);
    CHECK_INT(request.cursor.items[0].partition_index, 3);
    CHECK(at.next == at.end);
    bytes = from_hex("01 000007d0 ff 00", &size_bytes);
    at = (struct kafka_cursor){bytes, bytes + size_bytes};
    CHECK_OK(kafka_decode(api->request(), 0, true, &at, &arena, &request, &err));
    CHECK_INT(request.cursor.count, 0);
    bytes = from_hex("01 000007d0", &size_bytes);
    at = (struct kafka_cursor){bytes, bytes + size_bytes};
    CHECK_INT(kafka_decode(api->request(), 0, true, &at, &arena, &request, &err), ERR_DATA);
    arena_fini(&arena);
}

TEST(api_versions_response_keeps_the_old_header)
{
    struct buf out;
    struct kafka_api_version version = {18, 0, 3};
    struct kafka_api_versions_response response = {.error_code = 35, .apis = {&version, 1}};
    buf_init(&out, 4096);
    kafka_response_encode(kafka_api_find(KAFKA_API_VERSIONS), 3, 1, &response, &out, NULL);
    CHECK_HEX(&out, "00000013 00000001 0023 02 0012 0000 0003 00 00000000 00");
    buf_fini(&out);
}

TEST(records_are_spliced)
{
    struct buf out;
    uint8_t records[100];
    struct kafka_fetch_partition_result partition = {
        .high_watermark = 5,
        .records = {records, sizeof(records), &out},
    };
    struct kafka_fetch_topic_result topic = {.name = STR("t"), .partitions = {&partition, 1}};
    struct kafka_fetch_response response = {.topics = {&topic, 1}};
    struct kafka_splice items[1];
    struct kafka_splices splices = {items, 0, 1};
    const struct kafka_api *api = kafka_api_find(KAFKA_FETCH);
    buf_init(&out, 4096);
    memset(records, 0xab, sizeof(records));
    kafka_response_encode(api, 12, 1, &response, &out, &splices);
    CHECK_INT(splices.count, 1);
    size_t spliced_bytes = out.length, position = items[0].position;
    CHECK_INT(get_be32(out.data), spliced_bytes + sizeof(records) - 4);
    buf_clear(&out);
    kafka_response_encode(api, 12, 1, &response, &out, NULL);
    CHECK_INT(out.length, spliced_bytes + sizeof(records));
    CHECK_INT(get_be32(out.data), out.length - 4);
    CHECK(memcmp(out.data + position, records, sizeof(records)) == 0);
    buf_fini(&out);
}

/* A seeded stream of bytes decodes to some message or an error; what decodes must come back the
 * same after encoding and decoding again. Arrays get small counts now and then, so that much
 * decodes. */
static uint64_t seed = 1;
static bool mostly_zero;
static uint8_t fill; /* 0 is an empty string or array; in flexible versions 1 is */
static uint8_t any_byte(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    uint8_t byte = (uint8_t)(seed >> 56);
    if (mostly_zero)
        return byte < 12 ? (uint8_t)(1 + byte % 2) : fill;
    return (seed >> 40 & 7) < 5 ? (uint8_t)(byte % 3) : byte;
}

static void round_and_round(const struct kafka_schema *schema, int16_t version, bool flexible,
                            uint32_t *out_decoded)
{
    uint8_t bytes[300];
    struct arena arena;
    struct error err = {0};
    struct buf first, second;
    arena_init(&arena, NULL, 1 << 20);
    buf_init(&first, 1 << 20);
    buf_init(&second, 1 << 20);
    mostly_zero = false;
    fill = flexible;
    size_t size_bytes = (any_byte() | (size_t)any_byte() << 3) % sizeof(bytes);
    mostly_zero = size_bytes & 1;
    if (mostly_zero)
        size_bytes = sizeof(bytes) - size_bytes;
    uint8_t *copy = malloc(sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++)
        copy[i] = any_byte();
    void *message = arena_alloc(&arena, 4096);
    /* the end of the block is the end of the input: sanitizers see one byte too many */
    struct kafka_cursor cursor = {copy + sizeof(bytes) - size_bytes, copy + sizeof(bytes)};
    if (kafka_decode(schema, version, flexible, &cursor, &arena, message, &err) == OK) {
        (*out_decoded)++;
        kafka_encode(schema, version, flexible, message, &first, NULL);
        cursor = (struct kafka_cursor){first.data, first.data + first.length};
        CHECK_OK(kafka_decode(schema, version, flexible, &cursor, &arena, message, &err));
        CHECK(cursor.next == cursor.end);
        kafka_encode(schema, version, flexible, message, &second, NULL);
        CHECK_INT(first.length, second.length);
        CHECK(first.length == 0 || memcmp(first.data, second.data, first.length) == 0);
        /* cut anywhere: an error, as nothing in a message is optional */
        for (size_t cut = 0; cut < first.length; cut++) {
            cursor = (struct kafka_cursor){first.data, first.data + cut};
            err = (struct error){0};
            CHECK_INT(kafka_decode(schema, version, flexible, &cursor, &arena, message, &err),
                      ERR_DATA);
        }
    } else {
        CHECK(err.code == ERR_DATA || err.code == ERR_LIMIT);
    }
    free(copy);
    arena_fini(&arena);
    buf_fini(&first);
    buf_fini(&second);
}

TEST(every_api_in_every_version)
{
    for (size_t i = 0; i < KAFKA_API_COUNT; i++) {
        const struct kafka_api *api = &KAFKA_APIS[i];
        for (int16_t version = api->min_version; version <= api->max_version; version++) {
            uint32_t requests = 0, responses = 0;
            for (int turn = 0; turn < 400 && !check_failed; turn++) {
                round_and_round(api->request(), version, kafka_api_flexible(api, version),
                                &requests);
                if (!check_failed)
                    round_and_round(api->response(), version, kafka_api_flexible(api, version),
                                    &responses);
            }
            if (check_failed || !requests || !responses)
                CHECK_FAIL("%s version %d: %u requests and %u responses decoded", api->name,
                           version, requests, responses);
        }
    }
}

TEST(a_huge_array_is_refused_before_memory_is_asked_for)
{
    size_t size_bytes;
    struct arena arena;
    struct error err = {0};
    struct kafka_metadata_request request;
    arena_init(&arena, NULL, 4096);
    uint8_t *bytes = from_hex("7fffffff 0003 616263 01", &size_bytes);
    struct kafka_cursor cursor = {bytes, bytes + size_bytes};
    CHECK_INT(
        kafka_decode(kafka_metadata_request_schema(), 4, false, &cursor, &arena, &request, &err),
        ERR_DATA);
    err = (struct error){0};
    bytes =
        from_hex("00000c00", &size_bytes); /* 3072 names could be there, but not in 4096 bytes */
    memset(bytes + 4, 0, 4000);
    cursor = (struct kafka_cursor){bytes, bytes + 4004};
    CHECK_INT(
        kafka_decode(kafka_metadata_request_schema(), 0, false, &cursor, &arena, &request, &err),
        ERR_LIMIT);
    arena_fini(&arena);
}
