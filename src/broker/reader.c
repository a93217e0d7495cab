/* reader.c - a session's log readers: one per partition that it fetches, kept between requests so
 * that reading on costs no lookup. At most SESSION_READERS_MAX; past that the oldest makes room. */
#include "broker/broker_int.h"

static void reader_close(struct session_reader *entry)
{
    log_reader_close(entry->reader);
    log_partition_unref(entry->partition);
    *entry = (struct session_reader){0};
}

/* A place for one more, or NULL. */
static struct session_reader *reader_place(struct session *session)
{
    if (session->reader_count == SESSION_READERS_MAX) {
        struct session_reader *entry = &session->readers[session->reader_next];
        session->reader_next = (session->reader_next + 1) % SESSION_READERS_MAX;
        reader_close(entry);
        return entry;
    }
    if (session->reader_count == session->reader_room) {
        uint32_t room = session->reader_room ? session->reader_room * 2 : 4;
        struct session_reader *grown =
            mem_realloc(session->readers, room * sizeof(struct session_reader));
        if (!grown)
            return NULL;
        session->readers = grown;
        session->reader_room = room;
    }
    session->readers[session->reader_count] = (struct session_reader){0};
    return &session->readers[session->reader_count++];
}

struct log_reader *session_reader(struct session *session, struct log_partition *partition,
                                  struct error *err)
{
    for (uint32_t i = 0; i < session->reader_count; i++)
        if (session->readers[i].partition == partition)
            return session->readers[i].reader;
    struct log_reader *reader;
    if (log_reader_open(&reader, partition, err) != OK)
        return NULL;
    struct session_reader *entry = reader_place(session);
    if (!entry) {
        log_reader_close(reader);
        error_memory(err, "reader", sizeof(*entry));
        return NULL;
    }
    *entry = (struct session_reader){log_partition_ref(partition), reader};
    return reader;
}

void session_readers_close(struct session *session)
{
    for (uint32_t i = 0; i < session->reader_count; i++)
        reader_close(&session->readers[i]);
    mem_free(session->readers);
    session->readers = NULL;
    session->reader_count = session->reader_room = 0;
}
