// The few icons, drawn on a 16-pixel grid with the colour of the text around them.
const PATHS = {
  sun: "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6M8 1v1.500M8 13.500V15M1 8h1.500M13.500 8H15M3 3l1.100 1.100M11.900 11.900 13 13M3 13l1.100-1.100M11.900 4.100 13 3",
  moon: "M13.500 9.700A6 6 0 0 1 6.300 2.500a6 6 0 1 0 7.200 7.200Z",
  system: "M2 3h12v8H2zM5.500 14h5M8 11v3",
  table: "M2 3h12v10H2zM2 6.500h12M2 10h12M6.500 3v10",
  chart: "M2.500 13.500h11M4.500 11V8M8 11V4M11.500 11V6.500",
  wait: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2M8 5v3.200l2 1.300",
  fail: "M8 2 1.500 13.500h13ZM8 6.500v3.300M8 11.700v.1",
  back: "M9.500 3.500 5 8l4.500 4.500",
  none: "M2.500 13.500h11M4.500 13V9.500M8 13V6.500M11.500 13V8",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" />
    </svg>
  );
}
