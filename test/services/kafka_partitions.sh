#!/usr/bin/env bash
# timeout: 300
# The system test kafka_partitions.py, through librdkafka, at a real Apache Kafka.
set -u
here=$(cd "$(dirname "$0")/../.." && pwd)
kafka=$here/test/services/_kafka.sh
dir=${TEST_DIR:-$(mktemp -d)}
export KAFKA_PORT=${PORT:-19692} KAFKA_TLS=0
bash "$kafka" start "$dir/kafka" > "$dir/kafka.out" 2>&1 || {
    sed 's/^/# /' "$dir/kafka.out"; echo "1..0 # SKIP a real Kafka cannot be started"; exit 77; }
trap 'bash "$kafka" stop "$dir/kafka"' EXIT
KAFKA_SERVER=127.0.0.1:$KAFKA_PORT python3 "$here/test/system/kafka_partitions.py"
