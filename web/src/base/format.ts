// How values are shown. A format is the part of d3-format that dashboards use: "[,][.DIGITS][f|d|%|s]";
// a unit that is a currency sign stands before the number, any other behind it.
import { decimalNumber, decimalText, parseDecimal, roundDecimal } from "./decimal";
import type { Column, Value } from "./types";

export interface Format {
  grouped: boolean;
  digits: number | null;
  kind: "f" | "d" | "%" | "s" | "";
}

const PLAIN: Format = { grouped: true, digits: null, kind: "" };

export function parseFormat(text: string | undefined): Format {
  const found = /^(,?)(?:\.(\d{1,2}))?([fds%]?)$/.exec(text ?? "");
  if (!text || !found) return PLAIN;
  return {
    grouped: found[1] === ",",
    digits: found[2] === undefined ? (found[3] === "f" ? 6 : null) : Number(found[2]),
    kind: (found[3] ?? "") as Format["kind"],
  };
}

export const isCurrency = (unit: string): boolean => /^\p{Sc}$/u.test(unit);

export function withUnit(text: string, unit: string | undefined): string {
  if (!unit) return text;
  if (isCurrency(unit)) return text.startsWith("-") ? "-" + unit + text.slice(1) : unit + text;
  return unit === "%" ? text + unit : text + "\u202f" + unit;
}

const STEPS: [number, string][] = [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "K"]];

/** 1234567 as 1.23M: for axes, where exact digits are neither needed nor readable. */
export function compact(value: number, digits = 2): string {
  const [step, suffix] = STEPS.find(([size]) => Math.abs(value) >= size) ?? [1, ""];
  const scaled = value / step;
  return Number(scaled.toFixed(suffix ? digits : 6)).toString() + suffix;
}

/** A number, or a decimal in a string, without its unit; null when it is neither. */
export function numberText(value: Value, format: Format): string | null {
  let decimal = parseDecimal(value);
  if (!decimal) return typeof value === "number" ? String(value) : null;
  if (format.kind === "s") return compact(decimalNumber(decimal), format.digits ?? 2);
  if (format.kind === "%") decimal = { units: decimal.units * 100n, scale: decimal.scale };
  if (format.kind === "d") decimal = roundDecimal(decimal, 0);
  else if (format.digits !== null) decimal = roundDecimal(decimal, format.digits);
  else if (typeof value === "number" && decimal.scale > 6) decimal = parseDecimal(Number(value.toPrecision(7))) ?? decimal;
  return decimalText(decimal, format.grouped) + (format.kind === "%" ? "%" : "");
}

export const isNumeric = (type: string): boolean =>
  /^(TINYINT|SMALLINT|INT|INTEGER|BIGINT|FLOAT|DOUBLE|DECIMAL|NUMERIC)\b/i.test(type);
export const isTime = (type: string): boolean => /^(TIMESTAMP|DATE)/i.test(type);

/** 2024-01-01T00:00:01.000 as 2024-01-01 00:00:01; an instant (with a zone) in the viewer's zone. */
export function timeText(value: string): string {
  let text = value;
  if (/T.*(Z|[+-]\d\d:?\d\d)$/.test(value)) {
    const at = new Date(value);
    if (!Number.isNaN(at.getTime())) text = new Date(at.getTime() - at.getTimezoneOffset() * 60000).toISOString().slice(0, -1);
  }
  return text.replace("T", " ").replace(/\.0+$/, "");
}

/** Any value as text for a label: never empty, so that a bar or a slice always has a name. */
export function label(value: Value, type = ""): string {
  if (value === null || value === undefined) return "(null)";
  if (value === "") return "(empty)";
  if (typeof value === "object") return JSON.stringify(value);
  return typeof value === "string" && isTime(type) ? timeText(value) : String(value);
}

/** A table cell: numbers grouped unless they name something (keys and ids). */
export function cell(value: Value, column: Column, format: Format | null, unit: string | undefined, names: boolean): string {
  if (value === null || value === undefined) return "";
  if (isNumeric(column.type)) {
    if (format) return withUnit(numberText(value, format) ?? String(value), unit);
    return names ? String(value) : numberText(value, PLAIN) ?? String(value);
  }
  if (typeof value === "object") return JSON.stringify(value);
  return typeof value === "string" && isTime(column.type) ? timeText(value) : String(value);
}

export const count = (value: number | null | undefined): string =>
  value === null || value === undefined ? "–" : numberText(value, PLAIN) ?? "–";

export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  const steps = ["B", "KB", "MB", "GB", "TB"];
  const step = Math.min(steps.length - 1, value < 1 ? 0 : Math.floor(Math.log2(value) / 10));
  const scaled = value / 1024 ** step;
  return `${scaled >= 100 || step === 0 ? Math.round(scaled) : scaled.toFixed(1)} ${steps[step]}`;
}

export function duration(ms: number): string {
  const seconds = Math.max(0, ms / 1000);
  if (seconds < 1) return `${Math.round(ms)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}
