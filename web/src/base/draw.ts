// One drawing step a frame for the whole page. Callbacks wait in a set, so that many changes between two frames cost
// one drawing; a hidden tab gets no frames and draws once when it is shown again.

const waiting = new Set<() => void>();
let asked = false;

export function draw(callback: () => void): void {
  waiting.add(callback);
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    const callbacks = [...waiting];
    waiting.clear();
    for (const one of callbacks) one();
  });
}

export function drawNever(callback: () => void): void {
  waiting.delete(callback);
}
