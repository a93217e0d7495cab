/* message.h - the protocol's messages as plain C structs, and the codec between them and bytes.
 *
 * Every message is written down once, in message.def; structs, tables, decoder and encoder follow
 * from it. Decoding never trusts: all lengths are checked against what is there, arrays against the
 * arena's maximum, nesting is bounded by the tables. Strings and records point into the request.
 * A null string has data NULL, a null array count -1.
 */
#ifndef LEAT_KAFKA_MESSAGE_H
#define LEAT_KAFKA_MESSAGE_H

#include "base/buffer.h"
#include "base/str.h"

#define KAFKA_UUID_BYTES 16

struct kafka_uuid {
    uint8_t bytes[KAFKA_UUID_BYTES];
};

struct kafka_records { /* size_bytes of record batches, or other bytes; data NULL: null */
    uint8_t *data;
    size_t size_bytes;
    void *source; /* not NULL: the encoder leaves the bytes out and notes a splice (see below) */
};

#define KAFKA_TYPE_BOOL    bool
#define KAFKA_TYPE_INT8    int8_t
#define KAFKA_TYPE_INT16   int16_t
#define KAFKA_TYPE_INT32   int32_t
#define KAFKA_TYPE_INT64   int64_t
#define KAFKA_TYPE_UUID    struct kafka_uuid
#define KAFKA_TYPE_STRING  struct str
#define KAFKA_TYPE_RECORDS struct kafka_records
#define KAFKA_TYPE_BYTES   struct kafka_records
#define KAFKA_TYPE_ARRAY_OF(type)                                                                  \
    struct {                                                                                       \
        type *items;                                                                               \
        int32_t count;                                                                             \
    }
#define KAFKA_TYPE_INT32S  KAFKA_TYPE_ARRAY_OF(int32_t)
#define KAFKA_TYPE_INT64S  KAFKA_TYPE_ARRAY_OF(int64_t)
#define KAFKA_TYPE_STRINGS KAFKA_TYPE_ARRAY_OF(struct str)

#define STRUCT(name)                    struct kafka_##name {
#define F(kind, name, from, to, ...)    KAFKA_TYPE_##kind name;
#define A(element, name, from, to, ...) KAFKA_TYPE_ARRAY_OF(struct kafka_##element) name;
#define O(element, name, from, to)      KAFKA_TYPE_ARRAY_OF(struct kafka_##element) name;
#define END(name)                                                                                  \
    }                                                                                              \
    ;
#include "kafka/message.def"
#undef STRUCT
#undef F
#undef A
#undef O
#undef END

struct kafka_schema; /* the table of one struct */

#define STRUCT(name) const struct kafka_schema *kafka_##name##_schema(void);
#define F(kind, name, from, to, ...)
#define A(element, name, from, to, ...)
#define O(element, name, from, to)
#define END(name)
#include "kafka/message.def"
#undef STRUCT
#undef F
#undef A
#undef O
#undef END

struct kafka_cursor { /* what is still to read */
    uint8_t *next;
    uint8_t *end;
};

/* Read one message of a version into *out (a struct of the schema; all fields set). Arrays are in
 * the arena. ERR_DATA: cut off, a length that cannot be, null where it is not allowed; ERR_LIMIT:
 * the arena's maximum. */
enum status kafka_decode(const struct kafka_schema *schema, int16_t version, bool flexible,
                         struct kafka_cursor *cursor, struct arena *arena, void *out,
                         struct error *err) STATUS_CHECKED;

struct kafka_splice { /* bytes that belong at this position of the output, but are not in it */
    size_t position;
    const struct kafka_records *records;
};
struct kafka_splices {
    struct kafka_splice *items; /* the caller's, of `room` entries; past them records are copied */
    uint32_t count;
    uint32_t room;
};

/* Append one message. splices may be NULL (then records are copied in). Failures are out's sticky
 * one. Null where it is not allowed is written as empty. */
void kafka_encode(const struct kafka_schema *schema, int16_t version, bool flexible,
                  const void *message, struct buf *out, struct kafka_splices *splices);

#endif
