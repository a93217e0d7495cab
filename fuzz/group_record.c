/* group_record - any bytes as a record of __consumer_offsets: the key's length as two bytes, the
 * key, the rest is the value. What is read is used: a group is restored from it. */
#include <stddef.h>
#include <stdint.h>

#include "base/must.h"
#include "broker/group_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mem_owner owner;
    struct group_env env = {.owner = &owner};
    struct group_record out;
    struct arena arena;
    struct error err = {0};
    if (size < 2)
        return 0;
    size_t key_bytes = data[0] | (size_t)data[1] << 8;
    data += 2;
    size -= 2;
    if (key_bytes > size)
        key_bytes = size;
    /* Copies, so that a read past either end is seen. */
    uint8_t *key = mem_alloc(key_bytes), *value = mem_alloc(size - key_bytes);
    memcpy(key, data, key_bytes);
    memcpy(value, data + key_bytes, size - key_bytes);
    struct record record = {.key = key,
                            .key_bytes = (int32_t)key_bytes,
                            .value = value,
                            .value_bytes = size == key_bytes ? -1 : (int32_t)(size - key_bytes)};
    mem_owner_init(&owner, NULL, "groups");
    arena_init(&arena, NULL, 16 << 20);
    if (group_record_read(&out, &record, &arena, &err) == OK && out.kind != GROUP_RECORD_OTHER) {
        struct group *group = group_new(&env, out.group_id);
        must(group);
        enum status status = OK;
        if (out.kind == GROUP_RECORD_OFFSET && !out.tombstone)
            must(group_offsets_set(group, out.topic, &out.topic_id, &out.offset));
        for (int32_t i = 0; status == OK && i < out.metadata.members.count; i++)
            status = group_restore_member(group, &out.metadata.members.items[i], &err);
        if (status == OK && out.kind == GROUP_RECORD_METADATA && !out.tombstone)
            status = group_restore(group, &out.metadata, &err);
        must(status == OK);
        (void)group_is_subscribed(group, STR("t"));
        group_offsets_free(group);
        group_free(group);
    }
    arena_fini(&arena);
    mem_owner_fini(&owner);
    mem_free(key);
    mem_free(value);
    return 0;
}
