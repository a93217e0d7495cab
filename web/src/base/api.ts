// Requests to the server. The token comes in the start-up address (?token=...), moves to sessionStorage, leaves the
// address bar, and goes with every request as a header.

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly hint: string,
  ) {
    super(message);
  }
}

const STORED = "leat-token";

export function takeToken(): void {
  const address = new URL(location.href);
  const token = address.searchParams.get("token");
  if (token === null) return;
  setToken(token);
  address.searchParams.delete("token");
  history.replaceState(history.state, "", address.pathname + address.search + address.hash);
}

export function setToken(token: string): void {
  sessionStorage.setItem(STORED, token);
}

export function authorization(): Record<string, string> {
  const token = sessionStorage.getItem(STORED);
  return token ? { Authorization: `Bearer ${token}` } : {};
}

/** The error that an answer which is not 2xx describes, whatever its body looks like. */
export async function answerError(response: Response): Promise<ApiError> {
  let code = `HTTP_${response.status}`;
  let message = `The server answered ${response.status} ${response.statusText}`.trim() + ".";
  let hint = "";
  try {
    const body = (await response.json()) as { error?: { code?: string; message?: string; hint?: string }; errors?: string[] };
    code = body.error?.code ?? code;
    message = body.error?.message ?? body.errors?.join("\n") ?? message;
    hint = body.error?.hint ?? "";
  } catch {
    // no JSON: the status line has to do
  }
  return new ApiError(response.status, code, message, hint);
}

export function unreachable(): ApiError {
  return new ApiError(0, "UNREACHABLE", `leat does not answer at ${location.host}.`, "Is it still running? This page goes on trying.");
}

async function request(path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { cache: "no-store", ...init, headers: { ...authorization(), ...init.headers } });
  } catch (problem) {
    if (problem instanceof DOMException && problem.name === "AbortError") throw problem;
    throw unreachable();
  }
  if (!response.ok) throw await answerError(response);
  return response;
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await (await request(path, signal ? { signal } : {})).json()) as T;
}

export async function send<T>(method: "POST" | "DELETE", path: string, body: unknown = {}): Promise<T> {
  const response = await request(path, {
    method,
    headers: { "Content-Type": "application/json" },
    ...(method === "POST" ? { body: JSON.stringify(body) } : {}),
  });
  const text = await response.text();
  return (text ? JSON.parse(text) : {}) as T;
}
