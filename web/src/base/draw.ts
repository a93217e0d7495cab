// One drawing step for the whole page, at most 20 times a second. Callbacks wait in a set, so that many changes
// between two steps cost one drawing; a hidden tab gets no frames and draws once when it is shown again.

const PAUSE_MS = 50;
const waiting = new Set<() => void>();
let asked = false;
let drawnAt = -PAUSE_MS;

export function draw(callback: () => void): void {
  waiting.add(callback);
  if (asked) return;
  asked = true;
  const pause = drawnAt + PAUSE_MS - performance.now();
  if (pause > 0) setTimeout(() => requestAnimationFrame(step), pause);
  else requestAnimationFrame(step);
}

export function drawNever(callback: () => void): void {
  waiting.delete(callback);
}

function step(): void {
  asked = false;
  drawnAt = performance.now();
  const callbacks = [...waiting];
  waiting.clear();
  for (const one of callbacks) one();
}
