// Names and colours of a chart's series, as text.
export function Legend({ names, colourOf }: { names: string[]; colourOf(name: string): string }) {
  if (names.length < 2) return null;
  return (
    <ul class="legend" aria-hidden="true">
      {names.map((name) => (
        <li key={name}>
          <span class="swatch" style={{ backgroundColor: colourOf(name) }} />
          {name}
        </li>
      ))}
    </ul>
  );
}
