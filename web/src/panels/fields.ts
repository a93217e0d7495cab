// What a panel's options mean for the columns that its query has: which column is x, which are y, in which order.
import { compareDecimal, parseDecimal } from "../base/decimal";
import { isNumeric, label, numberText, parseFormat, withUnit, type Format } from "../base/format";
import type { Column, Panel, Row, Value } from "../base/types";
import type { PanelRows } from "../live/rows";

export interface Fields {
  columns: Column[];
  x: number;
  y: number[];
  series: number;
  format: Format;
  unit: string | undefined;
}

/** x is by default the first column, y the numeric ones behind it. A name without a column is -1. */
export function fieldsOf(panel: Panel, columns: Column[]): Fields {
  const index = (name: string | undefined): number => columns.findIndex((column) => column.name === name);
  const x = panel.x === undefined ? 0 : index(panel.x);
  const series = panel.series === undefined ? -1 : index(panel.series);
  const numeric = columns.map((column, at) => (isNumeric(column.type) && at !== x && at !== series ? at : -1)).filter((at) => at >= 0);
  const y = panel.y?.length ? panel.y.map(index).filter((at) => at >= 0) : numeric.length ? numeric : columns.length > 1 ? [columns.length - 1] : [0];
  return { columns, x, y, series, format: parseFormat(panel.format), unit: panel.unit };
}

export function valueText(fields: Fields, value: Value | undefined): string {
  if (value === null || value === undefined) return "–";
  return withUnit(numberText(value, fields.format) ?? String(value), fields.unit);
}

export const typeOf = (fields: Fields, at: number): string => fields.columns[at]?.type ?? "";

export const nameOf = (fields: Fields, row: Row, at: number): string => label(row[at] ?? null, typeOf(fields, at));

export const toNumber = (value: Value | undefined): number | null => {
  if (value === null || value === undefined || value === "") return null;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
};

const collator = new Intl.Collator("en", { numeric: true });

function compareValues(a: Value | undefined, b: Value | undefined): number {
  const left = parseDecimal(a);
  const right = parseDecimal(b);
  if (left && right) return compareDecimal(left, right);
  if (a === null || a === undefined) return b === null || b === undefined ? 0 : 1;
  if (b === null || b === undefined) return -1;
  return collator.compare(String(a), String(b));
}

/** Bars and slices keep their places while values change, unless the panel asks for the order of the values. */
export function sortedRows(panel: Panel, fields: Fields, rows: Row[], fallback: "x" | "y" | "none"): Row[] {
  const sort = panel.sort ?? fallback;
  if (sort === "none") return rows;
  const byX = (a: Row, b: Row): number => compareValues(a[fields.x], b[fields.x]);
  const y = fields.y[0] ?? -1;
  return [...rows].sort(sort === "x" ? byX : (a, b) => compareValues(b[y], a[y]) || byX(a, b));
}

export interface Series {
  name: string;
  /** One value per category. */
  values: Value[];
}

export interface Categories {
  names: string[];
  series: Series[];
}

/** One series per y column, or per value of the series column; a category per row, or per value of x. */
export function categoriesOf(fields: Fields, rows: Row[]): Categories {
  if (fields.series < 0) {
    return {
      names: rows.map((row) => nameOf(fields, row, fields.x)),
      series: fields.y.map((at) => ({ name: fields.columns[at]?.name ?? "", values: rows.map((row) => row[at] ?? null) })),
    };
  }
  const places = new Map<string, number>();
  const found = new Map<string, Series>();
  for (const row of rows) {
    const name = nameOf(fields, row, fields.x);
    if (!places.has(name)) places.set(name, places.size);
  }
  for (const row of rows) {
    const name = nameOf(fields, row, fields.series);
    const series = found.get(name) ?? { name, values: new Array<Value>(places.size).fill(null) };
    series.values[places.get(nameOf(fields, row, fields.x)) ?? 0] = row[fields.y[0] ?? -1] ?? null;
    found.set(name, series);
  }
  return { names: [...places.keys()], series: [...found.values()].sort((a, b) => collator.compare(a.name, b.name)) };
}

/** The categories as the lines of the table that stands for the chart. */
export function textLines(fields: Fields, { names, series }: Categories): { head: string[]; lines: string[][] } {
  return {
    head: [fields.columns[fields.x]?.name ?? "", ...series.map((one) => one.name)],
    lines: names.map((name, at) => [name, ...series.map((one) => valueText(fields, one.values[at]))]),
  };
}

export interface PanelProps {
  panel: Panel;
  rows: PanelRows;
}

export interface ChartPanelProps extends PanelProps {
  /** Shows the values as a table instead of the chart. */
  asTable: boolean;
}
