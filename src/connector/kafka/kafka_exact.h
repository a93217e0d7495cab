/* kafka_exact.h - what the parts of the exactly-once kafka sink share: writers with a log
 * (kafka_exact.c), the committer (kafka_committer.c), its ledger (kafka_ledger.c).
 */
#ifndef LEAT_CONNECTOR_KAFKA_KAFKA_EXACT_H
#define LEAT_CONNECTOR_KAFKA_KAFKA_EXACT_H

#include "connector/kafka/kafka_client.h"
#include "connector/kafka/kafka_int.h"
#include "plugin/sink_log.h"

extern const struct kafka_sink_way KAFKA_EXACT_SINK;

enum status kafka_exact_prepare(struct kafka_writer *writer, struct sink_committables *out,
                                struct error *err) STATUS_CHECKED;

typedef enum status (*kafka_exact_row_fn)(void *context, uint32_t subtask, const void *value,
                                          size_t size_bytes, struct error *err);
/* Each row of a chunk of the log. */
enum status kafka_exact_rows(const struct buf *chunk, kafka_exact_row_fn each, void *context,
                             struct error *err) STATUS_CHECKED;

/* ---- the ledger: what the group leat-ledger-SINK_ID has committed for partition 0 of the topic:
 * offset = epoch, metadata = "LINEAGE/CHUNK/ROWS/FENCE", chunk and rows decimal, the others
 * hexadecimal. Whoever takes the sink over writes a fence of its own. ---- */

#define KAFKA_LEDGER_TEXT_MAX 128

void kafka_ledger_text(const struct sink_ledger *ledger, uint64_t fence,
                       char dest[KAFKA_LEDGER_TEXT_MAX]);
/* False: it is nothing of ours. */
bool kafka_ledger_parse(const char *text, size_t size_bytes, int64_t epoch, struct sink_ledger *out,
                        uint64_t *out_fence);
/* Ask the cluster. committed: only what no open transaction may still change. Blocks up to
 * timeout_ms. */
enum status kafka_ledger_read(const struct kafka_sink *sink, bool committed, int timeout_ms,
                              struct sink_ledger *out, uint64_t *out_fence,
                              struct error *err) STATUS_CHECKED;
/* librdkafka's settings for this sink's cluster (the process's own broker by its listener). */
enum status kafka_exact_conf(const struct kafka_sink *sink, bool producer, rd_kafka_conf_t **out,
                             struct error *err) STATUS_CHECKED;
/* conf is the client's or is freed. */
enum status kafka_exact_client(rd_kafka_type_t type, rd_kafka_conf_t *conf, rd_kafka_t **out,
                               struct error *err) STATUS_CHECKED;

/* ---- functions as in sink_class ---- */

enum status kafka_committer_open(struct sink *sink, struct sink_committer **out,
                                 struct error *err) STATUS_CHECKED;
enum status kafka_committer_ledger(struct sink_committer *committer, struct sink_ledger *out,
                                   struct error *err) STATUS_CHECKED;
enum status kafka_committer_commit(struct sink_committer *committer,
                                   const struct sink_commit *commit,
                                   struct error *err) STATUS_CHECKED;
void kafka_committer_forget(struct sink_committer *committer,
                            const struct sink_committable *committable);
void kafka_committer_close(struct sink_committer *committer);

#endif
