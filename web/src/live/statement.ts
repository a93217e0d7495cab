// One statement over the statement API (Flink SQL Gateway's): open a session once, run, follow the result to its end.
import { ApiError, get, send, unreachable } from "../base/api";
import type { Column, Row, Value } from "../base/types";

export interface StatementState {
  phase: "running" | "finished" | "cancelled" | "failed";
  columns: Column[];
  rows: Row[];
  changes: number;
  error: ApiError | null;
}

interface Result {
  resultType: "PAYLOAD" | "EOS" | "NOT_READY";
  nextResultUri?: string;
  results?: {
    columns: { name: string; logicalType: { type: string } }[];
    data: { kind: "INSERT" | "UPDATE_BEFORE" | "UPDATE_AFTER" | "DELETE"; fields: Value[] }[];
  };
}

export const ROWS_KEPT = 1000;
const PAUSE_MS = 150;

let session: Promise<string> | null = null;

/** The page's session; a new one when the server has forgotten it. */
function openSession(): Promise<string> {
  session ??= send<{ sessionHandle: string }>("POST", "/v3/sessions", { sessionName: "page" }).then((answer) => answer.sessionHandle);
  session.catch(() => (session = null));
  return session;
}

/** Rows as they stand after all changes so far; a row that is updated keeps its place. */
class Rows {
  private keys: string[] = [];
  rows: Row[] = [];
  changes = 0;
  private freed: number | null = null;

  take(kind: string, row: Row): void {
    this.changes++;
    const key = JSON.stringify(row);
    if (kind === "DELETE" || kind === "UPDATE_BEFORE") {
      const at = this.keys.lastIndexOf(key);
      if (at < 0) return;
      this.keys.splice(at, 1);
      this.rows.splice(at, 1);
      this.freed = kind === "UPDATE_BEFORE" ? at : null;
      return;
    }
    const at = kind === "UPDATE_AFTER" && this.freed !== null ? this.freed : this.rows.length;
    this.freed = null;
    this.keys.splice(at, 0, key);
    this.rows.splice(at, 0, row);
    if (this.rows.length > ROWS_KEPT) {
      this.keys.shift();
      this.rows.shift();
    }
  }
}

export class Statement {
  private readonly state: StatementState = { phase: "running", columns: [], rows: [], changes: 0, error: null };
  private readonly kept = new Rows();
  private operation = "";
  private ended = false;

  constructor(
    private readonly text: string,
    private readonly changed: (state: StatementState) => void,
  ) {
    void this.run();
  }

  /** Ends the statement on the server too. */
  async cancel(): Promise<void> {
    if (this.ended) return;
    this.end("cancelled");
    if (this.operation) await send("POST", this.operation + "/cancel").catch(() => {});
  }

  private end(phase: StatementState["phase"], error: ApiError | null = null): void {
    if (this.ended) return;
    this.ended = true;
    this.tell({ phase, error });
  }

  private tell(change: Partial<StatementState>): void {
    Object.assign(this.state, change);
    this.changed({ ...this.state, rows: [...this.kept.rows], changes: this.kept.changes });
  }

  private async run(): Promise<void> {
    this.tell({});
    try {
      let handle = await openSession();
      let started: { operationHandle: string };
      try {
        started = await this.submit(handle);
      } catch (problem) {
        if (!(problem instanceof ApiError) || problem.status !== 404) throw problem;
        session = null;
        handle = await openSession();
        started = await this.submit(handle);
      }
      this.operation = `/v3/sessions/${handle}/operations/${started.operationHandle}`;
      await this.follow(`${this.operation}/result/0?rowFormat=JSON`);
      this.end("finished");
    } catch (problem) {
      this.end("failed", problem instanceof ApiError ? problem : unreachable());
    }
    if (this.operation) await send("DELETE", this.operation + "/close").catch(() => {});
  }

  private submit(handle: string): Promise<{ operationHandle: string }> {
    return send("POST", `/v3/sessions/${handle}/statements`, { statement: this.text });
  }

  private async follow(first: string): Promise<void> {
    for (let next: string | undefined = first; next !== undefined && !this.ended; ) {
      const { resultType, nextResultUri, results }: Result = await get<Result>(next);
      if (this.ended || resultType === "EOS") return;
      for (const { kind, fields } of results?.data ?? []) this.kept.take(kind, fields);
      if (results) this.tell({ columns: results.columns.map((column) => ({ name: column.name, type: column.logicalType.type })) });
      if (resultType === "PAYLOAD") next = nextResultUri;
      if (resultType === "NOT_READY" || !results?.data.length) await new Promise((done) => setTimeout(done, PAUSE_MS));
    }
  }
}
