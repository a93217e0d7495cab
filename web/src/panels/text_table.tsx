// The text alternative of a chart: the same values as a table, for screen readers, and for everybody when the panel is
// switched to it.

export interface TextTableProps {
  caption: string;
  head: string[];
  lines: string[][];
  visible: boolean;
}

const READ_ROWS = 60; // enough to read aloud; the switched panel shows all

export function TextTable({ caption, head, lines, visible }: TextTableProps) {
  const shown = visible ? lines : lines.slice(-READ_ROWS);
  const table = (
    <table>
      <caption class="hidden">{caption}</caption>
      <thead>
        <tr>
          {head.map((name, at) => (
            <th key={at} scope="col" class={at > 0 ? "numeric" : ""}>
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {shown.map((line, index) => (
          <tr key={index}>
            {line.map((text, at) => (at === 0 ? <th key={at} scope="row">{text}</th> : <td key={at} class="numeric">{text}</td>))}
          </tr>
        ))}
      </tbody>
    </table>
  );
  if (!visible) return <div class="hidden">{table}</div>;
  return (
    <div class="table-scroll" tabIndex={0} role="region" aria-label={caption}>
      {table}
    </div>
  );
}
