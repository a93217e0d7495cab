// All columns of the result. Of rows that are only added the newest is on top; a whole result has the query's order.
import { cell, isNumeric, isTime } from "../base/format";
import type { Column, Row } from "../base/types";
import { fieldsOf, sortedRows, type PanelProps } from "./fields";

const SHOWN_ROWS = 500;

// Rows that are only added keep their elements, so that a new one costs one row of the table and not all.
const numbers = new WeakMap<Row, number>();
let lastNumber = 0;
function numberOf(row: Row): number {
  const known = numbers.get(row);
  if (known !== undefined) return known;
  numbers.set(row, ++lastNumber);
  return lastNumber;
}

export function TablePanel({ panel, rows }: PanelProps) {
  const fields = fieldsOf(panel, rows.columns);
  const measured = new Set(panel.y?.length ? fields.y : []);
  const keys = new Set(rows.keyNames);
  const names = (column: Column): boolean => keys.has(column.name) || /(^|_)(id|no|year)$/i.test(column.name);
  const kinds = rows.columns.map((column) => (isNumeric(column.type) ? "numeric" : isTime(column.type) ? "time" : ""));
  const all = rows.appendOnly ? [...rows.rows()].reverse() : sortedRows(panel, fields, rows.rows(), keys.size ? "x" : "none");
  const shown = all.slice(0, SHOWN_ROWS);
  return (
    <div class="table-scroll" tabIndex={0} role="region" aria-label={panel.title}>
      <table>
        <thead>
          <tr>
            {rows.columns.map((column, at) => (
              <th key={at} scope="col" class={kinds[at] ?? ""}>
                {column.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.map((row, index) => (
            <tr key={rows.appendOnly ? numberOf(row) : index}>
              {rows.columns.map((column, at) => {
                const value = row[at] ?? null;
                const format = measured.has(at) ? fields.format : null;
                return (
                  <td key={at} class={kinds[at] ?? ""}>
                    {value === null ? <span class="null">null</span> : cell(value, column, format, panel.unit, names(column))}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
      {all.length > shown.length && <p class="muted table-more">The first {SHOWN_ROWS} of {all.length} rows.</p>}
    </div>
  );
}
