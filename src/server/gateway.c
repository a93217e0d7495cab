/* gateway.c - sessions of the statement API: made, found, forgotten. */
#include "server/gateway.h"

#include <stdio.h>

#include "base/must.h"
#include "server/gateway_int.h"

enum status gateway_new(struct gateway **out, const struct gateway_settings *settings,
                        struct error *err)
{
    struct gateway *gateway = mem_calloc(1, sizeof(*gateway));
    if (!gateway)
        return error_memory(err, "the statement API", sizeof(*gateway));
    gateway->settings = *settings;
    mutex_init(&gateway->mutex);
    *out = gateway;
    return OK;
}

static void make_handle(struct io *io, char handle[HANDLE_BYTES])
{
    uint8_t bytes[16];
    size_t at = 0;
    io_random(io, bytes, sizeof(bytes));
    bytes[6] = (uint8_t)((bytes[6] & 0x0F) | 0x40); /* a UUID of version 4 */
    bytes[8] = (uint8_t)((bytes[8] & 0x3F) | 0x80);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bool dash = i == 4 || i == 6 || i == 8 || i == 10;
        at += (size_t)snprintf(handle + at, HANDLE_BYTES - at, dash ? "-%02x" : "%02x", bytes[i]);
    }
}

/* ---- sessions */

void gateway_session_unref(struct gateway_session *session)
{
    if (!session || atomic_fetch_sub_explicit(&session->refs, 1, memory_order_acq_rel) != 1)
        return;
    engine_session_free(session->session);
    mutex_fini(&session->mutex);
    mutex_fini(&session->turn);
    mem_free(session);
}

static enum status session_find(struct gateway *gateway, const char *handle,
                                struct gateway_session **out, struct error *err)
{
    mutex_lock(&gateway->mutex);
    struct gateway_session *session = gateway->sessions;
    while (session && strcmp(session->handle, handle) != 0)
        session = session->next;
    if (session) {
        atomic_fetch_add_explicit(&session->refs, 1, memory_order_relaxed);
        atomic_store(&session->used_us, io_monotonic_us(gateway->settings.io));
    }
    mutex_unlock(&gateway->mutex);
    *out = session;
    if (session)
        return OK;
    error_set(err, ERR_NOT_FOUND, "there is no session '%.40s'", handle);
    error_hint(err, "a session that is not used for ten minutes is closed");
    return ERR_NOT_FOUND;
}

/* It is off the gateway's list; the list's reference is given up. */
static void session_end(struct gateway_session *session)
{
    mutex_lock(&session->mutex);
    struct operation *operations = session->operations, *next;
    session->operations = NULL;
    session->operation_count = 0;
    mutex_unlock(&session->mutex);
    for (struct operation *operation = operations; operation; operation = next) {
        next = operation->next;
        operation_end(operation);
        operation_unref(operation);
    }
    gateway_session_unref(session);
}

/* Those idle for too long, or all. */
static void end_sessions(struct gateway *gateway, bool all)
{
    struct gateway_session *ended = NULL, *next;
    int64_t since_us = io_monotonic_us(gateway->settings.io) - GATEWAY_IDLE_US;
    mutex_lock(&gateway->mutex);
    for (struct gateway_session **at = &gateway->sessions; *at;) {
        struct gateway_session *session = *at;
        if (!all && atomic_load(&session->used_us) > since_us) {
            at = &session->next;
            continue;
        }
        *at = session->next;
        session->next = ended;
        ended = session;
        gateway->session_count--;
    }
    mutex_unlock(&gateway->mutex);
    for (; ended; ended = next) {
        next = ended->next;
        session_end(ended);
    }
}

/* Jobs of INSERTs that have ended need not be kept for anybody. */
static void release_inserts(struct gateway *gateway)
{
    mutex_lock(&gateway->mutex);
    for (uint32_t i = 0; i < gateway->insert_count;) {
        struct engine_job *job = engine_job_find(gateway->settings.engine, gateway->insert_ids[i]);
        bool ended = !job || engine_job_wait(job, 0);
        if (ended && job)
            engine_job_release(job);
        engine_job_unref(job);
        if (ended)
            gateway->insert_ids[i] = gateway->insert_ids[--gateway->insert_count];
        else
            i++;
    }
    mutex_unlock(&gateway->mutex);
}

