// A tab of leat's own page stands still for longer than a minute while the server's clock moves an hour, on and back.
// timeout: 300
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { check, number, openBrowser, openPage, run, same, sleep, start, text, until } from "./_browser.mjs";
import { frozen } from "./_frozen.mjs";

const { LEAT, TEST_DIR, PORT } = process.env;
const library = readdirSync("/usr/lib").map((folder) => `/usr/lib/${folder}/faketime/libfaketimeMT.so.1`).find(existsSync);
if (!library || execFileSync("ldd", [LEAT]).includes("san.so")) {
  console.log("1..0 # SKIP no libfaketime, or a sanitizer that cannot be behind another preloaded library");
  process.exit(0);
}

const clock = join(TEST_DIR, "clock");
function moveClock(offset) {
  writeFileSync(clock + ".new", offset);
  renameSync(clock + ".new", clock);
}

const panels = [
  { id: "all", kind: "number", sql: "SELECT COUNT(*) AS n FROM gen", y: ["n"] },
  { id: "again", kind: "table", refresh_ms: 200, sql: "SELECT CAST(NOW() AS STRING) AS t FROM (VALUES (1)) AS v(x)" },
];
moveClock("+0");
writeFileSync(join(TEST_DIR, "d.json"), JSON.stringify({ title: "T", panels }));
writeFileSync(join(TEST_DIR, "p.sql"),
  "CREATE TABLE gen (k INT) WITH ('connector'='datagen','rows-per-second'='100');" +
  "CREATE TABLE hole (k INT) WITH ('connector'='blackhole'); INSERT INTO hole SELECT k FROM gen;");
const leat = await start([LEAT, "run", "--http", `127.0.0.1:${PORT}`, "--dashboard", "d.json", "p.sql"], {
  cwd: TEST_DIR,
  env: { ...process.env, LD_PRELOAD: library, FAKETIME_TIMESTAMP_FILE: clock, FAKETIME_NO_CACHE: "1", FAKETIME_DONT_FAKE_MONOTONIC: "1" },
}, /http:\/\/\S+token=\S+/, 60000);
const browser = await openBrowser();
const page = await openPage(browser, { keep: true });
const count = async () => Number((await number(page, "all")).replace(/,/g, ""));
const serverHour = async () => /\d\d:/.exec(await text(page, "[data-panel=again] tbody td"))[0];

await run({
  async "frozen for a minute, the clock an hour on and back meanwhile, then an hour on for good"() {
    await page.goto(leat.found[0]);
    await until(async () => (await count()) > 0, true, "rows", 30000);
    const [rowsBefore, hourBefore] = [await count(), await serverHour()];
    await frozen(browser, page, async () => {
      for (const offset of ["+3600", "+0", "+3600"]) {
        moveClock(offset);
        await sleep(22000);
      }
    });
    await until(async () => (await count()) >= rowsBefore + 5000, true, "the rows of that minute", 30000);
    await until(() => text(page, ".live"), "Live", "the state", 30000);
    await until(async () => (await serverHour()) !== hourBefore, true, "the server's clock on the page", 30000);
    const rows = await count();
    await until(async () => (await count()) > rows + 100, true, "it moves on", 30000);
    same(page.problems.filter((one) => !/Failed to load resource|ERR_/.test(one)), [], "console");
    check(leat.child.exitCode === null, "leat runs");
  },
}, async () => {
  await browser.close();
  leat.stop();
});
