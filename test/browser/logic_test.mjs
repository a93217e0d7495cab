// The page's parts that need no browser: exact decimals, formats, the event stream, the rows of a panel, and when the
// stream is opened again (with a clock of the test's own).
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execFileSync } from "node:child_process";
import { build } from "../../web/node_modules/esbuild/lib/main.js";
import { check, root, run, same } from "./_browser.mjs";

const directory = process.env.TEST_DIR ?? mkdtempSync(join(tmpdir(), "leat-logic-"));
async function load(path) {
  const outfile = join(directory, path.replace(/\W/g, "_") + ".mjs");
  await build({ entryPoints: [join(root, "web/src", path)], bundle: true, format: "esm", outfile, logLevel: "error" });
  return import(outfile);
}

/** A window without a browser, whose time and connections the test owns. */
function fakeWindow() {
  const fake = { now: 1e12, timers: new Map(), next: 1, fetches: [], visibility: "visible", listeners: {} };
  const timer = (repeat) => (callback, ms) => {
    fake.timers.set(fake.next, { callback, at: fake.now + ms, repeat: repeat ? ms : 0 });
    return fake.next++;
  };
  const listen = (name, callback) => (fake.listeners[name] = callback);
  const stop = (id) => fake.timers.delete(id);
  Object.assign(globalThis, {
    setTimeout: timer(false), setInterval: timer(true), clearTimeout: stop, clearInterval: stop,
    addEventListener: listen, removeEventListener: () => {}, location: { host: "here" }, sessionStorage: { getItem: () => "secret" },
    document: { addEventListener: listen, removeEventListener: () => {}, get visibilityState() { return fake.visibility; } },
    fetch: (address, init) => new Promise((done, failed) => {
      fake.fetches.push({ address, init, done, failed });
      init.signal.addEventListener("abort", () => failed(new Error("aborted")));
    }),
  });
  Date.now = () => fake.now;
  const settle = async () => { for (let step = 0; step < 50; step++) await null; await new Promise((done) => setImmediate(done)); };
  fake.pass = async (ms, asleep = false) => {
    const end = fake.now + ms;
    if (asleep) fake.now = end; // nothing runs meanwhile
    for (;;) {
      const due = [...fake.timers].filter(([, one]) => one.at <= end).sort((a, b) => a[1].at - b[1].at)[0];
      if (!due) break;
      const [id, one] = due;
      fake.now = Math.max(fake.now, one.at);
      if (one.repeat) one.at = fake.now + one.repeat;
      else fake.timers.delete(id);
      one.callback();
      await settle();
    }
    fake.now = end;
    await settle();
  };
  fake.answer = async () => {
    const body = new TransformStream();
    const writer = body.writable.getWriter();
    fake.fetches[fake.fetches.length - 1].done(new Response(body.readable, { status: 200 }));
    await settle();
    return { send: async (text) => { await writer.write(new TextEncoder().encode(text)); await settle(); }, end: async () => { await writer.close(); await settle(); } };
  };
  return fake;
}

const { addDecimal, compareDecimal, decimalText, parseDecimal, roundDecimal } = await load("base/decimal.ts");
const { bytes, cell, compact, duration, label, numberText, parseFormat, timeText, withUnit } = await load("base/format.ts");
const { SseParser } = await load("live/sse.ts");
const { PanelRows } = await load("live/rows.ts");
const { parseRoute, address } = await load("base/router.ts");

