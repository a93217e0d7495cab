// What the browser tests share: Chromium, the mock server, and TAP.
import { spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "../../web/node_modules/playwright-core/index.mjs";

export const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

export function check(good, what) {
  if (!good) throw new Error(what);
}

export function same(got, wanted, what) {
  const [left, right] = [JSON.stringify(got), JSON.stringify(wanted)];
  if (left !== right) throw new Error(`${what}: got ${left}, wanted ${right}`);
}

/** Calls `get` until it returns `wanted` (or, without one, something true); fails with what it returned last. */
export async function until(get, wanted, what, limitMs = 10000) {
  const end = Date.now() + limitMs;
  let got;
  for (;;) {
    got = await get();
    if (wanted === undefined ? got : JSON.stringify(got) === JSON.stringify(wanted)) return got;
    if (Date.now() > end) throw new Error(`${what}: still ${JSON.stringify(got)} after ${limitMs} ms, wanted ${JSON.stringify(wanted)}`);
    await sleep(20);
  }
}

export async function openBrowser() {
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: FLAGS });
  return browser;
}

const contexts = [];

/** A page of its own profile, closed after the test (but for keep), whose console errors and exceptions are collected in page.problems. */
export async function openPage(browser, { keep = false, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  if (!keep) contexts.push(context);
  const page = await context.newPage();
  page.problems = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) page.problems.push(`${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => page.problems.push(`exception: ${error.stack}`));
  return page;
}

/** Starts a program and returns it once it has printed a line that matches; its output goes to `lines`. */
export function start(command, options, pattern, limitMs = 20000) {
  return new Promise((done, failed) => {
    const child = spawn(command[0], command.slice(1), { stdio: ["ignore", "pipe", "pipe"], ...options });
    let text = "";
    const timer = setTimeout(() => failed(new Error(`${command.join(" ")} did not print ${pattern}: ${text}`)), limitMs);
    const take = (piece) => {
      text += piece;
      const found = pattern.exec(text);
      if (found) {
        clearTimeout(timer);
        done({ child, found, text: () => text, stop: () => child.kill() });
      }
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.on("exit", (code) => failed(new Error(`${command.join(" ")} ended with ${code}: ${text}`)));
  });
}

/** The mock server: its address with the token, and control(NAME, BODY), see mock_server.py. */
export async function startMock(...options) {
  const { found, stop } = await start(["python3", join(root, "test/browser/mock_server.py"), ...options], {}, /http:\S+/);
  const address = found[0];
  const origin = new URL(address).origin;
  const control = async (name, body = {}) => {
    const answer = await fetch(`${origin}/mock/${name}`, { method: "POST", body: JSON.stringify(body) });
    return answer.json();
  };
  return { address, origin, control, stop };
}

/** Runs named tests one after another and prints TAP; `after` cleans up. */
export async function run(tests, after = async () => {}) {
  let number = 0;
  let failures = 0;
  for (const [name, test] of Object.entries(tests)) {
    if (!name.includes(process.env.ONLY ?? "")) continue;
    number++;
    const startedAt = Date.now();
    try {
      const note = await test();
      console.log(`ok ${number} - ${name}${note ? ` (${note})` : ""}`);
    } catch (problem) {
      failures++;
      console.log(`not ok ${number} - ${name}`);
      console.log(`# ${String(problem.stack ?? problem).replace(/\n/g, "\n# ")}`);
    }
    for (const context of contexts.splice(0)) await context.close().catch(() => {});
    if (process.env.TIMES) console.log(`# ${Date.now() - startedAt} ms`);
  }
  console.log(`1..${number}`);
  await after();
  process.exit(failures ? 1 : 0);
}

export const text = (page, selector) => page.locator(selector).first().textContent({ timeout: 5000 });
export const number = (page, panel) => text(page, `[data-panel=${panel}] .number-value`);
export const wide = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
