// Lines over time, over a number, or over categories.
import { useRef } from "preact/hooks";
import { isNumeric, isTime } from "../base/format";
import type { Value } from "../base/types";
import { COLOURS, Colouring, useMode, type ChartColours } from "../base/theme";
import { axisText, categoryAxis, tooltipOf, valueAxis } from "./axes";
import { Chart } from "./chart";
import type { ChartOption } from "./echarts";
import { categoriesOf, fieldsOf, sortedRows, textLines, toNumber, typeOf, valueText, type Categories, type ChartPanelProps, type Fields } from "./fields";
import { Legend } from "./legend";
import { TextTable } from "./text_table";

export function LinePanel({ panel, rows, asTable }: ChartPanelProps) {
  const mode = useMode();
  const colouring = useRef(new Colouring());
  const fields = fieldsOf(panel, rows.columns);
  const sorted = sortedRows(panel, fields, rows.rows(), "x");
  const lines = categoriesOf(fields, sorted);
  colouring.current.take(lines.series.map((one) => one.name));
  const colourOf = (name: string): string => colouring.current.of(name, COLOURS[mode]);
  const text = <TextTable caption={panel.title} {...textLines(fields, lines)} visible={asTable} />;
  if (asTable) return text;
  const places = placesOf(fields, sorted, lines);
  return (
    <>
      {text}
      <Legend names={lines.series.map((one) => one.name)} colourOf={colourOf} />
      <Chart build={(_, colours) => lineOption(lines, places, fields, colours, colourOf)} />
    </>
  );
}

interface Places {
  kind: "time" | "value" | "category";
  /** The x of each category, for the first two kinds. */
  at: (number | null)[];
  utc: boolean;
}

/** Where the categories stand. A TIMESTAMP has no zone and is drawn as it reads; an instant in the viewer's zone. */
function placesOf(fields: Fields, sorted: Value[][], { names }: Categories): Places {
  const type = typeOf(fields, fields.x);
  const values = fields.series < 0 ? sorted.map((row) => row[fields.x] ?? null) : [...new Set(sorted.map((row) => row[fields.x] ?? null))];
  if (names.length !== values.length || values.length < 2) return { kind: "category", at: [], utc: true }; // a single one spans no axis
  if (isTime(type)) {
    const zoned = values.some((value) => /(Z|[+-]\d\d:?\d\d)$/.test(String(value)) && String(value).includes("T"));
    return { kind: "time", at: values.map((value) => instant(value, zoned)), utc: !zoned };
  }
  if (isNumeric(type)) return { kind: "value", at: values.map(toNumber), utc: true };
  return { kind: "category", at: [], utc: true };
}

function instant(value: Value, zoned: boolean): number | null {
  if (value === null) return null;
  const text = String(value).replace(" ", "T");
  const at = Date.parse(zoned || !text.includes("T") ? text : text + "Z");
  return Number.isNaN(at) ? null : at;
}

function lineOption(lines: Categories, places: Places, fields: Fields, colours: ChartColours, colourOf: (name: string) => string): ChartOption {
  const texts = lines.series.map((one) => one.values.map((value) => valueText(fields, value)));
  const single = lines.series.length === 1;
  return {
    useUTC: places.utc,
    grid: { left: 8, right: 16, top: 12, bottom: 4, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
    xAxis: xAxisOf(places, lines, colours),
    yAxis: valueAxis(axisText(fields.unit), colours),
    series: lines.series.map((one, at) => ({
      id: `series ${at}`,
      type: "line",
      data: one.values.map((value, index) => (places.kind === "category" ? toNumber(value) : [places.at[index] ?? null, toNumber(value)])) as number[],
      connectNulls: !single,
      showSymbol: one.values.length <= 30,
      symbol: "circle",
      symbolSize: one.values.length < 2 ? 8 : 5,
      lineStyle: { width: 2, color: colourOf(one.name) },
      itemStyle: { color: colourOf(one.name) },
      ...(single ? { areaStyle: { color: colourOf(one.name), opacity: 0.12 } } : {}),
    })),
    tooltip: tooltipOf(lines.names, lines.series.map((one, at) => ({ name: one.name, colour: colourOf(one.name), texts: texts[at] ?? [] })), "line", colours),
  };
}

function xAxisOf(places: Places, lines: Categories, colours: ChartColours): NonNullable<ChartOption["xAxis"]> {
  if (places.kind === "category") {
    const axis = categoryAxis(lines.names, colours);
    return { ...axis, boundaryGap: lines.names.length < 2, axisLabel: { color: colours.muted, fontSize: 12, width: 140, overflow: "truncate" } };
  }
  const shared = { min: "dataMin", max: "dataMax", axisLine: { lineStyle: { color: colours.line } }, axisTick: { show: false }, splitLine: { show: false } } as const;
  const axisLabel = { color: colours.muted, fontSize: 12, hideOverlap: true };
  if (places.kind === "value") return { type: "value", ...shared, axisLabel };
  return { type: "time", ...shared, minInterval: leastStep(places.at), axisLabel: { ...axisLabel, formatter: CLOCK } };
}

/** The shortest time between two neighbours: ticks closer than that would only seem to say something. */
function leastStep(at: (number | null)[]): number {
  let least = Infinity;
  for (let index = 1; index < at.length; index++) {
    const step = (at[index] ?? 0) - (at[index - 1] ?? 0);
    if (step > 0 && step < least) least = step;
  }
  return Number.isFinite(least) ? least : 0;
}

const CLOCK = {
  year: "{yyyy}",
  month: "{MMM} {yyyy}",
  day: "{MMM} {d}",
  hour: "{HH}:{mm}",
  minute: "{HH}:{mm}",
  second: "{HH}:{mm}:{ss}",
  millisecond: "{HH}:{mm}:{ss}",
};
