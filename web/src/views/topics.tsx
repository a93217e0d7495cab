// The embedded broker's topics, and one of them with its partitions.
import { useEffect } from "preact/hooks";
import { bytes, count } from "../base/format";
import { address } from "../base/router";
import type { Info, Topic, TopicPartition } from "../base/types";
import { DataTable, type Field } from "../ui/data_table";
import { Icon } from "../ui/icons";
import { Empty, ErrorNotice, Loading } from "../ui/notice";
import { usePoll } from "../ui/poll";
import { TokenForm } from "../ui/token_form";

const FIELDS: Field<Topic>[] = [
  { title: "Topic", show: (topic) => <a href={address("topics", topic.name)}>{topic.name}</a> },
  { title: "Partitions", numeric: true, show: (topic) => count(topic.partitions) },
  { title: "Records", numeric: true, show: (topic) => count(topic.records) },
  { title: "Size", numeric: true, show: (topic) => bytes(topic.bytes) },
];

export function TopicsView() {
  const { data, error } = usePoll<{ topics: Topic[] }>("/api/v1/topics", 1000);
  const info = usePoll<Info>("/api/v1/info", 30000).data;
  useEffect(() => {
    document.title = "Topics · leat";
  }, []);
  if (error?.status === 401) return <TokenForm error={error} />;
  if (!data) return error ? <ErrorNotice error={error} /> : <Loading what="the topics" />;
  return (
    <>
      <div class="view-head">
        <h1>Topics</h1>
        {info?.broker_address && <span class="muted">Kafka clients connect to {info.broker_address}</span>}
      </div>
      {error && <ErrorNotice error={error} stale />}
      {data.topics.length === 0 ? (
        <div class="card">
          <Empty title={info && !info.broker_address ? "The embedded broker does not run" : "No topic yet"}>
            {info && !info.broker_address ? (
              <>
                Start leat with <code>--broker</code>: any Kafka client can then write to it.
              </>
            ) : (
              <>
                A topic is made when a job or a client first uses it, or with <code>leat topic create NAME</code>.
              </>
            )}
          </Empty>
        </div>
      ) : (
        <DataTable caption="Topics" fields={FIELDS} items={data.topics} keyOf={(topic) => topic.name} />
      )}
    </>
  );
}

const PARTITION_FIELDS: Field<TopicPartition>[] = [
  { title: "Partition", numeric: true, show: (one) => one.id },
  { title: "First offset", numeric: true, show: (one) => count(one.log_start_offset) },
  { title: "Next offset", numeric: true, show: (one) => count(one.high_watermark) },
  { title: "Records", numeric: true, show: (one) => count(one.high_watermark - one.log_start_offset) },
  { title: "Size", numeric: true, show: (one) => bytes(one.bytes) },
];

export function TopicView({ name }: { name: string }) {
  const { data, error } = usePoll<{ partitions: TopicPartition[] }>(`/api/v1/topics/${encodeURIComponent(name)}`, 1000);
  useEffect(() => {
    document.title = `${name} · leat`;
  }, [name]);
  if (error?.status === 401) return <TokenForm error={error} />;
  if (!data) return error ? <ErrorNotice error={error} /> : <Loading what="the topic" />;
  return (
    <>
      <div class="view-head">
        <a class="back" href={address("topics")} aria-label="All topics">
          <Icon name="back" />
        </a>
        <h1>{name}</h1>
      </div>
      {error && <ErrorNotice error={error} stale />}
      <DataTable caption={`Partitions of ${name}`} fields={PARTITION_FIELDS} items={data.partitions} keyOf={(one) => String(one.id)} />
    </>
  );
}
