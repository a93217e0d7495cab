// Light and dark. The system's choice holds until the viewer picks one; charts are drawn on canvas and so get their
// colours from here, everything else from style/tokens.css.
import { useEffect, useState } from "preact/hooks";

export type Choice = "system" | "light" | "dark";
export type Mode = "light" | "dark";

const STORED = "leat-theme";
const dark = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();

export function choice(): Choice {
  const stored = localStorage.getItem(STORED);
  return stored === "light" || stored === "dark" ? stored : "system";
}

export function mode(): Mode {
  const chosen = choice();
  return chosen === "system" ? (dark.matches ? "dark" : "light") : chosen;
}

export function applyTheme(): void {
  document.documentElement.dataset.theme = mode();
  for (const listener of listeners) listener();
}

export function choose(next: Choice): void {
  if (next === "system") localStorage.removeItem(STORED);
  else localStorage.setItem(STORED, next);
  applyTheme();
}

dark.addEventListener("change", applyTheme);

export function useMode(): Mode {
  const [current, setCurrent] = useState(mode());
  useEffect(() => {
    const listener = () => setCurrent(mode());
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, []);
  return current;
}

export interface ChartColours {
  text: string;
  muted: string;
  line: string;
  surface: string;
  palette: string[];
}

// Eight hues that stay apart under protanopia, deuteranopia and tritanopia (after Okabe and Ito), tuned per ground.
const LIGHT = ["#2f6fde", "#e69f00", "#009e73", "#c2569a", "#56b4e9", "#d55e00", "#6f5bd0", "#7c828d"];
const DARK = ["#5b93f5", "#f0b03d", "#2bbd92", "#dd83bb", "#7cc7f2", "#ee7f3a", "#9a8af0", "#9aa1ad"];

export const COLOURS: Record<Mode, ChartColours> = {
  light: { text: "#1c2330", muted: "#5b6472", line: "#e3e7ed", surface: "#ffffff", palette: LIGHT },
  dark: { text: "#e4e8ef", muted: "#98a1b0", line: "#2a313c", surface: "#171c24", palette: DARK },
};

/** Mixes a colour with another, both as #rrggbb. */
function mix(colour: string, other: string, share: number): string {
  const part = (text: string, at: number): number => parseInt(text.slice(at, at + 2), 16);
  const mixed = [1, 3, 5].map((at) => Math.round(part(colour, at) * (1 - share) + part(other, at) * share));
  return "#" + mixed.map((value) => value.toString(16).padStart(2, "0")).join("");
}

/** Gives each key a colour that it keeps, whatever comes and goes beside it. Past the palette come its shades. */
export class Colouring {
  private readonly indexes = new Map<string, number>();

  /** New keys get the next colours in the order given. */
  take(keys: string[]): void {
    for (const key of keys) if (!this.indexes.has(key)) this.indexes.set(key, this.indexes.size);
  }

  of(key: string, { palette, text, surface }: ChartColours): string {
    const index = this.indexes.get(key) ?? 0;
    const colour = palette[index % palette.length] ?? text;
    const round = Math.floor(index / palette.length) % 3;
    return round === 0 ? colour : mix(colour, round === 1 ? surface : text, round === 1 ? 0.4 : 0.35);
  }
}
