// A dashboard: its selectors and its panels, live.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { ApiError, get, unreachable } from "../base/api";
import { address, replaceRoute } from "../base/router";
import { withTitles, type Dashboard, type Selector } from "../base/types";
import { DashboardLive } from "../live/dashboard_live";
import type { StreamState } from "../live/stream";
import { PanelFrame } from "../panels/panel";
import { ErrorNotice, Loading } from "../ui/notice";
import { LiveBadge } from "../ui/live_badge";
import { TokenForm } from "../ui/token_form";

const RETRY_MS = 1000;

/** The dashboard's definition; asked for again while the server does not answer and after it started anew. */
function useDashboard(name: string, start: number): { dashboard: Dashboard | null; error: ApiError | null } {
  const [dashboard, setDashboard] = useState<Dashboard | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    async function ask(): Promise<void> {
      try {
        const fresh = withTitles(await get<Dashboard>(`/api/v1/dashboards/${encodeURIComponent(name)}`, abort.signal));
        setDashboard((before) => (JSON.stringify(before) === JSON.stringify(fresh) ? before : fresh));
        setError(null);
      } catch (problem) {
        if (abort.signal.aborted) return;
        const known = problem instanceof ApiError ? problem : unreachable();
        setError(known);
        if (![401, 403, 404].includes(known.status)) timer = setTimeout(() => void ask(), RETRY_MS);
      }
    }
    void ask();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [name, start]);
  return { dashboard, error };
}

export function DashboardView({ name, query }: { name: string; query: URLSearchParams }) {
  const [start, setStart] = useState(0);
  const { dashboard, error } = useDashboard(name, start);
  if (error?.status === 401) return <TokenForm error={error} />;
  if (error && !dashboard) return <ErrorNotice error={error} />;
  if (!dashboard) return <Loading what="the dashboard" />;
  return <Shown key={name} name={name} dashboard={dashboard} query={query} onServerStart={() => setStart((before) => before + 1)} />;
}

/** The selectors' values: from the address where they are allowed ones, else the defaults. */
function valuesOf(selectors: Selector[], query: URLSearchParams): Record<string, string> {
  return Object.fromEntries(
    selectors.map(({ id, values, default: first }) => {
      const asked = query.get(id);
      return [id, asked !== null && values.includes(asked) ? asked : first ?? values[0] ?? ""];
    }),
  );
}

interface ShownProps {
  name: string;
  dashboard: Dashboard;
  query: URLSearchParams;
  onServerStart(): void;
}

function Shown({ name, dashboard, query, onServerStart }: ShownProps) {
  const [state, setState] = useState<StreamState>({ name: "connecting" });
  const selectors = dashboard.selectors ?? [];
  const values = valuesOf(selectors, query);
  const known = JSON.stringify(values);
  const shown = useRef<Record<string, string>>({});
  const live = useMemo(() => new DashboardLive(name, dashboard, setState, onServerStart), [name, dashboard]);
  useEffect(() => {
    const changed = Object.keys(values).filter((id) => shown.current[id] !== values[id]);
    shown.current = values;
    live.open(values, changed);
    return () => live.close();
  }, [live, known]);
  useEffect(() => {
    document.title = `${dashboard.title} · leat`;
  }, [dashboard.title]);
  if (state.name === "refused" && state.error.status === 401) return <TokenForm error={state.error} />;
  return (
    <>
      <div class="view-head">
        <h1>{dashboard.title}</h1>
        <LiveBadge state={state} />
        <div class="selectors">
          {selectors.map((selector) => (
            <SelectorBox
              key={selector.id}
              selector={selector}
              value={values[selector.id] ?? ""}
              onChange={(value) => replaceRoute(address("dashboards", name, { ...values, [selector.id]: value }))}
            />
          ))}
        </div>
      </div>
      {state.name === "refused" && <ErrorNotice error={state.error} stale />}
      <div class={`grid${state.name === "reconnecting" ? " grid-stale" : ""}`}>
        {[...live.panels.values()].map((one) => (
          <PanelFrame key={one.panel.id} live={one} />
        ))}
      </div>
    </>
  );
}

function SelectorBox({ selector, value, onChange }: { selector: Selector; value: string; onChange(value: string): void }) {
  const id = `selector-${selector.id}`;
  return (
    <span class="selector">
      <label for={id}>{selector.label}</label>
      <select id={id} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {selector.values.map((one) => (
          <option key={one} value={one}>
            {one}
          </option>
        ))}
      </select>
    </span>
  );
}
