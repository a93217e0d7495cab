// The catalog: tables and views, and one of them with its columns and DDL.
import { useEffect } from "preact/hooks";
import { address } from "../base/router";
import type { Column, Table } from "../base/types";
import { DataTable, type Field } from "../ui/data_table";
import { Icon } from "../ui/icons";
import { Empty, ErrorNotice, Loading } from "../ui/notice";
import { usePoll } from "../ui/poll";
import { TokenForm } from "../ui/token_form";

const FIELDS: Field<Table>[] = [
  { title: "Name", show: (table) => <a href={address("tables", table.name)}>{table.name}</a> },
  { title: "Kind", show: (table) => table.kind },
  { title: "Connector", show: (table) => table.connector ?? "–" },
  { title: "Primary key", wide: true, show: (table) => table.primary_key.join(", ") || "–" },
  { title: "Columns", show: (table) => <span class="why">{table.columns.map((column) => column.name).join(", ")}</span> },
];

export function TablesView() {
  const { data, error } = usePoll<{ tables: Table[] }>("/api/v1/tables", 3000);
  useEffect(() => {
    document.title = "Tables · leat";
  }, []);
  if (error?.status === 401) return <TokenForm error={error} />;
  if (!data) return error ? <ErrorNotice error={error} /> : <Loading what="the tables" />;
  return (
    <>
      <div class="view-head">
        <h1>Tables</h1>
      </div>
      {error && <ErrorNotice error={error} stale />}
      {data.tables.length === 0 ? (
        <div class="card">
          <Empty title="The catalog is empty">
            <code>CREATE TABLE</code> and <code>CREATE VIEW</code> statements of the files that leat runs fill it.
          </Empty>
        </div>
      ) : (
        <DataTable caption="Tables and views" fields={FIELDS} items={data.tables} keyOf={(table) => table.name} />
      )}
    </>
  );
}

export function TableView({ name }: { name: string }) {
  const { data: table, error } = usePoll<Table>(`/api/v1/tables/${encodeURIComponent(name)}`, 5000);
  useEffect(() => {
    document.title = `${name} · leat`;
  }, [name]);
  if (error?.status === 401) return <TokenForm error={error} />;
  if (!table) return error ? <ErrorNotice error={error} /> : <Loading what="the table" />;
  const fields: Field<Column>[] = [
    { title: "Column", show: (column) => column.name },
    { title: "Type", show: (column) => <code>{column.type}</code> },
    { title: "Key", show: (column) => (table.primary_key.includes(column.name) ? "primary key" : "") },
  ];
  return (
    <>
      <div class="view-head">
        <a class="back" href={address("tables")} aria-label="All tables">
          <Icon name="back" />
        </a>
        <h1>{table.name}</h1>
        <span class="muted">{[table.kind, table.connector].filter(Boolean).join(" · ")}</span>
      </div>
      {error && <ErrorNotice error={error} stale />}
      <DataTable caption={`Columns of ${table.name}`} fields={fields} items={table.columns} keyOf={(column) => column.name} />
      {table.ddl && (
        <>
          <h2>Definition</h2>
          <pre class="code card" tabIndex={0}>{table.ddl}</pre>
        </>
      )}
    </>
  );
}
