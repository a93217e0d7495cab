// Whether what is shown is live. Told to screen readers when it changes.
import type { StreamState } from "../live/stream";

export function LiveBadge({ state }: { state: StreamState }) {
  const text = { connecting: "Connecting", live: "Live", reconnecting: "Reconnecting", refused: "Not connected" }[state.name];
  const why = state.name === "reconnecting" ? state.why.replace(/\.$/, "") : "";
  const hint = why && `${why}; what is shown are the last values (attempt ${state.name === "reconnecting" ? state.attempt : 0})`;
  return (
    <span class={`live live-${state.name}`} role="status" title={hint}>
      <span class="live-dot" aria-hidden="true" />
      {text}
      {why && <span class="live-why"> · {why}</span>}
    </span>
  );
}
