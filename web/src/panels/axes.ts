// The axes and the tooltip that bars and lines share.
import { compact, isCurrency } from "../base/format";
import type { ChartColours } from "../base/theme";
import type { ChartOption } from "./echarts";
import { tooltip } from "./tooltip";

export function axisText(unit: string | undefined): (value: number) => string {
  return (value) => {
    const text = compact(value);
    if (unit && isCurrency(unit)) return text.startsWith("-") ? "-" + unit + text.slice(1) : unit + text;
    return unit === "%" ? text + unit : text;
  };
}

export function valueAxis(text: (value: number) => string, colours: ChartColours) {
  return {
    type: "value" as const,
    splitNumber: 4,
    axisLine: { show: false },
    axisTick: { show: false },
    axisLabel: { color: colours.muted, fontSize: 12, formatter: text, hideOverlap: true },
    splitLine: { lineStyle: { color: colours.line } },
  };
}

export function categoryAxis(names: string[], colours: ChartColours) {
  return {
    type: "category" as const,
    data: names,
    axisLine: { lineStyle: { color: colours.line } },
    axisTick: { show: false },
    axisLabel: { color: colours.muted, fontSize: 12, interval: 0 },
  };
}

export interface TooltipSeries {
  name: string;
  colour: string;
  /** The exact text of each point. */
  texts: string[];
}

/** Shows all series at the place under the pointer, with the texts of the data, not ECharts' numbers. */
export function tooltipOf(titles: string[], series: TooltipSeries[], pointer: "shadow" | "line", colours: ChartColours): NonNullable<ChartOption["tooltip"]> {
  return {
    trigger: "axis",
    axisPointer: { type: pointer, lineStyle: { color: colours.muted }, shadowStyle: { color: colours.muted, opacity: 0.1 } },
    formatter: (params) => {
      const points = Array.isArray(params) ? params : [params];
      const at = points[0]?.dataIndex ?? 0;
      const lines = points.map(({ seriesIndex = 0, dataIndex }) => {
        const one = series[seriesIndex];
        return { colour: one?.colour ?? "", name: one?.name ?? "", value: one?.texts[dataIndex] ?? "" };
      });
      return tooltip(titles[at] ?? "", lines);
    },
  };
}
