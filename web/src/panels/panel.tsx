// The frame of every panel: title, state, the switch between chart and table, and what stands there while there is
// nothing to draw.
import type { ComponentType } from "preact";
import { useEffect, useReducer, useState } from "preact/hooks";
import type { Panel, PanelKind } from "../base/types";
import type { PanelLive, PanelStatus } from "../live/dashboard_live";
import { Icon } from "../ui/icons";
import { Empty } from "../ui/notice";
import { BarPanel } from "./bar";
import { fieldsOf, type ChartPanelProps } from "./fields";
import { LinePanel } from "./line";
import { NumberPanel } from "./number";
import { PiePanel } from "./pie";
import { TablePanel } from "./table";

const KINDS: Record<PanelKind, { show: ComponentType<ChartPanelProps>; chart: boolean }> = {
  number: { show: NumberPanel, chart: false },
  table: { show: TablePanel, chart: false },
  bar: { show: BarPanel, chart: true },
  line: { show: LinePanel, chart: true },
  pie: { show: PiePanel, chart: true },
};

const WIDTH_DEFAULT = 6;
const HEIGHT_DEFAULT = 3;

export function PanelFrame({ live }: { live: PanelLive }) {
  const [, redraw] = useReducer((version: number) => version + 1, 0);
  const [asTable, setAsTable] = useState(false);
  useEffect(() => live.subscribe(() => redraw(undefined)), [live]);
  const { panel, status } = live;
  const kind = KINDS[panel.kind];
  const size = { "--width": String(panel.width ?? WIDTH_DEFAULT), "--height": String(panel.height ?? HEIGHT_DEFAULT) };
  const small = (panel.width ?? WIDTH_DEFAULT) <= 4 && panel.kind === "number";
  const title = `panel-${panel.id}`;
  return (
    <section class={`panel card panel-${panel.kind}${small ? " panel-small" : ""}`} style={size} aria-labelledby={title} data-panel={panel.id}>
      <header class="panel-head">
        <h2 id={title} title={panel.title}>
          {panel.title}
        </h2>
        {hasRows(live) && <StatusBadge status={status} />}
        {kind?.chart && hasRows(live) && (
          <button type="button" class="icon-button" aria-pressed={asTable} aria-label={`Show ${panel.title} as a table`} title={asTable ? "Show the chart" : "Show as a table"} onClick={() => setAsTable(!asTable)}>
            <Icon name={asTable ? "chart" : "table"} />
          </button>
        )}
      </header>
      <div class="panel-body">
        <Body live={live} asTable={asTable} />
      </div>
    </section>
  );
}

const hasRows = (live: PanelLive): boolean => live.rows.count > 0;

function Body({ live, asTable }: { live: PanelLive; asTable: boolean }) {
  const { panel, rows, status } = live;
  const kind = KINDS[panel.kind];
  if (!kind) return <Empty icon="fail" title={`This page knows no panel of kind “${String(panel.kind)}”.`}>Reload it: leat may be newer than the page.</Empty>;
  if (status?.state === "failed" && !hasRows(live)) return <Empty icon="fail" title="The query failed">{status.why}</Empty>;
  if (!rows.loaded && status?.state !== "waiting") return <Skeleton />;
  if (!hasRows(live)) return <Empty icon="wait" title="No rows yet">{status?.why || "The query runs and has found nothing so far. Rows show here as soon as there are some."}</Empty>;
  const missing = missingColumns(panel, live);
  if (missing.length > 0) {
    return (
      <Empty icon="fail" title={`The query has no column ${missing.join(", ")}`}>
        It has {rows.columns.map((column) => column.name).join(", ")}. Change x, y or series of this panel.
      </Empty>
    );
  }
  const Kind = kind.show;
  return <Kind panel={panel} rows={rows} asTable={asTable} />;
}

function missingColumns(panel: Panel, live: PanelLive): string[] {
  const there = new Set(live.rows.columns.map((column) => column.name));
  const { y } = fieldsOf(panel, live.rows.columns);
  const wanted = [panel.x, panel.series, ...(panel.y ?? [])].filter((name): name is string => name !== undefined && !there.has(name));
  return y.length === 0 && wanted.length === 0 ? ["y"] : wanted;
}

function StatusBadge({ status }: { status: PanelStatus | null }) {
  if (!status || status.state === "running") return null;
  return (
    <span class={`badge badge-${status.state}`} title={status.why} role="status">
      <Icon name={status.state === "failed" ? "fail" : "wait"} />
      <span class="badge-text">
        {status.state}
        {status.why && <span class="badge-why">: {status.why}</span>}
      </span>
    </span>
  );
}

function Skeleton() {
  return (
    <div class="skeleton" role="status">
      <span class="hidden">Loading</span>
    </div>
  );
}
