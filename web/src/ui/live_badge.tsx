// Whether what is shown is live. Told to screen readers when it changes.
import type { StreamState } from "../live/stream";

export function LiveBadge({ state }: { state: StreamState }) {
  const text = { connecting: "Connecting", live: "Live", reconnecting: "Reconnecting", refused: "Not connected" }[state.name];
  const why = state.name === "reconnecting" ? `${state.why} (attempt ${state.attempt})` : "";
  return (
    <span class={`live live-${state.name}`} role="status" title={why}>
      <span class="live-dot" aria-hidden="true" />
      {text}
      {state.name === "reconnecting" && <span class="live-why"> · showing the last values</span>}
    </span>
  );
}
