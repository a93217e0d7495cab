/* routes.c - the table of routes. */
#include "server/server_int.h"

#define NO_FIELDS NULL

static const struct route_field JOB_ID[] = {
    {"id", FIELD_PATH, "integer", true, "number of the job"}, {NULL}};
static const struct route_field JOB_SAVEPOINT[] = {
    {"id", FIELD_PATH, "integer", true, "number of the job"},
    {"directory", FIELD_BODY, "string", false,
     "where it gets a directory of its own; default: execution.checkpointing.savepoint-dir"},
    {NULL}};
static const struct route_field JOB_STOP[] = {
    {"id", FIELD_PATH, "integer", true, "number of the job"},
    {"directory", FIELD_BODY, "string", false, "where its savepoint gets a directory of its own"},
    {"drain", FIELD_BODY, "boolean", false,
     "as if the input had ended: open windows are written, and nothing can go on from it"},
    {NULL}};
static const struct route_field TABLE_NAME[] = {
    {"name", FIELD_PATH, "string", true, "name of the table or view"}, {NULL}};
static const struct route_field TOPIC_NAME[] = {
    {"name", FIELD_PATH, "string", true, "name of the topic"}, {NULL}};
static const struct route_field DASHBOARD_NAME[] = {
    {"name", FIELD_PATH, "string", true, "name of the dashboard: its file without .json"}, {NULL}};
static const struct route_field DASHBOARD_LIVE[] = {
    {"name", FIELD_PATH, "string", true, "name of the dashboard: its file without .json"},
    {"SELECTOR", FIELD_QUERY, "string", false,
     "value of the selector of this id; several may be given, the others have their default"},
    {NULL}};

static const struct route_field SESSION[] = {
    {"session", FIELD_PATH, "string", true, "handle of the session"}, {NULL}};
static const struct route_field SESSION_OPEN[] = {
    {"sessionName", FIELD_BODY, "string", false, "taken and not used"},
    {"properties", FIELD_BODY, "object", false, "settings, as SET: texts by their key"},
    {NULL}};
static const struct route_field STATEMENT[] = {
    {"session", FIELD_PATH, "string", true, "handle of the session"},
    {"statement", FIELD_BODY, "string", true, "one SQL statement"},
    {NULL}};
static const struct route_field OPERATION[] = {
    {"session", FIELD_PATH, "string", true, "handle of the session"},
    {"operation", FIELD_PATH, "string", true, "handle of the statement"},
    {NULL}};
static const struct route_field RESULT[] = {
    {"session", FIELD_PATH, "string", true, "handle of the session"},
    {"operation", FIELD_PATH, "string", true, "handle of the statement"},
    {"token", FIELD_PATH, "integer", true,
     "0 at first, then as nextResultUri says; the last one can be asked for again"},
    {"rowFormat", FIELD_QUERY, "string", false,
     "JSON (default), or PLAIN_TEXT: all fields as text"},
    {NULL}};

#define JOB_ANSWER                                                                                 \
    "\"id\":1,\"name\":\"totals\",\"state\":\"RUNNING\",\"bounded\":false,\"started_ms\":1,"       \
    "\"ended_ms\":null,\"restarts\":0,\"rows_read\":0,\"rows_written\":0,\"last_output_ms\":null," \
    "\"memory_bytes\":0,\"recovering\":false,\"last_checkpoint\":{\"id\":1,\"ended_ms\":1,"        \
    "\"duration_ms\":1,\"bytes\":1},\"error\":null,\"why\":null"
#define TABLE_ANSWER                                                                               \
    "\"name\":\"orders\",\"kind\":\"table\",\"connector\":\"kafka\",\"columns\":[{\"name\":"       \
    "\"id\","                                                                                      \
    "\"type\":\"BIGINT\"}],\"primary_key\":[]"

