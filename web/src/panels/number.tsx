// One value, large: the first row's first y column, with the column x as its caption.
import { fieldsOf, nameOf, valueText, type PanelProps } from "./fields";

export function NumberPanel({ panel, rows }: PanelProps) {
  const fields = fieldsOf({ ...panel, ...(panel.y ? {} : { x: panel.x ?? "" }) }, rows.columns);
  const all = rows.rows();
  const row = rows.appendOnly ? all[all.length - 1] : all[0];
  const text = valueText(fields, row?.[fields.y[0] ?? 0]);
  const caption = row && panel.x !== undefined && fields.x >= 0 ? nameOf(fields, row, fields.x) : "";
  return (
    <div class="number" style={{ "--characters": String(Math.max(4, text.length)) }}>
      <p class="number-value">{text}</p>
      {caption && <p class="number-caption">{caption}</p>}
    </div>
  );
}
