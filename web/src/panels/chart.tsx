// A chart of ECharts in a box of its parent's size. The canvas itself says nothing to a screen reader: every chart
// panel has a table beside it (text_table.tsx).
import { useLayoutEffect, useRef } from "preact/hooks";
import { COLOURS, useMode, type ChartColours } from "../base/theme";
import { init, type ChartOption, type EChartsType } from "./echarts";

export interface Size {
  width: number;
  height: number;
}

interface Props {
  /** Makes the option for the current data; called again when the box or the theme changes. */
  build(size: Size, colours: ChartColours): ChartOption;
  /** The height that all marks need; the box scrolls when it has less. */
  minimumHeight?(size: Size): number;
}

const FONT = getComputedStyle(document.documentElement).fontFamily;

export function Chart({ build, minimumHeight }: Props) {
  const outer = useRef<HTMLDivElement>(null);
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<EChartsType | null>(null);
  const mode = useMode();

  const drawChart = (): void => {
    if (!outer.current || !box.current || !chart.current) return;
    const size = { width: outer.current.clientWidth, height: outer.current.clientHeight };
    if (size.width === 0 || size.height === 0) return;
    size.height = Math.max(size.height, minimumHeight?.(size) ?? 0);
    box.current.style.height = `${size.height}px`;
    if (chart.current.getWidth() !== size.width || chart.current.getHeight() !== size.height) {
      chart.current.resize({ ...size, silent: true });
    }
    chart.current.setOption(frame(build(size, COLOURS[mode])), { replaceMerge: ["series", "xAxis", "yAxis"] });
  };
  const latest = useRef(drawChart);
  latest.current = drawChart;

  useLayoutEffect(() => {
    if (!outer.current || !box.current) return;
    chart.current = init(box.current, null, { renderer: "canvas", width: box.current.clientWidth || 100, height: box.current.clientHeight || 100 });
    const observer = new ResizeObserver(() => latest.current());
    observer.observe(outer.current);
    return () => {
      observer.disconnect();
      chart.current?.dispose();
      chart.current = null;
    };
  }, []);
  useLayoutEffect(drawChart); // in the frame in which the rest of the page changes

  return (
    <div class="chart" ref={outer} aria-hidden="true">
      <div class="chart-box" ref={box} />
    </div>
  );
}

function frame(option: ChartOption): ChartOption {
  return {
    animation: false,
    textStyle: { fontFamily: FONT },
    ...option,
    tooltip: { confine: true, transitionDuration: 0, padding: 0, borderWidth: 0, backgroundColor: "transparent", extraCssText: "box-shadow: none", ...option.tooltip },
  };
}