const struct route ROUTES[] = {
    {HTTP_GET, "/health", ROUTE_OPEN, ROUTE_ON_LOOP, rest_health, "health", "Process",
     "Whether the process answers.", "{\"status\":\"ok\"}", NO_FIELDS},
    {HTTP_GET, "/api/v1/info", ROUTE_TOKEN, ROUTE_ON_POOL, rest_info, "info", "Process",
     "Version, addresses and how many jobs there are.",
     "{\"product\":\"leat\",\"version\":\"0.1.0\",\"uptime_ms\":1,\"broker_address\":null,"
     "\"data_directory\":\"leat-data\",\"pid\":1,"
     "\"jobs\":{\"running\":0,\"failed\":0,\"finished\":0}}",
     NO_FIELDS},
    {HTTP_GET, "/api/v1/openapi.json", ROUTE_OPEN, ROUTE_ON_POOL, rest_openapi, "openapi",
     "Process", "This API as OpenAPI 3.", "{\"openapi\":\"3.0.3\",...}", NO_FIELDS},
    {HTTP_GET, "/api/v1/jobs", ROUTE_TOKEN, ROUTE_ON_POOL, rest_jobs, "listJobs", "Jobs",
     "All jobs that run, and the last hundred that have ended.", "{\"jobs\":[{" JOB_ANSWER "}]}",
     NO_FIELDS},
    {HTTP_GET, "/api/v1/jobs/{id}", ROUTE_TOKEN, ROUTE_ON_POOL, rest_job, "getJob", "Jobs",
     "One job with its operators, its physical plan and its last failures, the newest first.",
     "{" JOB_ANSWER ",\"failures\":[{\"time_ms\":1,\"error\":\"...\"}],"
     "\"operators\":[{\"name\":\"Source: orders\",\"subtask\":0,\"records_in\":0,"
     "\"records_out\":0,\"late_dropped\":0,\"bad_rows\":0,\"state_keys\":0,\"state_bytes\":0,"
     "\"watermark_ms\":null,\"buffered_rows\":0,\"oldest_row_ms\":null,\"next_timer_ms\":null,"
     "\"last_emit_ms\":1,\"blocked\":false}],\"plan\":\"...\"}",
     JOB_ID},
    {HTTP_GET, "/api/v1/jobs/{id}/checkpoints", ROUTE_TOKEN, ROUTE_ON_POOL, rest_checkpoints,
     "listCheckpoints", "Jobs",
     "The job's checkpoints in the shape of Flink's REST API: counts, summary, the latest ones, "
     "and "
     "the last ten, of this run. Durations in milliseconds, of the slowest task.",
     "{\"counts\":{\"restored\":0,\"total\":1,\"in_progress\":0,\"completed\":1,\"failed\":0},"
     "\"summary\":{\"checkpointed_size\":{\"min\":1,\"max\":1,\"avg\":1},"
     "\"end_to_end_duration\":{\"min\":1,\"max\":1,\"avg\":1}},"
     "\"latest\":{\"completed\":{\"@class\":\"completed\",\"id\":1,\"status\":\"COMPLETED\","
     "\"is_savepoint\":false,\"checkpoint_type\":\"CHECKPOINT\",\"trigger_timestamp\":1,"
     "\"latest_ack_timestamp\":1,\"checkpointed_size\":1,\"end_to_end_duration\":1,"
     "\"num_subtasks\":1,\"num_acknowledged_subtasks\":1,\"alignment_duration\":0,"
     "\"sync_duration\":0,\"async_duration\":0,\"commit_duration\":1},\"savepoint\":null,"
     "\"failed\":null,\"restored\":null},\"history\":[...]}",
     JOB_ID},
    {HTTP_GET, "/api/v1/jobs/{id}/why", ROUTE_TOKEN, ROUTE_ON_POOL, rest_job_why, "whyJob", "Jobs",
     "Why the job gives no output, in a sentence or two, with the option that helps.",
     "{\"why\":\"...\"}", JOB_ID},
    {HTTP_POST, "/api/v1/jobs/{id}/savepoints", ROUTE_TOKEN, ROUTE_ON_SQL, rest_job_savepoint,
     "savepointJob", "Jobs", "Makes a savepoint, and answers with its path when it is there.",
     "{\"path\":\"/savepoints/savepoint-totals-0a1b2c\"}", JOB_SAVEPOINT},
    {HTTP_POST, "/api/v1/jobs/{id}/stop", ROUTE_TOKEN, ROUTE_ON_SQL, rest_job_stop, "stopJob",
     "Jobs",
     "Ends the job: its sources stop, what was read is written. With a directory, the answer comes "
     "when its last savepoint is there, as of savepointJob.",
     "{} (202)", JOB_STOP},
    {HTTP_POST, "/api/v1/jobs/{id}/cancel", ROUTE_TOKEN, ROUTE_ON_POOL, rest_job_cancel,
     "cancelJob", "Jobs", "Ends the job at once.", "{} (202)", JOB_ID},
    {HTTP_GET, "/api/v1/tables", ROUTE_TOKEN, ROUTE_ON_POOL, rest_tables, "listTables", "Tables",
     "Tables and views of the catalog.", "{\"tables\":[{" TABLE_ANSWER "}]}", NO_FIELDS},
    {HTTP_GET, "/api/v1/tables/{name}", ROUTE_TOKEN, ROUTE_ON_POOL, rest_table, "getTable",
     "Tables", "One table or view with the statement that makes it; secrets are hidden.",
     "{" TABLE_ANSWER ",\"ddl\":\"CREATE TABLE ...\"}", TABLE_NAME},
    {HTTP_GET, "/api/v1/topics", ROUTE_TOKEN, ROUTE_ON_POOL, rest_topics, "listTopics", "Topics",
     "Topics of the embedded broker; none while it has not been needed.",
     "{\"topics\":[{\"name\":\"orders\",\"partitions\":1,\"records\":0,\"bytes\":0}]}", NO_FIELDS},
    {HTTP_GET, "/api/v1/topics/{name}", ROUTE_TOKEN, ROUTE_ON_POOL, rest_topic, "getTopic",
     "Topics", "One topic with its partitions.",
     "{\"name\":\"orders\",\"partitions\":[{\"id\":0,\"log_start_offset\":0,"
     "\"high_watermark\":0,\"bytes\":0}]}",
     TOPIC_NAME},
    {HTTP_GET, "/api/v1/dashboards", ROUTE_TOKEN, ROUTE_ON_POOL, rest_dashboards, "listDashboards",
     "Dashboards", "The dashboards given by --dashboard.",
     "{\"dashboards\":[{\"name\":\"sales\",\"title\":\"Sales\"}]}", NO_FIELDS},
    {HTTP_GET, "/api/v1/dashboards/{name}", ROUTE_TOKEN, ROUTE_ON_POOL, rest_dashboard,
     "getDashboard", "Dashboards", "One dashboard as its file says (dashboards.md).",
     "{\"title\":\"Sales\",\"panels\":[...]}", DASHBOARD_NAME},
    {HTTP_GET, "/api/v1/dashboards/{name}/live", ROUTE_TOKEN, ROUTE_ON_LOOP, rest_dashboard_live,
     "watchDashboard", "Dashboards",
     "The rows of all panels as server-sent events: hello, snapshot, changes, status, bye "
     "(dashboards.md).",
     "text/event-stream", DASHBOARD_LIVE},
    {HTTP_GET, "/metrics", ROUTE_OPEN, ROUTE_ON_POOL, rest_metrics, "metrics", "Process",
     "Counters in Prometheus' text format (metrics.md).", "text/plain", NO_FIELDS},
    {HTTP_GET, "/v3/info", ROUTE_TOKEN, ROUTE_ON_LOOP, rest_gateway_info, "gatewayInfo",
     "Statements",
     "Product and version. The paths below are those of Flink's SQL Gateway; /v1 and "
     "/v2 and no version are taken for /v3.",
     "{\"productName\":\"leat\",\"version\":\"" LEAT_VERSION "\"}", NO_FIELDS},
    {HTTP_GET, "/v3/api_versions", ROUTE_TOKEN, ROUTE_ON_LOOP, rest_gateway_versions,
     "gatewayVersions", "Statements", "Versions of the statement API.",
     "{\"versions\":[\"V1\",\"V2\",\"V3\"]}", NO_FIELDS},
    {HTTP_POST, "/v3/sessions", ROUTE_TOKEN, ROUTE_ON_SQL, rest_session_open, "openSession",
     "Statements",
     "A session: settings for the statements that follow. It is closed after ten minutes without "
     "use. Tables that they declare reach files only below leat.security.roots.",
     "{\"sessionHandle\":\"...\"}", SESSION_OPEN},
    {HTTP_GET, "/v3/sessions/{session}", ROUTE_TOKEN, ROUTE_ON_SQL, rest_session_config,
     "getSession", "Statements", "The session's settings.", "{\"properties\":{...}}", SESSION},
    {HTTP_DELETE, "/v3/sessions/{session}", ROUTE_TOKEN, ROUTE_ON_SQL, rest_session_close,
     "closeSession", "Statements",
     "Closes the session and ends its queries; jobs of INSERTs go on.", "{\"status\":\"CLOSED\"}",
     SESSION},
    {HTTP_POST, "/v3/sessions/{session}/heartbeat", ROUTE_TOKEN, ROUTE_ON_POOL,
     rest_session_heartbeat, "touchSession", "Statements", "Keeps the session open.", "{}",
     SESSION},
    {HTTP_POST, "/v3/sessions/{session}/configure-session", ROUTE_TOKEN, ROUTE_ON_SQL,
     rest_session_configure, "configureSession", "Statements",
     "Runs a statement that changes settings or the catalog, and waits for it.", "{}", STATEMENT},
    {HTTP_POST, "/v3/sessions/{session}/statements", ROUTE_TOKEN, ROUTE_ON_SQL, rest_statement,
     "executeStatement", "Statements", "Begins to run a statement.",
     "{\"operationHandle\":\"...\"}", STATEMENT},
    {HTTP_GET, "/v3/sessions/{session}/operations/{operation}/status", ROUTE_TOKEN, ROUTE_ON_POOL,
     rest_operation_status, "operationStatus", "Statements",
     "PENDING, RUNNING, FINISHED, CANCELED or ERROR.", "{\"status\":\"RUNNING\"}", OPERATION},
    {HTTP_POST, "/v3/sessions/{session}/operations/{operation}/cancel", ROUTE_TOKEN, ROUTE_ON_POOL,
     rest_operation_cancel, "cancelOperation", "Statements", "Ends the statement's query.",
     "{\"status\":\"CANCELED\"}", OPERATION},
    {HTTP_DELETE, "/v3/sessions/{session}/operations/{operation}/close", ROUTE_TOKEN, ROUTE_ON_SQL,
     rest_operation_close, "closeOperation", "Statements",
     "Forgets the statement; a query is ended.", "{\"status\":\"CLOSED\"}", OPERATION},
    {HTTP_GET, "/v3/sessions/{session}/operations/{operation}/result/{token}", ROUTE_TOKEN,
     ROUTE_ON_POOL, rest_operation_result, "fetchResults", "Statements",
     "The next page of the result. NOT_READY: ask again; PAYLOAD: rows, maybe none yet, ask at "
     "nextResultUri; EOS: the end. A query's rows carry their kind of change.",
     "{\"resultType\":\"PAYLOAD\",\"isQueryResult\":true,\"jobID\":\"...\","
     "\"resultKind\":\"SUCCESS_WITH_CONTENT\",\"results\":{\"columns\":[{\"name\":\"n\","
     "\"logicalType\":{\"type\":\"BIGINT\",\"nullable\":false},\"comment\":null}],"
     "\"rowFormat\":\"JSON\",\"data\":[{\"kind\":\"INSERT\",\"fields\":[1]}]},"
     "\"nextResultUri\":\"/v3/sessions/...\"}",
     RESULT},
    {.path = NULL},
};
