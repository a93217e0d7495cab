// One job: its figures, why it gives no output, its operators, its plan; stop and cancel.
import { useEffect, useState } from "preact/hooks";
import { ApiError, send, unreachable } from "../base/api";
import { bytes, count, duration } from "../base/format";
import { address } from "../base/router";
import type { Failure, JobDetail, Operator } from "../base/types";
import { DataTable, type Field } from "../ui/data_table";
import { Facts } from "../ui/facts";
import { Icon } from "../ui/icons";
import { ErrorNotice, Loading } from "../ui/notice";
import { usePoll } from "../ui/poll";
import { StateBadge } from "../ui/state_badge";
import { TokenForm } from "../ui/token_form";
import { sinceText, useRates } from "./jobs";

const FIELDS: Field<Operator>[] = [
  { title: "Operator", show: (one) => one.name },
  { title: "Subtask", numeric: true, wide: true, show: (one) => one.subtask },
  { title: "Rows in", numeric: true, show: (one) => count(one.records_in) },
  { title: "Rows out", numeric: true, show: (one) => count(one.records_out) },
  { title: "Waiting", numeric: true, wide: true, show: (one) => count(one.buffered_rows) },
  { title: "Late", numeric: true, wide: true, show: (one) => count(one.late_dropped) },
  { title: "Bad", numeric: true, wide: true, show: (one) => count(one.bad_rows) },
  { title: "Keys", numeric: true, show: (one) => count(one.state_keys) },
  { title: "State", numeric: true, show: (one) => bytes(one.state_bytes) },
  { title: "Watermark", wide: true, show: (one) => watermark(one.watermark_ms) },
];

const FAILURES: Field<Failure>[] = [
  { title: "When", show: (one) => sinceText(one.time_ms) },
  { title: "Reason", show: (one) => one.error },
];

function watermark(ms: number | null): string {
  if (ms === null || !Number.isFinite(ms) || Math.abs(ms) > 8.64e15) return "–";
  return new Date(ms).toISOString().replace("T", " ").replace(/\.?0*Z$/, "");
}

/** How long it took, how much it wrote, how old it is. */
function checkpointText({ last_checkpoint: last }: JobDetail): string {
  return last ? `${duration(last.duration_ms)}, ${bytes(last.bytes)}, ${sinceText(last.ended_ms)}` : "none yet";
}

const ENDED = ["finished", "failed", "canceled", "cancelled", "stopped"];

export function JobView({ id }: { id: string }) {
  const { data: job, error } = usePoll<JobDetail>(`/api/v1/jobs/${encodeURIComponent(id)}`, 1000);
  const rate = useRates(job ? [job] : undefined).get(Number(id)) ?? 0;
  useEffect(() => {
    document.title = `${job?.name ?? id} · leat`;
  }, [job?.name]);
  if (error?.status === 401) return <TokenForm error={error} />;
  if (!job) return error ? <ErrorNotice error={error} /> : <Loading what="the job" />;
  const ended = job.ended_ms ?? Date.now();
  return (
    <>
      <div class="view-head">
        <a class="back" href={address("jobs")} aria-label="All jobs">
          <Icon name="back" />
        </a>
        <h1>{job.name || job.id}</h1>
        <StateBadge state={job.state} />
        {job.recovering && <StateBadge state="recovering" />}
        {!ENDED.includes(job.state.toLowerCase()) && <Actions id={id} />}
      </div>
      {error && <ErrorNotice error={error} stale />}
      {job.error && <div class="notice notice-bad" role="alert"><Icon name="fail" /><p>{job.error}</p></div>}
      {!job.error && job.why && <div class="notice"><Icon name="wait" /><p>{job.why}</p></div>}
      <Facts
        facts={[
          ["Rows read", count(job.rows_read)],
          ["Rows written", count(job.rows_written)],
          ["Rate", `${count(Math.round(rate))}/s`],
          ["Last output", sinceText(job.last_output_ms)],
          ["Last checkpoint", checkpointText(job)],
          ["Memory", bytes(job.memory_bytes)],
          ["Restarts", count(job.restarts)],
          [job.ended_ms === null ? "Running for" : "Ran for", duration(ended - job.started_ms)],
        ]}
      />
      {job.failures && job.failures.length > 0 && (
        <>
          <h2>Last failures</h2>
          <DataTable caption="Last failures" fields={FAILURES} items={job.failures} keyOf={(one) => `${one.time_ms}/${one.error}`} />
        </>
      )}
      {job.operators && job.operators.length > 0 && (
        <>
          <h2>Operators</h2>
          <DataTable caption="Operators" fields={FIELDS} items={job.operators} keyOf={(one) => `${one.name}/${one.subtask}`} />
        </>
      )}
      {job.plan && (
        <>
          <h2>Plan</h2>
          <pre class="code card" tabIndex={0}>{job.plan}</pre>
        </>
      )}
    </>
  );
}

/** Stop drains and keeps what is done; cancel ends at once. Each asks once more before it acts. */
function Actions({ id }: { id: string }) {
  const [asked, setAsked] = useState<"stop" | "cancel" | null>(null);
  const [problem, setProblem] = useState<ApiError | null>(null);
  async function act(what: "stop" | "cancel"): Promise<void> {
    if (asked !== what) return setAsked(what);
    setAsked(null);
    try {
      await send("POST", `/api/v1/jobs/${encodeURIComponent(id)}/${what}`);
      setProblem(null);
    } catch (error) {
      setProblem(error instanceof ApiError ? error : unreachable());
    }
  }
  return (
    <span class="actions">
      {(["stop", "cancel"] as const).map((what) => (
        <button key={what} type="button" class={`button${asked === what ? " danger" : ""}`} onClick={() => void act(what)} onBlur={() => setAsked(null)}>
          {asked === what ? `Really ${what}?` : what === "stop" ? "Stop" : "Cancel"}
        </button>
      ))}
      {problem && <span class="bad">{problem.message}</span>}
    </span>
  );
}
