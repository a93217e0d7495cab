// A statement and its result, which goes on changing while its query runs.
import { useEffect, useRef, useState } from "preact/hooks";
import { draw } from "../base/draw";
import { cell, count, isNumeric } from "../base/format";
import { ROWS_KEPT, Statement, type StatementState } from "../live/statement";
import { Icon } from "../ui/icons";
import { TokenForm } from "../ui/token_form";

const STORED = "leat-statement";

export function SqlView() {
  const [text, setText] = useState(sessionStorage.getItem(STORED) ?? "SHOW TABLES;");
  const [state, setState] = useState<StatementState | null>(null);
  const statement = useRef<Statement | null>(null);
  useEffect(() => {
    document.title = "SQL · leat";
    return () => void statement.current?.cancel();
  }, []);
  const run = (): void => {
    if (text.trim() === "") return;
    sessionStorage.setItem(STORED, text);
    void statement.current?.cancel();
    const mine: Statement = new Statement(text, (next) => draw(() => statement.current === mine && setState(next)));
    statement.current = mine;
  };
  if (state?.error?.status === 401) return <TokenForm error={state.error} />;
  return (
    <>
      <div class="view-head">
        <h1>SQL</h1>
      </div>
      <div class="editor card">
        <textarea
          aria-label="Statement"
          aria-describedby="editor-hint"
          rows={Math.min(16, Math.max(4, text.split("\n").length + 1))}
          spellcheck={false}
          autocapitalize="off"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
              event.preventDefault();
              run();
            }
          }}
        />
        <div class="editor-foot">
          <span class="muted" id="editor-hint">
            One statement; Ctrl+Enter runs it
          </span>
          {state?.phase === "running" && (
            <button type="button" class="button" onClick={() => void statement.current?.cancel()}>
              Stop
            </button>
          )}
          <button type="button" class="button primary" onClick={run}>
            Run
          </button>
        </div>
      </div>
      {state && <Outcome state={state} />}
    </>
  );
}

const PHASES = { running: "Running", finished: "Finished", cancelled: "Stopped", failed: "Failed" };

function Outcome({ state }: { state: StatementState }) {
  const { columns, rows, changes, phase, error } = state;
  return (
    <>
      {error && (
        <div class="notice notice-bad" role="alert">
          <Icon name="fail" />
          <div>
            <pre class="problem">{error.message}</pre>
            {error.hint && <p>{error.hint}</p>}
          </div>
        </div>
      )}
      {columns.length > 0 && (
        <div class="card table-scroll result" tabIndex={0} role="region" aria-label="Result">
          <table>
            <thead>
              <tr>
                {columns.map((column, at) => (
                  <th key={at} scope="col" class={isNumeric(column.type) ? "numeric" : ""}>
                    {column.name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((row, index) => (
                <tr key={index}>
                  {columns.map((column, at) => (
                    <td key={at} class={isNumeric(column.type) ? "numeric" : ""}>
                      {row[at] === null || row[at] === undefined ? <span class="null">null</span> : cell(row[at], column, null, undefined, true)}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <p class="muted result-foot" role="status">
        {PHASES[phase]}
        {columns.length > 0 && ` · ${count(rows.length)} rows`}
        {changes > rows.length && ` · ${count(changes)} changes`}
        {rows.length >= ROWS_KEPT && ` · the last ${count(ROWS_KEPT)} are shown`}
      </p>
    </>
  );
}
