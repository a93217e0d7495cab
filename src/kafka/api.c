/* api.c - the table of APIs, request and response headers. */
#include "kafka/api.h"

#include "base/must.h"
#include "kafka/bytes.h"

const struct kafka_api KAFKA_APIS[] = {
#define X(enumerator, key, name, prefix, min, max, flexible)                                       \
    {enumerator,                                                                                   \
     min,                                                                                          \
     max,                                                                                          \
     flexible,                                                                                     \
     sizeof(struct kafka_##prefix##_request),                                                      \
     name,                                                                                         \
     kafka_##prefix##_request_schema,                                                              \
     kafka_##prefix##_response_schema},
    KAFKA_API_TABLE(X)
#undef X
};
const size_t KAFKA_API_COUNT = COUNT_OF(KAFKA_APIS);

const struct kafka_api *kafka_api_find(int16_t key)
{
    for (size_t i = 0; i < KAFKA_API_COUNT; i++)
        if ((int16_t)KAFKA_APIS[i].key == key)
            return &KAFKA_APIS[i];
    return NULL;
}

/* Tagged fields of a header: a count that is 0 in every client known, skipped otherwise. */
static bool header_tags_skip(struct kafka_cursor *cursor)
{
    uint64_t count, tag, size_bytes;
    const uint8_t *next = uvarint_get(cursor->next, cursor->end, &count);
    if (!next || count > (size_t)(cursor->end - next))
        return false;
    while (count--) {
        if (!(next = uvarint_get(next, cursor->end, &tag)) ||
            !(next = uvarint_get(next, cursor->end, &size_bytes)) ||
            size_bytes > (size_t)(cursor->end - next))
            return false;
        next += size_bytes;
    }
    cursor->next += next - cursor->next;
    return true;
}

enum status kafka_request_header_decode(struct kafka_cursor *cursor,
                                        struct kafka_request_header *out,
                                        const struct kafka_api **out_api, struct error *err)
{
    if (cursor->end - cursor->next < 8)
        return error_set(err, ERR_DATA, "the request is too short for a header");
    *out = (struct kafka_request_header){
        .key = (int16_t)get_be16(cursor->next),
        .version = (int16_t)get_be16(cursor->next + 2),
        .correlation_id = (int32_t)get_be32(cursor->next + 4),
    };
    cursor->next += 8;
    const struct kafka_api *api = *out_api = kafka_api_find(out->key);
    if (!api || out->version < api->min_version || out->version > api->max_version)
        return OK;
    if (cursor->end - cursor->next < 2)
        return error_set(err, ERR_DATA, "the request is too short for a header");
    int16_t length = (int16_t)get_be16(cursor->next);
    cursor->next += 2;
    if (length < -1 || length > cursor->end - cursor->next)
        return error_set(err, ERR_DATA, "the request's client id is cut off");
    if (length >= 0) {
        out->client_id = (struct str){(const char *)cursor->next, (size_t)length};
        cursor->next += length;
    }
    if (kafka_api_flexible(api, out->version) && !header_tags_skip(cursor))
        return error_set(err, ERR_DATA, "the request's header is damaged");
    return OK;
}

void kafka_request_encode(const struct kafka_api *api, const struct kafka_request_header *header,
                          const void *request, struct buf *out)
{
    size_t start = out->length;
    bool flexible = kafka_api_flexible(api, header->version);
    uint8_t *dest = buf_room(out, 14);
    if (!dest)
        return;
    put_be16(dest + 4, (uint16_t)header->key);
    put_be16(dest + 6, (uint16_t)header->version);
    put_be32(dest + 8, (uint32_t)header->correlation_id);
    put_be16(dest + 12, header->client_id.data ? (uint16_t)header->client_id.length : UINT16_MAX);
    out->length += 14;
    buf_append(out, header->client_id.data, header->client_id.length);
    if (flexible)
        buf_append_byte(out, 0);
    kafka_encode(api->request(), header->version, flexible, request, out, NULL);
    if (!out->failed)
        put_be32(out->data + start, (uint32_t)(out->length - start - 4));
}

void kafka_response_encode(const struct kafka_api *api, int16_t version, int32_t correlation_id,
                           const void *response, struct buf *out, struct kafka_splices *splices)
{
    size_t start = out->length;
    bool flexible = kafka_api_flexible(api, version);
    uint32_t first_splice = splices ? splices->count : 0;
    uint8_t *dest = buf_room(out, 8);
    if (!dest)
        return;
    put_be32(dest + 4, (uint32_t)correlation_id);
    out->length += 8;
    /* ApiVersions keeps the old header, so that a client can read it before it knows the broker. */
    if (flexible && api->key != KAFKA_API_VERSIONS)
        buf_append_byte(out, 0);
    kafka_encode(api->response(), version, flexible, response, out, splices);
    if (out->failed)
        return;
    size_t size_bytes = out->length - start - 4;
    for (uint32_t i = first_splice; splices && i < splices->count; i++)
        size_bytes += splices->items[i].records->size_bytes;
    put_be32(out->data + start, (uint32_t)size_bytes);
}
