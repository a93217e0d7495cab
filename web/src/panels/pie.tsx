// Shares of a whole: a ring with the total in it, and beside it a list of all slices with value and share, which is
// also the text for screen readers. Slices keep their colours and, unless the panel says otherwise, their order.
import { useRef } from "preact/hooks";
import { addDecimal, compareDecimal, decimalText, parseDecimal, type Decimal } from "../base/decimal";
import type { Row } from "../base/types";
import { COLOURS, Colouring, useMode, type ChartColours } from "../base/theme";
import { Chart } from "./chart";
import type { ChartOption } from "./echarts";
import { fieldsOf, nameOf, sortedRows, toNumber, valueText, type ChartPanelProps, type Fields } from "./fields";
import { TextTable } from "./text_table";
import { tooltip } from "./tooltip";

interface Slice {
  name: string;
  size: number;
  text: string;
  share: string;
  colour: string;
}

export function PiePanel({ panel, rows, asTable }: ChartPanelProps) {
  const mode = useMode();
  const colouring = useRef(new Colouring());
  const fields = fieldsOf(panel, rows.columns);
  const sorted = sortedRows(panel, fields, rows.rows(), "x");
  const names = sorted.map((row) => nameOf(fields, row, fields.x));
  colouring.current.take(names);
  const { slices, total } = slicesOf(fields, sorted, (name) => colouring.current.of(name, COLOURS[mode]));
  if (asTable) {
    const head = [fields.columns[fields.x]?.name ?? "", fields.columns[fields.y[0] ?? -1]?.name ?? "", "share"];
    return <TextTable caption={panel.title} head={head} lines={slices.map((one) => [one.name, one.text, one.share])} visible />;
  }
  return (
    <div class="pie">
      <div class="pie-ring">
        <Chart build={(size, colours) => pieOption(slices, Math.min(size.width, size.height), colours)} />
        <p class="pie-total" style={{ "--characters": String(Math.max(6, total.length)) }}>
          <span class="muted">Total</span>
          {total}
        </p>
      </div>
      <ul class="pie-list" tabIndex={0} aria-label={`${panel.title}: values and shares`}>
        {slices.map((one, index) => (
          <li key={index}>
            <span class="swatch" style={{ backgroundColor: one.colour }} />
            <span class="pie-name" title={one.name}>
              {one.name}
            </span>
            <span class="pie-value">{one.text}</span>
            <span class="pie-share">{one.share}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}

const ZERO: Decimal = { units: 0n, scale: 0 };

/** The total is exact; what is negative or no number has no slice, but stays in the list. */
function slicesOf(fields: Fields, rows: Row[], colourOf: (name: string) => string): { slices: Slice[]; total: string } {
  const y = fields.y[0] ?? -1;
  const sizes = rows.map((row) => parseDecimal(row[y]));
  const total = sizes.reduce<Decimal>((sum, size) => (size && compareDecimal(size, ZERO) > 0 ? addDecimal(sum, size) : sum), ZERO);
  const whole = Number(decimalText(total, false));
  const slices = rows.map((row) => {
    const name = nameOf(fields, row, fields.x);
    const size = Math.max(0, toNumber(row[y]) ?? 0);
    return { name, size, text: valueText(fields, row[y]), share: whole > 0 ? `${((size / whole) * 100).toFixed(1)}%` : "–", colour: colourOf(name) };
  });
  return { slices, total: valueText(fields, decimalText(total, false)) };
}

function pieOption(slices: Slice[], room: number, colours: ChartColours): ChartOption {
  const radius = Math.max(20, room / 2 - 4);
  return {
    series: [
      {
        type: "pie",
        radius: [radius * 0.64, radius],
        center: ["50%", "50%"],
        label: { show: false },
        labelLine: { show: false },
        emphasis: { scaleSize: 3 },
        itemStyle: { borderColor: colours.surface, borderWidth: slices.length > 1 ? 2 : 0 },
        data: slices.map((one, at) => ({ name: `slice ${at}`, value: one.size, itemStyle: { color: one.colour } })),
      },
    ],
    tooltip: {
      trigger: "item",
      formatter: (params) => {
        const one = slices[(Array.isArray(params) ? params[0] : params)?.dataIndex ?? 0];
        return tooltip(one?.name ?? "", one ? [{ colour: one.colour, name: one.share, value: one.text }] : []);
      },
    },
  };
}
