// Data that is asked for again and again while its view is shown and the tab is visible. What was there stays while
// the server does not answer; the error says so.
import { useEffect, useState } from "preact/hooks";
import { ApiError, get, unreachable } from "../base/api";

export interface Polled<T> {
  data: T | null;
  error: ApiError | null;
}

export function usePoll<T>(path: string, everyMs: number): Polled<T> {
  const [polled, setPolled] = useState<Polled<T>>({ data: null, error: null });
  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    setPolled({ data: null, error: null });

    async function ask(): Promise<void> {
      try {
        if (document.visibilityState === "visible") {
          const data = await get<T>(path, abort.signal);
          setPolled({ data, error: null });
        }
      } catch (problem) {
        if (abort.signal.aborted) return;
        const error = problem instanceof ApiError ? problem : unreachable();
        setPolled((before) => ({ data: before.data, error }));
        if ([401, 403].includes(error.status)) return;
      }
      if (!abort.signal.aborted) timer = setTimeout(() => void ask(), everyMs);
    }
    function shown(): void {
      if (document.visibilityState !== "visible" || timer === undefined) return;
      clearTimeout(timer);
      timer = undefined;
      void ask();
    }
    document.addEventListener("visibilitychange", shown);
    void ask();
    return () => {
      abort.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", shown);
    };
  }, [path, everyMs]);
  return polled;
}
