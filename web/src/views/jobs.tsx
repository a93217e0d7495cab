// All jobs: state, rows, rate, last output, and why one gives none.
import { useEffect, useRef } from "preact/hooks";
import { bytes, count, duration } from "../base/format";
import { address } from "../base/router";
import type { Job } from "../base/types";
import { DataTable, type Field } from "../ui/data_table";
import { Empty, ErrorNotice, Loading } from "../ui/notice";
import { usePoll } from "../ui/poll";
import { StateBadge } from "../ui/state_badge";
import { TokenForm } from "../ui/token_form";

/** Rows a second between the last two answers. */
export function useRates(jobs: Job[] | undefined): Map<number, number> {
  const before = useRef(new Map<number, { rows: number; at: number; rate: number }>());
  const rates = new Map<number, number>();
  const now = performance.now();
  for (const job of jobs ?? []) {
    const last = before.current.get(job.id);
    const seconds = last ? (now - last.at) / 1000 : 0;
    if (last && seconds < 0.5) {
      rates.set(job.id, last.rate);
      continue;
    }
    const rate = last ? Math.max(0, job.rows_read - last.rows) / seconds : 0;
    rates.set(job.id, rate);
    before.current.set(job.id, { rows: job.rows_read, at: now, rate });
  }
  return rates;
}

export function sinceText(ms: number | null): string {
  if (ms === null) return "none yet";
  const since = Date.now() - ms;
  return since < 1000 ? "just now" : `${duration(since)} ago`;
}

function Name({ job }: { job: Job }) {
  const why = job.error ?? job.why;
  return (
    <>
      <a href={address("jobs", String(job.id))}>{job.name || job.id}</a>
      {why && <p class={job.error ? "bad why" : "muted why"}>{why}</p>}
    </>
  );
}

function fieldsOf(rates: Map<number, number>): Field<Job>[] {
  return [
    { title: "Job", show: (job) => <Name job={job} /> },
    { title: "State", show: (job) => <StateBadge state={job.state} /> },
    { title: "Rows read", numeric: true, wide: true, show: (job) => count(job.rows_read) },
    { title: "Rows written", numeric: true, wide: true, show: (job) => count(job.rows_written) },
    { title: "Rate", numeric: true, show: (job) => `${count(Math.round(rates.get(job.id) ?? 0))}/s` },
    { title: "Last output", numeric: true, wide: true, show: (job) => sinceText(job.last_output_ms) },
    { title: "Memory", numeric: true, wide: true, show: (job) => bytes(job.memory_bytes) },
  ];
}

export function JobsView() {
  const { data, error } = usePoll<{ jobs: Job[] }>("/api/v1/jobs", 1000);
  const rates = useRates(data?.jobs);
  useEffect(() => {
    document.title = "Jobs · leat";
  }, []);
  if (error?.status === 401) return <TokenForm error={error} />;
  if (!data) return error ? <ErrorNotice error={error} /> : <Loading what="the jobs" />;
  return (
    <>
      <div class="view-head">
        <h1>Jobs</h1>
      </div>
      {error && <ErrorNotice error={error} stale />}
      {data.jobs.length === 0 ? (
        <div class="card">
          <Empty title="No job runs">
            Every <code>INSERT INTO … SELECT …</code> statement becomes a job. Start some with <code>leat run PIPELINE.sql</code>, or type one into <code>leat sql</code>.
          </Empty>
        </div>
      ) : (
        <DataTable caption="Jobs" fields={fieldsOf(rates)} items={data.jobs} keyOf={(job) => String(job.id)} />
      )}
    </>
  );
}
