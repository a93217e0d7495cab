// Bars by category: upright while every name fits under its bar, else lying, and scrolling when there are more than
// the panel has room for. All keys stay visible, in a stable order.
import { useRef } from "preact/hooks";
import { COLOURS, Colouring, useMode, type ChartColours } from "../base/theme";
import { axisText, categoryAxis, tooltipOf, valueAxis } from "./axes";
import { Chart, type Size } from "./chart";
import type { ChartOption } from "./echarts";
import { categoriesOf, fieldsOf, sortedRows, textLines, toNumber, valueText, type Categories, type ChartPanelProps, type Fields } from "./fields";
import { Legend } from "./legend";
import { TextTable } from "./text_table";

const CHARACTER = 6.6; // width of a character of the axis font
const LYING_BAR = 26; // the least height of a lying bar with its gap
const NAME_WIDTH = 150;

export function BarPanel({ panel, rows, asTable }: ChartPanelProps) {
  const mode = useMode();
  const colouring = useRef(new Colouring());
  const fields = fieldsOf(panel, rows.columns);
  const bars = categoriesOf(fields, sortedRows(panel, fields, rows.rows(), "x"));
  colouring.current.take(bars.series.map((one) => one.name));
  const colourOf = (name: string): string => colouring.current.of(name, COLOURS[mode]);
  const text = <TextTable caption={panel.title} {...textLines(fields, bars)} visible={asTable} />;
  if (asTable) return text;
  const least = (size: Size): number => (liesDown(bars, size.width) ? bars.names.length * Math.max(LYING_BAR, bars.series.length * 14) + 8 : 0);
  return (
    <>
      {text}
      <Legend names={bars.series.map((one) => one.name)} colourOf={colourOf} />
      <Chart build={(size, colours) => barOption(bars, fields, size, colours, colourOf)} minimumHeight={least} />
    </>
  );
}

/** Whether the names are too long to stand side by side. */
function liesDown({ names }: Categories, width: number): boolean {
  const slot = (width - 60) / Math.max(1, names.length);
  return names.some((name) => name.length * CHARACTER > slot - 6);
}

function barOption(bars: Categories, fields: Fields, size: Size, colours: ChartColours, colourOf: (name: string) => string): ChartOption {
  const lying = liesDown(bars, size.width);
  const names = categoryAxis(bars.names, colours);
  const longest = Math.max(0, ...bars.names.map((name) => name.length * CHARACTER));
  const nameWidth = Math.min(NAME_WIDTH, size.width * 0.35, longest + 4);
  const texts = bars.series.map((one) => one.values.map((value) => valueText(fields, value)));
  const widest = Math.max(0, ...texts.flat().map((text) => text.length * CHARACTER));
  const labelled = bars.series.length === 1 && (lying || widest < (size.width - 60) / Math.max(1, bars.names.length));
  const scale = valueAxis(axisText(fields.unit), colours);
  const values = lying && labelled ? { ...scale, show: false } : scale; // each bar says its value
  return {
    grid: lying
      ? { left: nameWidth + 12, right: labelled ? widest + 14 : 16, top: 4, bottom: labelled ? 4 : 24 }
      : { left: 8, right: 8, top: labelled ? 22 : 10, bottom: 4, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
    xAxis: lying ? values : names,
    yAxis: lying ? { ...names, inverse: true, axisLabel: { ...names.axisLabel, width: nameWidth, overflow: "truncate" } } : values,
    series: bars.series.map((one, at) => ({
      id: `series ${at}`,
      type: "bar",
      data: one.values.map(toNumber),
      barMaxWidth: 56,
      barCategoryGap: "32%",
      itemStyle: { color: colourOf(one.name), borderRadius: lying ? [0, 3, 3, 0] : [3, 3, 0, 0] },
      label: {
        show: labelled,
        position: lying ? "right" : "top",
        color: colours.text,
        fontSize: 12,
        formatter: ({ dataIndex }) => texts[at]?.[dataIndex] ?? "",
      },
    })),
    tooltip: tooltipOf(bars.names, bars.series.map((one, at) => ({ name: one.name, colour: colourOf(one.name), texts: texts[at] ?? [] })), "shadow", colours),
  };
}
