// The frame of the page: navigation, theme, and the view that the address names.
import { address, useRoute, type Route } from "./base/router";
import { Footer } from "./ui/footer";
import { ThemeButton } from "./ui/theme_button";
import { DashboardView } from "./views/dashboard";
import { DashboardsView } from "./views/dashboards";
import { JobView } from "./views/job";
import { JobsView } from "./views/jobs";
import { SqlView } from "./views/sql";
import { TablesView, TableView } from "./views/tables";
import { TopicsView, TopicView } from "./views/topics";
import { Empty } from "./ui/notice";

const VIEWS = [
  ["dashboards", "Dashboards"],
  ["jobs", "Jobs"],
  ["tables", "Tables"],
  ["topics", "Topics"],
  ["sql", "SQL"],
] as const;

export function App() {
  const route = useRoute();
  const current = route.view || "dashboards";
  return (
    <>
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault(); // the hash is the route
          document.getElementById("main")?.focus();
        }}
      >
        Skip to content
      </a>
      <header class="top">
        <a class="brand" href={address("")}>
          <svg viewBox="0 0 32 32" width="24" height="24" aria-hidden="true">
            <rect width="32" height="32" rx="7" class="brand-ground" />
            <path class="brand-waves" d="M5 12c3.700-3.400 7.300-3.400 11 0s7.300 3.400 11 0M5 21c3.700-3.400 7.300-3.400 11 0s7.300 3.400 11 0" />
          </svg>
          leat
        </a>
        <nav aria-label="Views">
          {VIEWS.map(([view, title]) => (
            <a key={view} href={address(view)} aria-current={current === view ? "page" : undefined}>
              {title}
            </a>
          ))}
        </nav>
        <ThemeButton />
      </header>
      <main id="main" tabIndex={-1}>
        <View route={route} />
      </main>
      <Footer />
    </>
  );
}

function View({ route: { view, argument, query } }: { route: Route }) {
  switch (view) {
    case "":
      return <DashboardsView openSingle />;
    case "dashboards":
      return argument ? <DashboardView key={argument} name={argument} query={query} /> : <DashboardsView openSingle={false} />;
    case "jobs":
      return argument ? <JobView key={argument} id={argument} /> : <JobsView />;
    case "tables":
      return argument ? <TableView key={argument} name={argument} /> : <TablesView />;
    case "topics":
      return argument ? <TopicView key={argument} name={argument} /> : <TopicsView />;
    case "sql":
      return <SqlView />;
    default:
      return (
        <Empty icon="fail" title="There is nothing at this address">
          <a href={address("")}>Back to the start</a>
        </Empty>
      );
  }
}