void gateway_remember_insert(struct gateway *gateway, uint32_t job_id)
{
    mutex_lock(&gateway->mutex);
    if (gateway->insert_count == gateway->insert_capacity) {
        uint32_t capacity = gateway->insert_capacity ? gateway->insert_capacity * 2 : 16;
        uint32_t *ids = mem_realloc(gateway->insert_ids, capacity * sizeof(*ids));
        if (ids) {
            gateway->insert_ids = ids;
            gateway->insert_capacity = capacity;
        }
    }
    if (gateway->insert_count < gateway->insert_capacity) /* else it is kept until the end */
        gateway->insert_ids[gateway->insert_count++] = job_id;
    mutex_unlock(&gateway->mutex);
}

void gateway_tidy(struct gateway *gateway)
{
    end_sessions(gateway, false);
    release_inserts(gateway);
}

static enum status session_make(struct gateway *gateway, const struct gateway_pair *properties,
                                size_t property_count, struct gateway_session **out,
                                struct error *err)
{
    struct gateway_session *session = mem_calloc(1, sizeof(*session));
    if (!session)
        return error_memory(err, "a session", sizeof(*session));
    session->gateway = gateway;
    atomic_init(&session->refs, 1);
    atomic_init(&session->used_us, io_monotonic_us(gateway->settings.io));
    mutex_init(&session->turn);
    mutex_init(&session->mutex);
    make_handle(gateway->settings.io, session->handle);
    enum status status = engine_session_new(&session->session, gateway->settings.engine, err);
    if (status == OK)
        engine_session_restrict(session->session);
    for (size_t i = 0; i < property_count && status == OK; i++)
        status = session_set(session->session, properties[i].key, properties[i].value, err);
    if (status != OK) {
        gateway_session_unref(session);
        return status;
    }
    *out = session;
    return OK;
}

enum status gateway_session_open(struct gateway *gateway, const struct gateway_pair *properties,
                                 size_t property_count, char handle[HANDLE_BYTES],
                                 struct error *err)
{
    struct gateway_session *session = NULL;
    enum status status = OK;
    gateway_tidy(gateway);
    TRY(session_make(gateway, properties, property_count, &session, err));
    memcpy(handle, session->handle, HANDLE_BYTES);
    mutex_lock(&gateway->mutex);
    if (atomic_load(&gateway->stopping)) {
        status = error_set(err, ERR_CLOSED, "leat is ending");
    } else if (gateway->session_count == GATEWAY_SESSIONS_MAX) {
        status = error_set(err, ERR_LIMIT, "there are %d sessions already", GATEWAY_SESSIONS_MAX);
    } else {
        session->next = gateway->sessions;
        gateway->sessions = session;
        gateway->session_count++;
    }
    mutex_unlock(&gateway->mutex);
    if (status != OK)
        gateway_session_unref(session);
    return status;
}

enum status gateway_session_close(struct gateway *gateway, const char *handle, struct error *err)
{
    struct gateway_session *session, *found = NULL;
    TRY(session_find(gateway, handle, &session, err));
    mutex_lock(&gateway->mutex);
    for (struct gateway_session **at = &gateway->sessions; *at; at = &(*at)->next) {
        if (*at != session)
            continue;
        found = session;
        *at = session->next;
        gateway->session_count--;
        break;
    }
    mutex_unlock(&gateway->mutex);
    if (found)
        session_end(found);
    gateway_session_unref(session);
    return OK;
}

enum status gateway_session_touch(struct gateway *gateway, const char *handle, struct error *err)
{
    struct gateway_session *session;
    TRY(session_find(gateway, handle, &session, err));
    gateway_session_unref(session);
    return OK;
}

enum status gateway_session_config(struct gateway *gateway, const char *handle, struct buf *out,
                                   struct error *err)
{
    struct gateway_session *session;
    size_t count;
    const struct option_def *settings = session_settings(&count);
    TRY(session_find(gateway, handle, &session, err));
    mutex_lock(&session->turn);
    for (size_t i = 0; i < count; i++) {
        const char *value = session_get(session->session, settings[i].key);
        if (value)
            json_add_text(out, settings[i].key, value);
    }
    mutex_unlock(&session->turn);
    gateway_session_unref(session);
    return OK;
}

void gateway_stop(struct gateway *gateway)
{
    atomic_store(&gateway->stopping, true);
    end_sessions(gateway, true);
    release_inserts(gateway);
}

void gateway_free(struct gateway *gateway)
{
    if (!gateway)
        return;
    must(!gateway->sessions);
    mem_free(gateway->insert_ids);
    mutex_fini(&gateway->mutex);
    mem_free(gateway);
}

/* ---- operations */

