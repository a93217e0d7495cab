/* gateway.h - the statement API: sessions, statements and results in the manner of Flink's SQL
 * Gateway (REST, version 3), so that its clients can talk to leat.
 *
 *   session (settings; idle time-out) --statement--> operation --result by token--> pages of rows
 *
 * A statement runs on a thread for SQL; a session's statements run one after another. The rows of a
 * query wait as batches, GATEWAY_BATCHES_MAX at most, then its job waits (back-pressure). The last
 * page can be asked for again. An INSERT's job goes on after its session has been closed.
 *
 * Threads: any; nothing here may be called on the loop's thread (statements, and closing a query,
 * wait).
 */
#ifndef LEAT_SERVER_GATEWAY_H
#define LEAT_SERVER_GATEWAY_H

#include "engine/engine.h"
#include "os/thread.h"

#define GATEWAY_SESSIONS_MAX   256
#define GATEWAY_OPERATIONS_MAX 64 /* of a session */
#define GATEWAY_BATCHES_MAX    64
#define GATEWAY_PAGE_ROWS      2048
#define GATEWAY_PAGE_BYTES     (4u << 20)
#define GATEWAY_IDLE_US        INT64_C(600000000) /* ten minutes, Flink's default */
#define GATEWAY_STATEMENT_MAX  (1u << 20)
#define HANDLE_BYTES           37 /* a UUID with its NUL */

struct gateway;

struct gateway_settings {
    struct io *io;
    struct io_pool *pool; /* for SQL */
    struct engine *engine;
};

struct gateway_pair { /* of a session's properties */
    struct str key, value;
};

enum status gateway_new(struct gateway **out, const struct gateway_settings *settings,
                        struct error *err) STATUS_CHECKED;
/* Closes what has been idle for too long; may wait. Now and then, on a pool thread. */
void gateway_tidy(struct gateway *gateway);
/* Ends queries, refuses new statements. The pool's threads have ended. */
void gateway_stop(struct gateway *gateway);
void gateway_free(struct gateway *gateway);

enum status gateway_session_open(struct gateway *gateway, const struct gateway_pair *properties,
                                 size_t property_count, char handle[HANDLE_BYTES],
                                 struct error *err) STATUS_CHECKED;
/* ERR_NOT_FOUND for handles that are not (any more) there; so below. */
enum status gateway_session_close(struct gateway *gateway, const char *session,
                                  struct error *err) STATUS_CHECKED;
enum status gateway_session_touch(struct gateway *gateway, const char *session,
                                  struct error *err) STATUS_CHECKED;
/* Appends the settings as JSON members. */
enum status gateway_session_config(struct gateway *gateway, const char *session, struct buf *out,
                                   struct error *err) STATUS_CHECKED;
/* Runs it at once, without a result: SET, CREATE, DROP. */
enum status gateway_configure(struct gateway *gateway, const char *session, struct str statement,
                              struct error *err) STATUS_CHECKED;
enum status gateway_execute(struct gateway *gateway, const char *session, struct str statement,
                            char handle[HANDLE_BYTES], struct error *err) STATUS_CHECKED;
/* *out: "PENDING", "RUNNING", "FINISHED", "CANCELED", "ERROR". */
enum status gateway_status(struct gateway *gateway, const char *session, const char *operation,
                           const char **out, struct error *err) STATUS_CHECKED;
enum status gateway_cancel(struct gateway *gateway, const char *session, const char *operation,
                           struct error *err) STATUS_CHECKED;
enum status gateway_close(struct gateway *gateway, const char *session, const char *operation,
                          struct error *err) STATUS_CHECKED;
/* Appends the answer. token: the next one, or the last one again. plain: fields as text. */
enum status gateway_fetch(struct gateway *gateway, const char *session, const char *operation,
                          uint64_t token, bool plain, struct buf *out,
                          struct error *err) STATUS_CHECKED;

#endif