const tests = {
  "decimals are exact: a thousand sums and roundings as Python's decimal has them"() {
    const script = `
import random, json
from decimal import Decimal, ROUND_HALF_UP, getcontext
getcontext().prec = 80
random.seed(7)
out = []
for _ in range(1000):
    a, b = (Decimal(random.randint(-10**random.randint(1, 30), 10**random.randint(1, 30))).scaleb(-random.randint(0, 12)) for _ in "ab")
    digits = random.randint(0, 6)
    out.append([format(a, "f"), format(b, "f"), digits, format(a + b, "f"), format(a.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP), ",f"), (a > b) - (a < b)])
print(json.dumps(out))`;
    for (const [a, b, digits, sum, rounded, order] of JSON.parse(execFileSync("python3", ["-c", script]))) {
      const [left, right] = [parseDecimal(a), parseDecimal(b)];
      same(decimalText(addDecimal(left, right), false).replace(/^-(?=[0.]*$)/, ""), sum.replace(/^-(?=[0.]*$)/, ""), `${a} + ${b}`);
      same(decimalText(roundDecimal(left, digits), true), rounded.replace(/^-(?=[0.]*$)/, ""), `${a} to ${digits}`);
      same(compareDecimal(left, right), order, `${a} <=> ${b}`);
    }
    for (const bad of ["", "NaN", "Infinity", "1,000", "0x10", " ", "1e9999", null, true]) same(parseDecimal(bad), null, `${bad}`);
    same(decimalText(parseDecimal(1e21), true), "1,000,000,000,000,000,000,000", "1e21");
    same(decimalText(parseDecimal("1.5e-7"), true), "0.00000015", "1.5e-7");
  },

  "numbers, units, times, names"() {
    const shown = (value, format, unit) => withUnit(numberText(value, parseFormat(format)), unit);
    for (const [got, wanted] of [
      [shown("1234567.891", ",.2f", "$"), "$1,234,567.89"], [shown("-0.005", ",.2f", "$"), "-$0.01"], [shown("0.1", ",.2f", "€"), "€0.10"],
      [shown(1234.5, ",d", "ms"), "1,235\u202fms"], [shown("99999999999999999999.99", undefined, ""), "99,999,999,999,999,999,999.99"],
      [shown(0.1 + 0.2, undefined), "0.3"], [shown(1234567, "s"), "1.23M"], [shown(0.256, ".1%"), "25.6%"], [shown(1e6, ".0f"), "1000000"],
      [shown(12, ".2f", "%"), "12.00%"], [shown(5, "bad format"), "5"], [compact(999), "999"], [compact(-1500), "-1.5K"], [compact(0), "0"], [compact(2.5e12), "2.5T"],
      [timeText("2024-01-01T00:00:01.000"), "2024-01-01 00:00:01"], [timeText("2024-01-01T00:00:01.250"), "2024-01-01 00:00:01.250"],
      [label(null), "(null)"], [label(""), "(empty)"], [label({ a: 1 }), '{"a":1}'], [label(false), "false"],
      [cell(1234567, { name: "id", type: "INT" }, null, undefined, true), "1234567"], [cell(1234567, { name: "n", type: "INT" }, null, undefined, false), "1,234,567"],
      [cell("5.5", { name: "n", type: "DECIMAL(10, 2)" }, parseFormat(",.2f"), "$", false), "$5.50"],
      [bytes(0), "0 B"], [bytes(1536), "1.5 KB"], [bytes(null), "–"], [duration(950), "950 ms"], [duration(61000), "1 min 1 s"], [duration(7200000), "2 h 0 min"],
    ]) same(got, wanted, wanted);
  },

  "events come out the same however the stream is cut"() {
    const stream = ": ping\r\n\r\nevent: a\nid: 1\ndata: {\"x\": 1}\n\ndata:two\ndata:  lines\n\nevent: nothing\n\nid: 5\ndata\n\n";
    const wanted = [{ event: "a", data: '{"x": 1}' }, { event: "message", data: "two\n lines" }, { event: "message", data: "" }];
    for (let cut = 0; cut <= stream.length; cut++) {
      const parser = new SseParser();
      same([...parser.push(stream.slice(0, cut)), ...parser.push(stream.slice(cut))], wanted, `cut at ${cut}`);
    }
    const parser = new SseParser();
    same([...stream].flatMap((one) => parser.push(one)), wanted, "one by one");
  },

  "rows: keyed, keyless, gaps"() {
    const rows = new PanelRows(3);
    const columns = [{ name: "k", type: "STRING" }, { name: "v", type: "INT" }];
    const fails = (frame, what) => { let failed = false; try { rows.changes(frame); } catch { failed = true; } check(failed, what); };
    fails({ panel: "p", seq: 1, upserts: [] }, "changes before a snapshot");
    rows.snapshot({ panel: "p", seq: 4, columns, key: [0], rows: [["b", 1], ["a", 2]] });
    same(rows.changes({ panel: "p", seq: 4, upserts: [["b", 9]], deletes: [] }), false, "an old frame");
    same(rows.changes({ panel: "p", seq: 5, upserts: [["b", 3], ["c", 4]], deletes: [["a"], ["gone"]] }), true, "the next frame");
    same(rows.rows(), [["b", 3], ["c", 4]], "rows");
    fails({ panel: "p", seq: 7, upserts: [] }, "a gap");
    rows.changes({ panel: "p", seq: 6, upserts: [[null, 1], ["null", 2], ["__proto__", 3]], deletes: [] });
    same(rows.count, 5, "NULL is not the text null");
    rows.snapshot({ panel: "p", seq: 20, columns, key: [0], rows: [["z", 1], ["c", 5], ["b", 6]] });
    same(rows.rows(), [["b", 6], ["c", 5], ["z", 1]], "keys keep their places over a snapshot");
    rows.snapshot({ panel: "p", seq: 1, columns, key: [], rows: [["a", 1], ["a", 1]] });
    rows.changes({ panel: "p", seq: 2, upserts: [["b", 2], ["c", 3]] });
    same(rows.rows(), [["a", 1], ["b", 2], ["c", 3]], "the newest three");
    fails({ panel: "p", seq: 3, upserts: [], deletes: [["a"]] }, "a delete without a key");
    rows.snapshot({ panel: "p", seq: 3, columns, key: [], append: false, rows: [["z", 1], ["b", 2], ["y", 3], ["a", 4]] });
    same([rows.appendOnly, rows.rows()], [false, [["z", 1], ["b", 2], ["y", 3], ["a", 4]]], "a whole result");
    fails({ panel: "p", seq: 4, upserts: [["b", 2]] }, "a change of a whole result");
  },

  "addresses come back as they were"() {
    for (const argument of ["a", "a/b", "ü ?&#%", "<b>"]) {
      const route = parseRoute(address("dashboards", argument, { by: argument }));
      same([route.view, route.argument, route.query.get("by")], ["dashboards", argument, argument], argument);
    }
    same(parseRoute("#/jobs/%E0%A4%A").argument, "%E0%A4%A", "a broken escape");
    same(parseRoute("").view, "", "no hash");
  },

  async "the stream: pauses grow and start anew, silence and sleep are noticed"() {
    const { LiveStream } = await load("live/stream.ts");
    const keep = { setTimeout, setInterval, clearTimeout, clearInterval, now: Date.now, fetch };
    const fake = fakeWindow();
    try {
      const states = [];
      const events = [];
      const stream = new LiveStream("/live", { event: (event) => events.push(event.data), state: (state) => states.push(state.name) });
      same(fake.fetches[0].init.headers.Authorization, "Bearer secret", "token");
      let body = await fake.answer();
      await body.send("data: 1\n\n");
      same([states, events], [["connecting", "live"], ["1"]], "live");
      await body.end();
      for (let attempt = 1; attempt <= 8; attempt++) { // nothing listens
        await fake.pass(6300);
        check(fake.fetches.length >= attempt + 1, `attempt ${attempt} was not made`);
        fake.fetches[fake.fetches.length - 1].failed(new Error("refused"));
        await fake.pass(0);
      }
      const before = fake.fetches.length;
      await fake.pass(3000);
      same(fake.fetches.length, before, "the pause after many failures is longer than 3 s");
      fake.listeners.visibilitychange();
      same(fake.fetches.length, before + 1, "looking at the tab tries at once");
      body = await fake.answer();
      await fake.pass(30000);
      same(fake.fetches.length, before + 1, "30 s of silence are borne");
      await body.send(": ping\n\n");
      await fake.pass(39000);
      same(fake.fetches.length, before + 1, "39 s after a ping");
      await fake.pass(7000);
      same(fake.fetches.length, before + 2, "45 s of silence are not");
      body = await fake.answer();
      await body.send(": ping\n\n");
      await fake.pass(60000, true);
      await fake.pass(1000);
      same(fake.fetches.length, before + 3, "after a minute of sleep it opens again at once");
      same(states[states.length - 1], "reconnecting", "state");
      body = await fake.answer();
      fake.visibility = "hidden";
      fake.listeners.visibilitychange();
      await fake.pass(39000);
      await body.send(": ping\n\n");
      await fake.pass(20000);
      const hidden = fake.fetches[fake.fetches.length - 1].init.signal;
      same(hidden.aborted, false, "a tab hidden for 59 s keeps its connection");
      await fake.pass(2000);
      same(hidden.aborted, true, "a tab hidden for a minute gives it back");
      await fake.pass(600000);
      same(fake.fetches.length, before + 3, "and asks for nothing");
      fake.visibility = "visible";
      fake.listeners.visibilitychange();
      same(fake.fetches.length, before + 4, "until it is seen");
      fake.fetches[fake.fetches.length - 1].done(new Response('{"error":{"code":"NO","message":"no"}}', { status: 401 }));
      await fake.pass(90000);
      same([states[states.length - 1], fake.fetches.length], ["refused", before + 4], "a refusal is final");
      stream.close();
      same(fake.timers.size, 0, "timers left");
    } finally {
      const { now, ...rest } = keep;
      Object.assign(globalThis, rest);
      Date.now = now;
    }
  },
};

await run(tests);
