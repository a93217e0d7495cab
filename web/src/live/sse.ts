// The text/event-stream format (HTML standard, "server-sent events") out of chunks that may be cut anywhere.

export interface SseEvent {
  event: string;
  data: string;
}

const LINE_LIMIT = 64 << 20;

export class SseParser {
  private rest = "";
  private event = "";
  private data: string[] = [];

  /** Takes the next text and returns the events that it completes. */
  push(text: string): SseEvent[] {
    const events: SseEvent[] = [];
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop() ?? "";
    if (this.rest.length > LINE_LIMIT) throw new Error("a line of the stream has no end");
    for (const line of lines) this.line(line.endsWith("\r") ? line.slice(0, -1) : line, events);
    return events;
  }

  private line(line: string, events: SseEvent[]): void {
    if (line === "") {
      if (this.data.length > 0) events.push({ event: this.event || "message", data: this.data.join("\n") });
      this.event = "";
      this.data = [];
      return;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return; // a comment: keeps the connection alive
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.event = value;
    else if (field === "data") this.data.push(value);
  }
}
