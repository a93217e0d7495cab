// The page on leat itself: the ecommerce example with its dashboard, an order of one's own with hostile strings by a
// stock Kafka client, and a leat that is killed and started again under the open page.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { check, number, openBrowser, openPage, root, run, same, start, text, until } from "./_browser.mjs";

const { LEAT, TEST_DIR, PORT, PORT2 } = process.env;
const example = (file) => join(root, "examples/ecommerce", file);
const hostile = "<img src=x onerror=window.hacked=1>";

const startLeat = () =>
  start([LEAT, "run", `--broker=127.0.0.1:${PORT}`, "--http", `127.0.0.1:${PORT2}`, "--data", join(TEST_DIR, "data"),
    "--dashboard", example("dashboard.json"), "--var", "rate=20", "--var", `database=${join(TEST_DIR, "e.db")}`,
    example("tables.embedded.sql"), example("pipeline.sql")], {}, /http:\/\/\S+token=\S+/, 60000);

function produce(order) {
  execFileSync("kcat", ["-P", "-b", `127.0.0.1:${PORT}`, "-t", "order-events"], { input: JSON.stringify(order) + "\n" });
}
const order = (id, card, amount) => ({ order_id: id, order_product_name: "<b>" + "x".repeat(200), order_card_type: card, order_amount: amount, order_datetime: "2024-10-21 10:59:10", order_country_name: "Atlantis </script>", order_city_name: "{a|b}", order_ecommerce_website_name: "__proto__" });

let leat = await startLeat();
const browser = await openBrowser();
const page = await openPage(browser, { keep: true });
const slices = () => page.evaluate(() => Object.fromEntries([...document.querySelectorAll("[data-panel=share] .pie-list li")].map((row) => [row.querySelector(".pie-name").textContent, row.querySelector(".pie-value").textContent])));
const bars = () => page.evaluate(() => Object.fromEntries([...document.querySelectorAll("[data-panel=cards] tbody tr")].map((row) => [...row.children].map((cell) => cell.textContent))));
const cents = (money) => Number(money.replace(/[$,.]/g, ""));
const badge = () => text(page, ".live");
/** What Chromium itself writes about requests that fail while leat is down does not count. */
const clean = () => same(page.problems.filter((one) => !/Failed to load resource|ERR_/.test(one)), [], "console");

const tests = {
  async "the single dashboard opens and moves"() {
    await page.goto(leat.found[0]);
    await until(badge, "Live", "the stream", 30000);
    const first = cents(await until(() => number(page, "total").catch(() => ""), undefined, "the total", 30000));
    await until(async () => cents(await number(page, "total")) > first, true, "a larger total", 30000);
    await until(async () => Object.keys(await bars()).length, 6, "card types", 30000);
    check(!page.url().includes("token"), page.url());
    clean();
  },

  async "an order by kcat is on the page, to the cent, its strings as text"() {
    const newest = () => page.evaluate(() => document.querySelector("[data-panel=newest]").textContent);
    produce(order(99999999, hostile, 1234567.89));
    await until(async () => (await newest()).includes("<b>xxxx"), true, "the row", 30000);
    await until(async () => (await bars())[hostile], "$1,234,567.89", "the bar", 30000);
    same(await page.evaluate(() => [window.hacked ?? null, document.querySelectorAll("main img, main script").length]), [null, 0], "markup from data");
    clean();
  },

  async "the selector shows the countries"() {
    await page.locator("#selector-by").selectOption("Country");
    await until(async () => (await slices())["Atlantis </script>"], "$1,234,567.89", "the slice", 30000);
    await until(async () => "Inida" in (await slices()), true, "the misspelt country", 60000);
    clean();
  },

  async "jobs and topics are listed"() {
    const other = await openPage(browser);
    await other.goto(leat.found[0] + "#/jobs");
    await until(async () => (await text(other, "main tbody")).includes("running"), true, "a running job", 30000);
    await other.getByRole("link", { name: "Topics" }).click();
    await until(async () => (await text(other, "main tbody")).includes("order-events"), true, "the topic", 30000);
    await other.getByRole("link", { name: "Tables" }).click();
    await until(async () => (await text(other, "main tbody")).includes("sales_by_country"), true, "the table", 30000);
    same(other.problems, [], "console");
  },

  async "a statement of one's own runs, and its error has a place"() {
    const other = await openPage(browser);
    await other.goto(leat.found[0] + "#/sql");
    const rows = () => other.evaluate(() => [...document.querySelectorAll(".result tbody tr")].map((row) => [...row.children].map((cell) => cell.textContent)));
    await other.getByLabel("Statement").fill("SELECT order_card_type, COUNT(*) AS n FROM order_events GROUP BY order_card_type");
    await other.getByRole("button", { name: "Run" }).click();
    const count = async () => Number((await rows()).find((row) => row[0] === "Visa")?.[1] ?? 0);
    const first = await until(count, undefined, "a count", 30000);
    await until(async () => (await count()) > first, true, "a larger count", 30000);
    same((await rows()).find((row) => row[0] === hostile), [hostile, "1"], "the order by kcat");
    await other.getByRole("button", { name: "Stop" }).click();
    await until(async () => (await text(other, ".result-foot")).startsWith("Stopped"), true, "stopped", 30000);
    await other.getByLabel("Statement").fill("SELECT nothing FROM order_events");
    await other.getByRole("button", { name: "Run" }).click();
    await until(async () => (await text(other, ".problem").catch(() => "")).includes("column 8"), true, "the error", 30000);
    same(other.problems.filter((one) => !one.includes("400")), [], "console");
  },

  async "killed and started again: the open page goes on, nothing is lost"() {
    const before = cents(await number(page, "total"));
    leat.child.removeAllListeners("exit");
    leat.child.kill("SIGKILL");
    await until(async () => (await badge()).startsWith("Reconnecting"), true, "the state without leat", 30000);
    leat = await startLeat();
    await until(badge, "Live", "the state afterwards", 60000);
    await until(async () => cents(await number(page, "total")) > before, true, "a total above the one before", 60000);
    same((await bars())[hostile], "$1,234,567.89", "the bar");
    clean();
  },
};

await run(tests, async () => {
  await browser.close();
  leat.child.removeAllListeners("exit");
  leat.child.kill();
});
