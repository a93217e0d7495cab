// The start: the list of dashboards. A single one opens by itself.
import { useEffect } from "preact/hooks";
import { address, replaceRoute } from "../base/router";
import { usePoll } from "../ui/poll";
import { Empty, ErrorNotice, Loading } from "../ui/notice";
import { TokenForm } from "../ui/token_form";

interface Listed {
  dashboards: { name: string; title: string }[];
}

export function DashboardsView({ openSingle }: { openSingle: boolean }) {
  const { data, error } = usePoll<Listed>("/api/v1/dashboards", 5000);
  const only = openSingle && data?.dashboards.length === 1 ? data.dashboards[0] : undefined;
  useEffect(() => {
    document.title = "Dashboards · leat";
    if (only) replaceRoute(address("dashboards", only.name));
  }, [only?.name]);
  if (error?.status === 401) return <TokenForm error={error} />;
  if (!data) return error ? <ErrorNotice error={error} /> : <Loading what="the dashboards" />;
  return (
    <>
      <div class="view-head">
        <h1>Dashboards</h1>
      </div>
      {error && <ErrorNotice error={error} stale />}
      {data.dashboards.length === 0 ? (
        <div class="card">
          <Empty title="No dashboard yet">
            A dashboard is a JSON file of panels, each with an SQL query. Start leat with one:
            <pre class="code">leat run --dashboard FILE.json PIPELINE.sql</pre>
            What runs meanwhile is under <a href={address("jobs")}>Jobs</a>.
          </Empty>
        </div>
      ) : (
        <ul class="cards">
          {data.dashboards.map((one) => (
            <li key={one.name}>
              <a class="card card-link" href={address("dashboards", one.name)}>
                <strong>{one.title}</strong>
                <span class="muted">{one.name}</span>
              </a>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}
