#!/usr/bin/env bash
# timeout: 200
# Kafka's own tools (Java clients of 4.3.1) against the broker: topics, producing, consuming, offsets; and
# their DumpLogSegments reads the segment files, also those of transactions and of the coordinators.
set -u
here=$(cd "$(dirname "$0")/../.." && pwd)
kafka=$here/test/services/_kafka.sh
dir=${TEST_DIR:-$(mktemp -d)} port=${PORT:-19692} number=0 failed=0
server=127.0.0.1:$port
tool() { timeout 90 bash "$kafka" tool "$dir/kafka" "org.apache.kafka.tools.$@" 2> "$dir/tool.err"; }
check() { # NAME, status before
    local status=$?
    number=$((number + 1))
    if [ $status = 0 ]; then echo "ok $number - $1"; else
        failed=1; echo "not ok $number - $1"; tail -5 "$dir/tool.err" | sed 's/^/# /'; fi
}
tool TopicCommand --version > /dev/null || { echo "1..0 # SKIP Kafka's tools cannot be fetched"; exit 77; }
"${BUILD:-$here/build}/test/tool/broker_main" "$dir/data" "$port" > /dev/null 2> "$dir/broker.log" &
broker=$!
trap 'kill $broker 2> /dev/null; wait $broker' EXIT
sleep 1
tool TopicCommand --bootstrap-server $server --create --topic t --partitions 1 --config retention.ms=-1 --config index.interval.bytes=500 | grep -q "Created topic t"
check "TopicCommand --create"
tool TopicCommand --bootstrap-server $server --describe --topic t > "$dir/describe"
grep -q "PartitionCount: 1.*retention.ms=-1" "$dir/describe"
check "TopicCommand --describe"
for compression in none gzip snappy lz4 zstd; do
    seq 1 300 | sed "s/$/ $compression/" >> "$dir/sent"
    tail -300 "$dir/sent" | tool ConsoleProducer --bootstrap-server $server --topic t \
        --compression-codec $compression
    check "ConsoleProducer $compression"
done
tool consumer.ConsoleConsumer --bootstrap-server $server --topic t --partition 0 --offset earliest \
    --max-messages 1500 --timeout-ms 20000 > "$dir/received"
cmp -s "$dir/sent" "$dir/received"
check "ConsoleConsumer reads what was sent"
[ "$(tool GetOffsetShell --bootstrap-server $server --topic t)" = t:0:1500 ]
check "GetOffsetShell"
tool ProducerPerformance --topic p --num-records 1000 --record-size 50 --throughput -1 --bootstrap-server $server \
    --transactional-id perf --transaction-duration-ms 20 > /dev/null
check "ProducerPerformance with transactions"
timeout 60 python3 "$here/test/services/clients/aborts.py" $server p > "$dir/aborted" 2> "$dir/tool.err"
check "three transactions are aborted"
kill $broker # a clean stop writes the last segment's indexes
wait $broker
files() { printf '%s,' "$dir"/data/topics/t-0/*."$1" | sed 's/,$//'; }
tool DumpLogSegments --print-data-log --files "$(files log)" > "$dir/dump"
grep -q "compresscodec: zstd" "$dir/dump" && grep -q "payload: 300 lz4" "$dir/dump"
check "DumpLogSegments reads the segments"
[ "$(grep -c 'payload: ' "$dir/dump")" = 1500 ]
check "... all records of them"
tool DumpLogSegments --index-sanity-check --files "$(files index),$(files timeindex)" > "$dir/dump"
[ "$(grep -c 'passed sanity check' "$dir/dump")" = "$(ls "$dir"/data/topics/t-0/*index | wc -l)" ]
check "... and passes their indexes"
tool DumpLogSegments --files "$(files index),$(files timeindex)" > "$dir/dump"
! grep -qiE "mismatch|out of order|exception" "$dir/dump" && grep -q "^offset: " "$dir/dump"
check "... entry by entry"
tool DumpLogSegments --files "$(files snapshot)" > "$dir/dump"
# five producers of one batch each: all 1500 records, and the last of them
[ "$(grep -c '^producerId: ' "$dir/dump")" = 5 ] && grep -q 'lastOffset: 1499 offsetDelta: 299 ' "$dir/dump"
check "... and the snapshot of the producers"
topic() { printf '%s,' "$dir"/data/topics/"$1"/*."$2" | sed 's/,$//'; }
tool DumpLogSegments --print-data-log --files "$(topic p-0 log)" > "$dir/dump"
[ "$(grep -c 'endTxnMarker: ABORT' "$dir/dump")" = 3 ] && grep -q 'endTxnMarker: COMMIT' "$dir/dump"
check "DumpLogSegments reads the markers"
tool DumpLogSegments --files "$(topic p-0 txnindex)" > "$dir/dump"
[ "$(grep -c 'producerId: .* firstOffset: .* lastOffset: .* lastStableOffset: ' "$dir/dump")" = 3 ]
check "... the index of what was aborted"
tool DumpLogSegments --transaction-log-decoder --files "$(topic __transaction_state-0 log)" > "$dir/dump"
grep '"transactionalId":"perf"' "$dir/dump" | grep -q '"transactionStatus":4'
check "... and __transaction_state"
"${BUILD:-$here/build}/test/tool/broker_main" "$dir/data" "$port" > /dev/null 2> "$dir/broker.log" &
broker=$!
sleep 1
tool TopicCommand --bootstrap-server $server --delete --topic t
check "TopicCommand --delete"
echo "1..$number"
exit $failed
