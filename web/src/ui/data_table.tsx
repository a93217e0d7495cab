// The table of the list views (jobs, tables, topics); panels have their own.
import type { ComponentChildren } from "preact";

export interface Field<T> {
  title: string;
  numeric?: boolean;
  /** Left out on narrow screens. */
  wide?: boolean;
  show(item: T): ComponentChildren;
}

interface Props<T> {
  caption: string;
  fields: Field<T>[];
  items: T[];
  keyOf(item: T): string;
}

const classes = <T,>(field: Field<T>): string => (field.numeric ? "numeric" : "") + (field.wide ? " wide-only" : "");

export function DataTable<T>({ caption, fields, items, keyOf }: Props<T>) {
  return (
    <div class="table-scroll card" tabIndex={0} role="region" aria-label={caption}>
      <table>
        <caption class="hidden">{caption}</caption>
        <thead>
          <tr>
            {fields.map((field) => (
              <th key={field.title} scope="col" class={classes(field)}>
                {field.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {items.map((item) => (
            <tr key={keyOf(item)}>
              {fields.map((field) => (
                <td key={field.title} class={classes(field)}>
                  {field.show(item)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
