// The live side of one dashboard: its stream, and per panel the rows and the state that the server tells.
import type { Dashboard, Panel } from "../base/types";
import { draw, drawNever } from "../base/draw";
import { PanelRows, type Changes, type Snapshot } from "./rows";
import { LiveStream, type StreamState } from "./stream";
import type { SseEvent } from "./sse";

export type PanelStateName = "running" | "waiting" | "failed" | "recovering";

export interface PanelStatus {
  state: PanelStateName;
  why: string;
}

const KEEP_DEFAULT = 100;

export class PanelLive {
  readonly rows: PanelRows;
  status: PanelStatus | null = null;
  private listeners = new Set<() => void>();

  constructor(readonly panel: Panel) {
    this.rows = new PanelRows(panel.keep ?? KEEP_DEFAULT);
  }

  changed(): void {
    for (const listener of this.listeners) draw(listener);
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
      drawNever(listener);
    };
  }
}

export class DashboardLive {
  readonly panels: Map<string, PanelLive>;
  private stream: LiveStream | null = null;
  private serverStart: number | null = null;

  constructor(
    private readonly name: string,
    dashboard: Dashboard,
    private readonly onState: (state: StreamState) => void,
    private readonly onServerStart: () => void,
  ) {
    this.panels = new Map(dashboard.panels.map((panel) => [panel.id, new PanelLive(panel)]));
  }

  /** Opens the stream for these selector values. Panels whose query uses a value that changed start empty. */
  open(values: Record<string, string>, changed: string[]): void {
    this.stream?.close();
    for (const live of this.panels.values()) {
      if (changed.some((id) => usesSelector(live.panel.sql, id))) {
        live.rows.clear();
        live.status = null;
        live.changed();
      }
    }
    const query = new URLSearchParams(values).toString();
    const address = `/api/v1/dashboards/${encodeURIComponent(this.name)}/live${query ? "?" + query : ""}`;
    this.stream = new LiveStream(address, { event: (event) => this.take(event), state: this.onState });
  }

  close(): void {
    this.stream?.close();
    this.stream = null;
  }

  private take({ event, data }: SseEvent): void {
    if (event === "bye") throw new Error("leat was stopped");
    if (!["hello", "snapshot", "changes", "status"].includes(event)) return;
    const frame = parse(data);
    if (event === "hello") {
      const start = Number(frame.server_start);
      if (this.serverStart !== null && start !== this.serverStart) this.onServerStart();
      this.serverStart = start;
      return;
    }
    const live = this.panels.get(String(frame.panel));
    if (!live) return;
    if (event === "snapshot") live.rows.snapshot(frame as unknown as Snapshot);
    else if (event === "changes") live.rows.changes(frame as unknown as Changes);
    else live.status = { state: frame.state as PanelStateName, why: String(frame.why ?? "") };
    live.changed();
  }
}

function parse(data: string): Record<string, unknown> {
  let frame: unknown = null;
  try {
    frame = JSON.parse(data);
  } catch {
    // told below
  }
  if (typeof frame !== "object" || frame === null) throw new Error("the server sent what is no JSON object");
  return frame as Record<string, unknown>;
}

/** Whether the query names :ID outside of quotes. */
export function usesSelector(sql: string, id: string): boolean {
  const bare = sql.replace(/'(?:[^']|'')*'|`[^`]*`|--[^\n]*|\/\*.*?\*\//gs, " ");
  return new RegExp(`:${id.replace(/\W/g, "\\$&")}(?!\\w)`).test(bare);
}
