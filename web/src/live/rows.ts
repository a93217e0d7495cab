// The rows of one panel, kept up to date by snapshots and changes. Rows of a key keep the place where they first came.
// Without a key there are either rows that are only added, of which the oldest beyond `keep` go, or whole results
// (of a bounded query that is run again and again) that come as snapshots in their own order.
import type { Column, Row, Value } from "../base/types";

export interface Snapshot {
  panel: string;
  seq: number;
  columns: Column[];
  key: number[];
  rows: Row[];
  /** Whether rows are only ever added, the newest last; without it: whether there is no key. */
  append?: boolean;
}

export interface Changes {
  panel: string;
  seq: number;
  upserts?: Row[];
  deletes?: Value[][];
}

/** What came does not follow what was there: only a new snapshot helps. */
export class Gap extends Error {}

export class PanelRows {
  columns: Column[] = [];
  private key: number[] = [];
  private seq: number | null = null;
  private keyed = new Map<string, Row>();
  private listed: Row[] = [];
  private append = false;

  constructor(private readonly keep: number) {}

  get loaded(): boolean {
    return this.seq !== null;
  }

  /** True when rows are only ever added; the newest is last. */
  get appendOnly(): boolean {
    return this.append;
  }

  get keyNames(): string[] {
    return this.key.map((index) => this.columns[index]?.name ?? "");
  }

  get count(): number {
    return this.key.length ? this.keyed.size : this.listed.length;
  }

  rows(): Row[] {
    return this.key.length ? [...this.keyed.values()] : this.listed;
  }

  snapshot(frame: Snapshot): void {
    if (!Array.isArray(frame.columns) || !Array.isArray(frame.rows) || !Array.isArray(frame.key)) throw new Gap("not a snapshot");
    this.columns = frame.columns;
    this.key = frame.key;
    this.seq = frame.seq;
    this.append = frame.append ?? frame.key.length === 0;
    this.listed = [];
    const before = this.keyed;
    this.keyed = new Map();
    if (this.key.length === 0) {
      this.listed = frame.rows;
      return;
    }
    const fresh = new Map(frame.rows.map((row) => [this.keyOf(row), row]));
    for (const key of before.keys()) {
      const row = fresh.get(key);
      if (row) this.keyed.set(key, row);
    }
    for (const [key, row] of fresh) this.keyed.set(key, row);
  }

  /** Frames at or below the sequence that is there are ones the snapshot already has. */
  changes(frame: Changes): boolean {
    if (this.seq === null) throw new Gap("changes before a snapshot");
    if (frame.seq <= this.seq) return false;
    if (frame.seq !== this.seq + 1) throw new Gap(`sequence ${frame.seq} after ${this.seq}`);
    if (this.key.length === 0) {
      if (frame.deletes?.length || !this.append) throw new Gap("a change without a key");
      this.listed = [...this.listed, ...(frame.upserts ?? [])].slice(-this.keep);
    } else {
      for (const key of frame.deletes ?? []) this.keyed.delete(JSON.stringify(key));
      for (const row of frame.upserts ?? []) this.keyed.set(this.keyOf(row), row);
    }
    this.seq = frame.seq;
    return true;
  }

  clear(): void {
    this.seq = null;
    this.keyed.clear();
    this.listed = [];
  }

  private keyOf(row: Row): string {
    return JSON.stringify(this.key.map((index) => row[index] ?? null));
  }
}
