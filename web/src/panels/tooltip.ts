// The content of a chart's tooltip as nodes: text stays text, and no markup or inline style is made from data.

export interface TooltipLine {
  colour: string;
  name: string;
  value: string;
}

export function tooltip(title: string, lines: TooltipLine[]): HTMLElement {
  const box = document.createElement("div");
  box.className = "tip";
  if (title) {
    const head = document.createElement("div");
    head.className = "tip-title";
    head.textContent = title;
    box.append(head);
  }
  for (const line of lines) {
    const row = document.createElement("div");
    row.className = "tip-line";
    const swatch = document.createElement("span");
    swatch.className = "swatch";
    swatch.style.backgroundColor = line.colour;
    const name = document.createElement("span");
    name.className = "tip-name";
    name.textContent = line.name;
    const value = document.createElement("span");
    value.className = "tip-value";
    value.textContent = line.value;
    row.append(swatch, name, value);
    box.append(row);
  }
  return box;
}
