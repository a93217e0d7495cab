// The state of a job as a word with a colour.
const TONES: Record<string, string> = { running: "good", finished: "calm", failed: "bad", failing: "bad", restarting: "warn", recovering: "warn", waiting: "warn", canceled: "calm", cancelled: "calm", stopped: "calm" };

export function StateBadge({ state }: { state: string }) {
  return <span class={`state state-${TONES[state.toLowerCase()] ?? "calm"}`}>{state.toLowerCase()}</span>;
}
