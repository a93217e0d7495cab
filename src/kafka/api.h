/* api.h - the APIs that leat's broker speaks, their versions, headers and error codes.
 *
 * A version is in the table only when it is complete. Frames on the wire: length i32, then
 * header and message. Produce 0 to 2 are there because librdkafka before 2.8 compresses only if a
 * broker lists version 0; their record formats 0 and 1 are refused, as by Kafka 4. Transactions are
 * those of transaction.version 1: EndTxn and TxnOffsetCommit up to 4, AddPartitionsToTxn up to 3.
 */
#ifndef LEAT_KAFKA_API_H
#define LEAT_KAFKA_API_H

#include "kafka/message.h"

/* X(enumerator, key, name, message prefix, min version, max version, first flexible version) */
#define KAFKA_API_TABLE(X)                                                                         \
    X(KAFKA_PRODUCE, 0, "Produce", produce, 0, 13, 9)                                              \
    X(KAFKA_FETCH, 1, "Fetch", fetch, 4, 18, 12)                                                   \
    X(KAFKA_LIST_OFFSETS, 2, "ListOffsets", list_offsets, 1, 11, 6)                                \
    X(KAFKA_METADATA, 3, "Metadata", metadata, 0, 13, 9)                                           \
    X(KAFKA_OFFSET_COMMIT, 8, "OffsetCommit", offset_commit, 2, 10, 8)                             \
    X(KAFKA_OFFSET_FETCH, 9, "OffsetFetch", offset_fetch, 1, 10, 6)                                \
    X(KAFKA_FIND_COORDINATOR, 10, "FindCoordinator", find_coordinator, 0, 6, 3)                    \
    X(KAFKA_JOIN_GROUP, 11, "JoinGroup", join_group, 0, 9, 6)                                      \
    X(KAFKA_HEARTBEAT, 12, "Heartbeat", heartbeat, 0, 4, 4)                                        \
    X(KAFKA_LEAVE_GROUP, 13, "LeaveGroup", leave_group, 0, 5, 4)                                   \
    X(KAFKA_SYNC_GROUP, 14, "SyncGroup", sync_group, 0, 5, 4)                                      \
    X(KAFKA_DESCRIBE_GROUPS, 15, "DescribeGroups", describe_groups, 0, 6, 5)                       \
    X(KAFKA_LIST_GROUPS, 16, "ListGroups", list_groups, 0, 5, 3)                                   \
    X(KAFKA_API_VERSIONS, 18, "ApiVersions", api_versions, 0, 4, 3)                                \
    X(KAFKA_CREATE_TOPICS, 19, "CreateTopics", create_topics, 0, 7, 5)                             \
    X(KAFKA_DELETE_TOPICS, 20, "DeleteTopics", delete_topics, 0, 6, 4)                             \
    X(KAFKA_DELETE_RECORDS, 21, "DeleteRecords", delete_records, 0, 2, 2)                          \
    X(KAFKA_INIT_PRODUCER_ID, 22, "InitProducerId", init_producer_id, 0, 5, 2)                     \
    X(KAFKA_OFFSET_FOR_LEADER_EPOCH, 23, "OffsetForLeaderEpoch", leader_epoch, 0, 4, 4)            \
    X(KAFKA_ADD_PARTITIONS_TO_TXN, 24, "AddPartitionsToTxn", add_partitions, 0, 3, 3)              \
    X(KAFKA_ADD_OFFSETS_TO_TXN, 25, "AddOffsetsToTxn", add_offsets, 0, 4, 3)                       \
    X(KAFKA_END_TXN, 26, "EndTxn", end_txn, 0, 4, 3)                                               \
    X(KAFKA_TXN_OFFSET_COMMIT, 28, "TxnOffsetCommit", txn_offset_commit, 0, 4, 3)                  \
    X(KAFKA_DESCRIBE_CONFIGS, 32, "DescribeConfigs", describe_configs, 0, 4, 4)                    \
    X(KAFKA_ALTER_CONFIGS, 33, "AlterConfigs", alter_configs, 0, 2, 2)                             \
    X(KAFKA_DESCRIBE_LOG_DIRS, 35, "DescribeLogDirs", log_dirs, 1, 5, 2)                           \
    X(KAFKA_CREATE_PARTITIONS, 37, "CreatePartitions", create_partitions, 0, 3, 2)                 \
    X(KAFKA_DELETE_GROUPS, 42, "DeleteGroups", delete_groups, 0, 2, 2)                             \
    X(KAFKA_INCREMENTAL_ALTER_CONFIGS, 44, "IncrementalAlterConfigs", change_configs, 0, 1, 1)     \
    X(KAFKA_OFFSET_DELETE, 47, "OffsetDelete", offset_delete, 0, 0, INT16_MAX)                     \
    X(KAFKA_DESCRIBE_CLUSTER, 60, "DescribeCluster", describe_cluster, 0, 2, 0)                    \
    X(KAFKA_DESCRIBE_PRODUCERS, 61, "DescribeProducers", describe_producers, 0, 0, 0)              \
    X(KAFKA_DESCRIBE_TRANSACTIONS, 65, "DescribeTransactions", describe_transactions, 0, 0, 0)     \
    X(KAFKA_LIST_TRANSACTIONS, 66, "ListTransactions", list_transactions, 0, 1, 0)                 \
    X(KAFKA_DESCRIBE_TOPIC_PARTITIONS, 75, "DescribeTopicPartitions", topic_partitions, 0, 0, 0)

