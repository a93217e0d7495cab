// The parts of Apache ECharts that panels use; a new chart type registers its parts here. ECharts gets numbers and
// labels only, never a name as an id: it keeps ids in plain objects, where "__proto__" is no ordinary key.
import { BarChart, LineChart, PieChart, type BarSeriesOption, type LineSeriesOption, type PieSeriesOption } from "echarts/charts";
import { GridComponent, TooltipComponent, type GridComponentOption, type TooltipComponentOption } from "echarts/components";
import { init, use, type ComposeOption, type EChartsType } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import "./zrender_cache";

use([BarChart, LineChart, PieChart, GridComponent, TooltipComponent, CanvasRenderer]);

export type ChartOption = ComposeOption<BarSeriesOption | LineSeriesOption | PieSeriesOption | GridComponentOption | TooltipComponentOption>;
export { init, type EChartsType };
