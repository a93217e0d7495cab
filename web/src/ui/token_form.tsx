// Shown when the server does not accept the token: after a restart with another one, or an address without it.
import { useState } from "preact/hooks";
import { setToken, type ApiError } from "../base/api";

export function TokenForm({ error }: { error: ApiError }) {
  const [text, setText] = useState("");
  return (
    <form
      class="card token-form"
      onSubmit={(event) => {
        event.preventDefault();
        setToken(tokenOf(text));
        location.reload();
      }}
    >
      <h1>This page needs the token</h1>
      <p>
        leat prints it when it starts: open the address that ends in <code>?token=…</code>, or paste that address or the token here.
      </p>
      <p class="muted">{error.message}</p>
      <label for="token">Token or address</label>
      <div class="token-row">
        <input id="token" type="password" autocomplete="off" value={text} onInput={(event) => setText(event.currentTarget.value)} />
        <button type="submit" class="button primary" disabled={text.trim() === ""}>
          Open
        </button>
      </div>
    </form>
  );
}

function tokenOf(text: string): string {
  return /[?&]token=([^&#\s]+)/.exec(text)?.[1] ?? text.trim();
}
