// The rows of one panel, kept up to date by snapshots and keyed changes. Rows of a key keep the place where they first
// came; without a key rows are only added, and the oldest beyond `keep` go.
import type { Column, Row, Value } from "../base/types";

export interface Snapshot {
  panel: string;
  seq: number;
  columns: Column[];
  key: number[];
  rows: Row[];
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
  private appended: Row[] = [];

  constructor(private readonly keep: number) {}

  get loaded(): boolean {
    return this.seq !== null;
  }

  /** True when rows are only ever added; the newest is last. */
  get appendOnly(): boolean {
    return this.key.length === 0;
  }

  get keyNames(): string[] {
    return this.key.map((index) => this.columns[index]?.name ?? "");
  }

  get count(): number {
    return this.appendOnly ? this.appended.length : this.keyed.size;
  }

  rows(): Row[] {
    return this.appendOnly ? this.appended : [...this.keyed.values()];
  }

  snapshot(frame: Snapshot): void {
    if (!Array.isArray(frame.columns) || !Array.isArray(frame.rows) || !Array.isArray(frame.key)) throw new Gap("not a snapshot");
    this.columns = frame.columns;
    this.key = frame.key;
    this.seq = frame.seq;
    this.appended = [];
    const before = this.keyed;
    this.keyed = new Map();
    if (this.appendOnly) {
      this.appended = frame.rows.slice(-this.keep);
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
    if (this.appendOnly) {
      if (frame.deletes?.length) throw new Gap("a delete without a key");
      this.appended = [...this.appended, ...(frame.upserts ?? [])].slice(-this.keep);
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
    this.appended = [];
  }

  private keyOf(row: Row): string {
    return JSON.stringify(this.key.map((index) => row[index] ?? null));
  }
}
