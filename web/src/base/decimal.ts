// Exact decimals: values of DECIMAL and big BIGINT columns come as strings, and no step here goes through double.

export interface Decimal {
  units: bigint;
  scale: number;
}

const PATTERN = /^([+-]?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,3}))?$/;

/** Returns null for what is no number (NaN and infinities included). */
export function parseDecimal(value: unknown): Decimal | null {
  if (typeof value !== "number" && typeof value !== "string") return null;
  const found = PATTERN.exec(String(value));
  if (!found) return null;
  const [, sign, whole = "", fraction = "", exponent = "0"] = found;
  let units = BigInt(whole + fraction);
  let scale = fraction.length - Number(exponent);
  if (scale < 0) {
    units *= 10n ** BigInt(-scale);
    scale = 0;
  }
  return { units: sign === "-" ? -units : units, scale };
}

function rescale(value: Decimal, scale: number): bigint {
  return value.units * 10n ** BigInt(scale - value.scale);
}

export function addDecimal(a: Decimal, b: Decimal): Decimal {
  const scale = Math.max(a.scale, b.scale);
  return { units: rescale(a, scale) + rescale(b, scale), scale };
}

export function compareDecimal(a: Decimal, b: Decimal): number {
  const scale = Math.max(a.scale, b.scale);
  const left = rescale(a, scale);
  const right = rescale(b, scale);
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Rounds half away from zero when digits are dropped, pads with zeros when there are fewer. */
export function roundDecimal(value: Decimal, scale: number): Decimal {
  if (scale >= value.scale) return { units: rescale(value, scale), scale };
  const divisor = 10n ** BigInt(value.scale - scale);
  const size = value.units < 0n ? -value.units : value.units;
  const rounded = (size + divisor / 2n) / divisor;
  return { units: value.units < 0n ? -rounded : rounded, scale };
}

export function decimalText(value: Decimal, grouped: boolean): string {
  const digits = (value.units < 0n ? -value.units : value.units).toString().padStart(value.scale + 1, "0");
  const cut = digits.length - value.scale;
  const whole = digits.slice(0, cut);
  const shown = grouped ? whole.replace(/\B(?=(\d{3})+$)/g, ",") : whole;
  return (value.units < 0n ? "-" : "") + shown + (value.scale > 0 ? "." + digits.slice(cut) : "");
}

export function decimalNumber(value: Decimal): number {
  return Number(decimalText(value, false));
}
