// What the server sends (docs: /api/v1/openapi.json).

export type Value = string | number | boolean | null | Value[] | { [name: string]: Value };
export type Row = Value[];

export interface Column {
  name: string;
  type: string;
}

export interface Selector {
  id: string;
  label: string;
  values: string[];
  default?: string;
}

export type PanelKind = "number" | "table" | "bar" | "line" | "pie";

export interface Panel {
  id: string;
  title: string;
  kind: PanelKind;
  sql: string;
  x?: string;
  y?: string[];
  series?: string;
  width?: number;
  height?: number;
  keep?: number;
  unit?: string;
  format?: string;
  sort?: "x" | "y" | "none";
}

/** Titles and labels may be left out of the file: then the id stands for them. */
export function withTitles(dashboard: Dashboard): Dashboard {
  return {
    ...dashboard,
    selectors: (dashboard.selectors ?? []).map((one) => ({ ...one, label: one.label || one.id })),
    panels: dashboard.panels.map((one) => ({ ...one, title: one.title || one.id })),
  };
}

export interface Dashboard {
  title: string;
  selectors?: Selector[];
  panels: Panel[];
}

export interface Job {
  id: number;
  name: string;
  state: string;
  bounded: boolean;
  started_ms: number;
  ended_ms: number | null;
  restarts: number;
  rows_read: number;
  rows_written: number;
  last_output_ms: number | null;
  memory_bytes: number;
  recovering: boolean;
  last_checkpoint: { id: number; ended_ms: number; duration_ms: number; bytes: number } | null;
  error: string | null;
  why: string | null;
}

export interface Operator {
  name: string;
  subtask: number;
  records_in: number;
  records_out: number;
  late_dropped: number;
  bad_rows: number;
  state_keys: number;
  state_bytes: number;
  watermark_ms: number | null;
  buffered_rows: number;
  blocked: string | boolean | null;
}

export interface Failure {
  time_ms: number;
  error: string;
}

export interface JobDetail extends Job {
  failures?: Failure[];
  operators?: Operator[];
  plan?: string;
}

export interface Table {
  name: string;
  kind: "table" | "view";
  connector: string | null;
  columns: Column[];
  primary_key: string[];
  ddl?: string;
}

export interface Topic {
  name: string;
  partitions: number;
  records: number;
  bytes: number;
}

export interface TopicPartition {
  id: number;
  log_start_offset: number;
  high_watermark: number;
  bytes: number;
}

export interface Info {
  product: string;
  version: string;
  uptime_ms: number;
  broker_address: string | null;
  data_directory: string;
  pid: number;
  jobs: { running: number; failed: number; finished: number };
}