enum kafka_api_key {
#define X(enumerator, key, ...) enumerator = key,
    KAFKA_API_TABLE(X)
#undef X
};

/* X(enumerator, code) */
#define KAFKA_ERROR_TABLE(X)                                                                       \
    X(KAFKA_UNKNOWN_SERVER_ERROR, -1)                                                              \
    X(KAFKA_NONE, 0)                                                                               \
    X(KAFKA_OFFSET_OUT_OF_RANGE, 1)                                                                \
    X(KAFKA_CORRUPT_MESSAGE, 2)                                                                    \
    X(KAFKA_UNKNOWN_TOPIC_OR_PARTITION, 3)                                                         \
    X(KAFKA_REQUEST_TIMED_OUT, 7)                                                                  \
    X(KAFKA_MESSAGE_TOO_LARGE, 10)                                                                 \
    X(KAFKA_OFFSET_METADATA_TOO_LARGE, 12)                                                         \
    X(KAFKA_COORDINATOR_NOT_AVAILABLE, 15)                                                         \
    X(KAFKA_NOT_COORDINATOR, 16)                                                                   \
    X(KAFKA_INVALID_TOPIC, 17)                                                                     \
    X(KAFKA_NOT_ENOUGH_REPLICAS, 19)                                                               \
    X(KAFKA_INVALID_REQUIRED_ACKS, 21)                                                             \
    X(KAFKA_ILLEGAL_GENERATION, 22)                                                                \
    X(KAFKA_INCONSISTENT_GROUP_PROTOCOL, 23)                                                       \
    X(KAFKA_INVALID_GROUP_ID, 24)                                                                  \
    X(KAFKA_UNKNOWN_MEMBER_ID, 25)                                                                 \
    X(KAFKA_INVALID_SESSION_TIMEOUT, 26)                                                           \
    X(KAFKA_REBALANCE_IN_PROGRESS, 27)                                                             \
    X(KAFKA_INVALID_COMMIT_OFFSET_SIZE, 28)                                                        \
    X(KAFKA_INVALID_TIMESTAMP, 32)                                                                 \
    X(KAFKA_UNSUPPORTED_VERSION, 35)                                                               \
    X(KAFKA_TOPIC_ALREADY_EXISTS, 36)                                                              \
    X(KAFKA_INVALID_PARTITIONS, 37)                                                                \
    X(KAFKA_INVALID_REPLICATION_FACTOR, 38)                                                        \
    X(KAFKA_INVALID_REPLICA_ASSIGNMENT, 39)                                                        \
    X(KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER, 45)                                                      \
    X(KAFKA_INVALID_PRODUCER_EPOCH, 47)                                                            \
    X(KAFKA_INVALID_TXN_STATE, 48)                                                                 \
    X(KAFKA_INVALID_PRODUCER_ID_MAPPING, 49)                                                       \
    X(KAFKA_INVALID_TRANSACTION_TIMEOUT, 50)                                                       \
    X(KAFKA_OPERATION_NOT_ATTEMPTED, 55)                                                           \
    X(KAFKA_INVALID_CONFIG, 40)                                                                    \
    X(KAFKA_INVALID_REQUEST, 42)                                                                   \
    X(KAFKA_UNSUPPORTED_FOR_MESSAGE_FORMAT, 43)                                                    \
    X(KAFKA_STORAGE_ERROR, 56)                                                                     \
    X(KAFKA_NON_EMPTY_GROUP, 68)                                                                   \
    X(KAFKA_GROUP_ID_NOT_FOUND, 69)                                                                \
    X(KAFKA_FETCH_SESSION_ID_NOT_FOUND, 70)                                                        \
    X(KAFKA_FENCED_LEADER_EPOCH, 74)                                                               \
    X(KAFKA_UNKNOWN_LEADER_EPOCH, 75)                                                              \
    X(KAFKA_UNSUPPORTED_COMPRESSION_TYPE, 76)                                                      \
    X(KAFKA_MEMBER_ID_REQUIRED, 79)                                                                \
    X(KAFKA_GROUP_MAX_SIZE_REACHED, 81)                                                            \
    X(KAFKA_FENCED_INSTANCE_ID, 82)                                                                \
    X(KAFKA_GROUP_SUBSCRIBED_TO_TOPIC, 86)                                                         \
    X(KAFKA_INVALID_RECORD, 87)                                                                    \
    X(KAFKA_UNSTABLE_OFFSET_COMMIT, 88)                                                            \
    X(KAFKA_PRODUCER_FENCED, 90)                                                                   \
    X(KAFKA_UNKNOWN_TOPIC_ID, 100)                                                                 \
    X(KAFKA_TRANSACTIONAL_ID_NOT_FOUND, 105)                                                       \
    X(KAFKA_UNSUPPORTED_ENDPOINT_TYPE, 115)                                                        \
    X(KAFKA_TRANSACTION_ABORTABLE, 120)

