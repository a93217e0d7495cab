/* kafka_ledger.c - what a topic's cluster knows of an exactly-once sink: an offset of a group of
 * its own, committed in the same transactions as the rows (contracts.md rule 29).
 */
#include <inttypes.h>
#include <stdio.h>

#include "connector/kafka/kafka_exact.h"
#include "os/logger.h"

void kafka_ledger_text(const struct sink_ledger *ledger, uint64_t fence,
                       char dest[KAFKA_LEDGER_TEXT_MAX])
{
    for (int i = 0; i < SINK_LINEAGE_BYTES; i++)
        snprintf(dest + 2 * i, 3, "%02x", ledger->lineage[i]);
    snprintf(dest + 2 * SINK_LINEAGE_BYTES, KAFKA_LEDGER_TEXT_MAX - 2 * SINK_LINEAGE_BYTES,
             "/%" PRIu64 "/%" PRIu64 "/%016" PRIx64, ledger->position.chunk,
             ledger->position.row_count, fence);
}

/* Up to max_digits of them, until `end` (taken too; '\0': none is looked for). */
static bool take_digits(struct str *text, unsigned base, size_t max_digits, char end, uint64_t *out)
{
    size_t i = 0;
    *out = 0;
    for (; i < text->length && i < max_digits && text->data[i] != end; i++) {
        char c = text->data[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                                                : 99;
        if (digit >= base || *out > (UINT64_MAX - digit) / base)
            return false;
        *out = *out * base + digit;
    }
    if (i == 0 || (end && (i == text->length || text->data[i] != end)))
        return false;
    size_t taken = i + (end != '\0');
    *text = (struct str){text->data + taken, text->length - taken};
    return true;
}

bool kafka_ledger_parse(const char *text, size_t size_bytes, int64_t epoch, struct sink_ledger *out,
                        uint64_t *out_fence)
{
    struct str left = {text, size_bytes};
    uint64_t byte;

    *out = (struct sink_ledger){.found = true, .position = {.epoch = (uint64_t)epoch}};
    for (int i = 0; i < SINK_LINEAGE_BYTES; i++) {
        if (left.length < 2 || !take_digits(&left, 16, 2, '\0', &byte))
            return false;
        out->lineage[i] = (uint8_t)byte;
    }
    if (left.length == 0 || left.data[0] != '/')
        return false;
    left = (struct str){left.data + 1, left.length - 1};
    return take_digits(&left, 10, 20, '/', &out->position.chunk) &&
           take_digits(&left, 10, 20, '/', &out->position.row_count) &&
           take_digits(&left, 16, 16, '\0', out_fence) && left.length == 0;
}

static void on_log(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
    logger_write(level <= 3 ? LOG_WARN : LOG_DEBUG, "kafka", "%s: %s", facility, text);
}

enum status kafka_exact_conf(const struct kafka_sink *sink, bool producer, rd_kafka_conf_t **out,
                             struct error *err)
{
    struct kafka_options options = sink->options;
    options.bootstrap_servers = sink->servers;
    TRY(kafka_client_conf(&options, producer, out, err));
    rd_kafka_conf_set_log_cb(*out, on_log);
    return OK;
}

enum status kafka_exact_client(rd_kafka_type_t type, rd_kafka_conf_t *conf, rd_kafka_t **out,
                               struct error *err)
{
    char text[256];
    *out = rd_kafka_new(type, conf, text, sizeof(text));
    if (*out)
        return OK;
    rd_kafka_conf_destroy(conf);
    error_set(err, ERR_OPTION, "the Kafka client cannot start: %s", text);
    if (err)
        err->fatal = true;
    return ERR_OPTION;
}

static enum status reader_open(const struct kafka_sink *sink, bool committed, rd_kafka_t **out,
                               struct error *err)
{
    rd_kafka_conf_t *conf = NULL;
    char text[256];

    TRY(kafka_exact_conf(sink, false, &conf, err));
    if (rd_kafka_conf_set(conf, "group.id", sink->ledger_group, text, sizeof(text)) !=
            RD_KAFKA_CONF_OK ||
        rd_kafka_conf_set(conf, "isolation.level",
                          committed ? "read_committed" : "read_uncommitted", text,
                          sizeof(text)) != RD_KAFKA_CONF_OK) {
        rd_kafka_conf_destroy(conf);
        return error_set(err, ERR_OPTION, "%s", text);
    }
    return kafka_exact_client(RD_KAFKA_CONSUMER, conf, out, err);
}

static enum status understand(const struct kafka_sink *sink,
                              const rd_kafka_topic_partition_t *partition, struct sink_ledger *out,
                              uint64_t *out_fence, struct error *err)
{
    if (partition->offset < 0)
        return OK;
    if (kafka_ledger_parse(partition->metadata, partition->metadata_size, partition->offset, out,
                           out_fence))
        return OK;
    error_set(err, ERR_DATA,
              "group '%s' has an offset for topic '%s' that is no ledger of leat's: \"%.*s\"",
              sink->ledger_group, partition->topic, (int)partition->metadata_size,
              partition->metadata ? (const char *)partition->metadata : "");
    if (err)
        err->fatal = true;
    return ERR_DATA;
}

enum status kafka_ledger_read(const struct kafka_sink *sink, bool committed, int timeout_ms,
                              struct sink_ledger *out, uint64_t *out_fence, struct error *err)
{
    rd_kafka_t *client = NULL;

    *out = (struct sink_ledger){0};
    *out_fence = 0;
    TRY(reader_open(sink, committed, &client, err));
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *partition =
        rd_kafka_topic_partition_list_add(list, sink->topic_name, 0);
    rd_kafka_resp_err_t code = rd_kafka_committed(client, list, timeout_ms);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        code = partition->err;
    enum status status = OK;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        status = understand(sink, partition, out, out_fence, err);
    else if (code != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        status = kafka_client_error(code, err, "the ledger cannot be read (group '%s')",
                                    sink->ledger_group);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(client);
    return status;
}
