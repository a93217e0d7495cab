// One event stream that stays open: read by fetch (EventSource cannot send the token's header), opened again with
// growing pauses when it ends, when it is silent for longer than the server's pings allow, and after the tab was
// suspended. A tab that is hidden for a minute gives its connection back (browsers allow six to a server, over all
// tabs) and opens it again when it is seen. Owner: the dashboard that is shown.
import { answerError, ApiError, authorization, unreachable } from "../base/api";
import { SseParser, type SseEvent } from "./sse";

export type StreamState =
  | { name: "connecting" }
  | { name: "live" }
  | { name: "reconnecting"; attempt: number; why: string }
  | { name: "refused"; error: ApiError };

export interface StreamHandlers {
  /** May throw: the stream is then opened again. */
  event(event: SseEvent): void;
  state(state: StreamState): void;
}

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5000;
const HEALTHY_AFTER_MS = 5000; // a connection that lasted this long starts the pauses anew
const TICK_MS = 5000;
const HIDDEN_MS = 60000;
const SILENT_MS = 40000; // the server pings every 15 s
const SILENT_SUSPENDED_MS = 20000; // after a tick so late that the tab did not run meanwhile: its connection is suspect

export class LiveStream {
  private attempt = 0;
  private abort: AbortController | null = null;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private rest: ReturnType<typeof setTimeout> | undefined;
  private resting = false;
  private readonly ticker: ReturnType<typeof setInterval>;
  private tickAt = Date.now();
  private heardAt = Date.now();
  private liveAt = Infinity;
  private closed = false;

  constructor(
    private readonly address: string,
    private readonly handlers: StreamHandlers,
  ) {
    this.ticker = setInterval(() => this.tick(), TICK_MS);
    addEventListener("online", this.hurry);
    document.addEventListener("visibilitychange", this.seen);
    if (document.visibilityState === "hidden") this.seen(); // opened in the background
    handlers.state({ name: "connecting" });
    void this.run();
  }

  close(): void {
    this.closed = true;
    clearInterval(this.ticker);
    clearTimeout(this.retry);
    clearTimeout(this.rest);
    removeEventListener("online", this.hurry);
    document.removeEventListener("visibilitychange", this.seen);
    this.abort?.abort();
  }

  /** Drops the connection and opens it again: every panel gets a fresh snapshot. */
  reopen(why: string): void {
    if (this.closed) return;
    this.abort?.abort();
    this.later(why);
  }

  private readonly hurry = (): void => {
    if (this.retry === undefined && !this.resting) return;
    clearTimeout(this.retry);
    this.resting = false;
    void this.run();
  };

  private readonly seen = (): void => {
    clearTimeout(this.rest);
    if (document.visibilityState === "visible") this.hurry();
    else this.rest = setTimeout(() => this.pause(), HIDDEN_MS);
  };

  private pause(): void {
    clearTimeout(this.retry);
    this.retry = undefined;
    this.resting = true;
    this.abort?.abort();
    this.handlers.state({ name: "connecting" });
  }

  private tick(): void {
    const now = Date.now();
    const suspended = now - this.tickAt > 2 * TICK_MS;
    this.tickAt = now;
    if (this.retry !== undefined || this.resting) return;
    const limit = suspended ? SILENT_SUSPENDED_MS : SILENT_MS;
    if (now - this.heardAt > limit) this.reopen("nothing came for " + Math.round((now - this.heardAt) / 1000) + " s");
  }

  private later(why: string): void {
    if (this.closed) return;
    clearTimeout(this.retry);
    if (Date.now() - this.liveAt > HEALTHY_AFTER_MS) this.attempt = 0;
    this.liveAt = Infinity;
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.attempt) * (0.75 + Math.random() / 2);
    this.attempt++;
    this.handlers.state({ name: "reconnecting", attempt: this.attempt, why });
    this.retry = setTimeout(() => void this.run(), pause);
  }

  private async run(): Promise<void> {
    this.retry = undefined;
    const abort = new AbortController();
    this.abort = abort;
    this.heardAt = Date.now();
    this.liveAt = Infinity;
    let why = "the connection ended";
    try {
      await this.read(abort.signal);
    } catch (problem) {
      if (problem instanceof ApiError && [400, 401, 403, 404].includes(problem.status)) {
        if (!abort.signal.aborted) this.handlers.state({ name: "refused", error: problem });
        return this.close();
      }
      why = problem instanceof Error ? problem.message : String(problem);
    }
    if (abort.signal.aborted) return; // whoever aborted decided what comes next
    abort.abort();
    this.later(why);
  }

  private async read(signal: AbortSignal): Promise<void> {
    const response = await fetch(this.address, {
      headers: { ...authorization(), Accept: "text/event-stream" },
      cache: "no-store",
      signal,
    }).catch(() => {
      throw unreachable();
    });
    if (!response.ok) throw await answerError(response);
    if (!response.body) throw new Error("the answer has no body");
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const parser = new SseParser();
    this.liveAt = Date.now();
    this.handlers.state({ name: "live" });
    for (;;) {
      const { done, value } = await reader.read();
      if (done || signal.aborted) return;
      this.heardAt = Date.now();
      for (const event of parser.push(value)) this.handlers.event(event);
    }
  }
}