static enum status operation_find(struct gateway *gateway, const char *handle,
                                  const char *operation_handle, struct operation **out,
                                  struct error *err)
{
    struct gateway_session *session;
    TRY(session_find(gateway, handle, &session, err));
    mutex_lock(&session->mutex);
    struct operation *operation = session->operations;
    while (operation && strcmp(operation->handle, operation_handle) != 0)
        operation = operation->next;
    if (operation)
        atomic_fetch_add_explicit(&operation->refs, 1, memory_order_relaxed);
    mutex_unlock(&session->mutex);
    gateway_session_unref(session);
    *out = operation;
    return operation ? OK
                     : error_set(err, ERR_NOT_FOUND, "the session has no operation '%.40s'",
                                 operation_handle);
}

enum status gateway_configure(struct gateway *gateway, const char *handle, struct str statement,
                              struct error *err)
{
    struct gateway_session *session;
    struct operation *operation;
    TRY(session_find(gateway, handle, &session, err));
    enum status status = operation_new(&operation, session, statement, err);
    gateway_session_unref(session);
    TRY(status);
    operation_run(operation);
    if (operation->state == OPERATION_ERROR) {
        *err = operation->error;
        status = operation->error.code;
    } else if (operation->job_id) {
        struct engine_job *job = engine_job_find(gateway->settings.engine, operation->job_id);
        if (job)
            engine_job_cancel(job);
        engine_job_unref(job);
        operation_end(operation);
        status = error_set(err, ERR_USAGE, "this configures nothing: use the path 'statements'");
    }
    operation_unref(operation);
    return status;
}

enum status gateway_execute(struct gateway *gateway, const char *handle, struct str statement,
                            char operation_handle[HANDLE_BYTES], struct error *err)
{
    struct gateway_session *session;
    struct operation *operation;
    release_inserts(gateway);
    TRY(session_find(gateway, handle, &session, err));
    enum status status = operation_new(&operation, session, statement, err);
    if (status == OK) {
        make_handle(gateway->settings.io, operation->handle);
        memcpy(operation_handle, operation->handle, HANDLE_BYTES);
        mutex_lock(&session->mutex);
        if (session->operation_count == GATEWAY_OPERATIONS_MAX) {
            status = error_set(err, ERR_LIMIT, "the session has %d operations: close some",
                               GATEWAY_OPERATIONS_MAX);
        } else {
            session->operation_count++;
            operation->next = session->operations;
            session->operations = operation;
            atomic_fetch_add_explicit(&operation->refs, 1, memory_order_relaxed); /* the task's */
        }
        mutex_unlock(&session->mutex);
        if (status == OK)
            operation_start(operation);
        else
            operation_unref(operation);
    }
    gateway_session_unref(session);
    return status;
}

enum status gateway_status(struct gateway *gateway, const char *session, const char *handle,
                           const char **out, struct error *err)
{
    static const char *const NAMES[] = {"PENDING", "RUNNING", "FINISHED", "CANCELED", "ERROR"};
    struct operation *operation;
    TRY(operation_find(gateway, session, handle, &operation, err));
    mutex_lock(&operation->mutex);
    *out = NAMES[operation->state];
    mutex_unlock(&operation->mutex);
    operation_unref(operation);
    return OK;
}

enum status gateway_cancel(struct gateway *gateway, const char *session, const char *handle,
                           struct error *err)
{
    struct operation *operation;
    TRY(operation_find(gateway, session, handle, &operation, err));
    operation_cancel(operation);
    operation_unref(operation);
    return OK;
}

enum status gateway_close(struct gateway *gateway, const char *session_handle, const char *handle,
                          struct error *err)
{
    struct operation *operation;
    TRY(operation_find(gateway, session_handle, handle, &operation, err));
    struct gateway_session *session = operation->session;
    bool listed = false;
    mutex_lock(&session->mutex);
    for (struct operation **at = &session->operations; *at; at = &(*at)->next) {
        if (*at != operation)
            continue;
        *at = operation->next;
        session->operation_count--;
        listed = true;
        break;
    }
    mutex_unlock(&session->mutex);
    operation_end(operation);
    if (listed)
        operation_unref(operation);
    operation_unref(operation);
    return OK;
}

enum status gateway_fetch(struct gateway *gateway, const char *session, const char *handle,
                          uint64_t token, bool plain, struct buf *out, struct error *err)
{
    struct operation *operation;
    TRY(operation_find(gateway, session, handle, &operation, err));
    enum status status = operation_fetch(operation, token, plain, out, err);
    operation_unref(operation);
    return status;
}