enum kafka_error {
#define X(enumerator, code) enumerator = code,
    KAFKA_ERROR_TABLE(X)
#undef X
};

struct kafka_api {
    enum kafka_api_key key;
    int16_t min_version, max_version, flexible_from;
    uint16_t request_bytes; /* sizeof the request struct */
    const char *name;
    const struct kafka_schema *(*request)(void);
    const struct kafka_schema *(*response)(void);
};
extern const struct kafka_api KAFKA_APIS[]; /* by rising key */
extern const size_t KAFKA_API_COUNT;

const struct kafka_api *kafka_api_find(int16_t key); /* NULL: unknown */

static inline bool kafka_api_flexible(const struct kafka_api *api, int16_t version)
{
    return version >= api->flexible_from;
}

struct kafka_request_header {
    int16_t key;
    int16_t version;
    int32_t correlation_id;
    struct str client_id; /* data NULL: null; points into the request */
};

/* Read the header of a request (the frame's length already taken off). *out_api is NULL for an
 * unknown API, and the version is not checked: the caller answers those; then the cursor stands
 * after the fields that every header has. ERR_DATA: not a header. */
enum status kafka_request_header_decode(struct kafka_cursor *cursor,
                                        struct kafka_request_header *out,
                                        const struct kafka_api **out_api,
                                        struct error *err) STATUS_CHECKED;
/* The other direction, for tests and tools: a whole frame. */
void kafka_request_encode(const struct kafka_api *api, const struct kafka_request_header *header,
                          const void *request, struct buf *out);

/* Append a whole response frame, length first (spliced bytes counted). Splice positions count from
 * out's beginning. */
void kafka_response_encode(const struct kafka_api *api, int16_t version, int32_t correlation_id,
                           const void *response, struct buf *out, struct kafka_splices *splices);

#endif
