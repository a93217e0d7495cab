// Addresses within the page: #/NAME/ARGUMENT?SELECTOR=VALUE. The hash never reaches the server, so any path of the
// page can be opened again from a bookmark.
import { useEffect, useState } from "preact/hooks";

export interface Route {
  view: string;
  argument: string;
  query: URLSearchParams;
}

export function parseRoute(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#?\/?/, "").split("?", 2);
  const slash = path.indexOf("/");
  const decode = (text: string): string => {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  };
  return {
    view: slash < 0 ? path : path.slice(0, slash),
    argument: slash < 0 ? "" : decode(path.slice(slash + 1)),
    query: new URLSearchParams(query),
  };
}

export function address(view: string, argument = "", query?: Record<string, string>): string {
  const text = query ? new URLSearchParams(query).toString() : "";
  return `#/${view}${argument ? "/" + encodeURIComponent(argument) : ""}${text ? "?" + text : ""}`;
}

export function useRoute(): Route {
  const [route, setRoute] = useState(parseRoute(location.hash));
  useEffect(() => {
    const listener = () => setRoute(parseRoute(location.hash));
    addEventListener("hashchange", listener);
    return () => removeEventListener("hashchange", listener);
  }, []);
  return route;
}

/** Changes the address without a new entry in the history: selectors and redirects. */
export function replaceRoute(hash: string): void {
  history.replaceState(history.state, "", hash);
  dispatchEvent(new HashChangeEvent("hashchange"));
}
