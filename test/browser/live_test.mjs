// What the page does when the stream misbehaves: ends, gaps, garbage, restarts, frozen and hidden tabs.
import { check, number, openBrowser, openPage, run, same, sleep, startMock, text, until } from "./_browser.mjs";
import { frozen } from "./_frozen.mjs";

const mock = await startMock("--orders", "50");
const browser = await openBrowser();
const state = () => mock.control("state");
const badge = (page) => text(page, ".live");

async function open() {
  const page = await openPage(browser);
  await page.goto(mock.address + "#/dashboards/ecommerce");
  await until(() => badge(page), "Live", "the state at the start");
  await current(page);
  return page;
}

/** Waits until the page shows what the server has. */
async function current(page) {
  await until(async () => [await number(page, "count"), await number(page, "total")], await expected(), "the numbers", 15000);
}
async function expected() {
  const { orders, total } = await state();
  const grouped = (value) => value.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  return [grouped(String(orders)), "$" + grouped(total)];
}
/** Chromium itself writes a refused or broken request to the console; the page must not. */
const clean = (page) => same(page.problems.filter((one) => !/Failed to load resource|ERR_/.test(one)), [], "console");

const tests = {
  async "a stream that ends is opened again, with what came meanwhile"() {
    const page = await open();
    await mock.control("refuse", { seconds: 1.5 });
    await until(() => badge(page), "Reconnecting · leat is starting", "the state while there is no server");
    same((await number(page, "count")) !== "", true, "the last values stay");
    await mock.control("order", { count: 3 });
    await until(() => badge(page), "Live", "the state afterwards");
    await current(page);
    clean(page);
  },

  async "a gap in the sequence, changes without a snapshot and garbage each bring a fresh snapshot"() {
    const page = await open();
    for (const fault of [
      ["change", { dashboard: "ecommerce", panel: "count", upserts: [[1]], deletes: [], skip: 3 }],
      ["raw", { text: "event: changes\ndata: {\"panel\":\"count\",\"seq\":\n\n" }],
      ["raw", { text: "event: snapshot\ndata: {\"panel\":\"count\",\"seq\":99}\n\n" }],
      ["raw", { text: "event: snapshot\ndata: null\n\n" }],
    ]) {
      const { opened } = await state();
      await mock.control(...fault);
      await until(async () => (await state()).opened > opened, true, `opened again after ${JSON.stringify(fault)}`);
      if (fault[0] === "change") await mock.control("order"); // so that the mock's table has one row again
      await until(() => badge(page), "Live", "the state afterwards");
      await current(page);
    }
    clean(page);
  },

  async "a leat that says goodbye is said to be stopped"() {
    const page = await open();
    await mock.control("raw", { text: "event: bye\ndata: {}\n\n" });
    await mock.control("refuse", { seconds: 0.5 });
    await until(() => badge(page), "Reconnecting · leat was stopped", "the state");
    await until(() => badge(page), "Live", "the state afterwards");
    clean(page);
  },

  async "what is unknown or was already there changes nothing"() {
    const page = await open();
    const { opened } = await state();
    const old = JSON.stringify({ panel: "count", seq: 1, upserts: [[999]], deletes: [] });
    await mock.control("raw", { text: `: a comment\n\nevent: news\ndata: x\n\nevent: changes\ndata: ${old}\n\nevent: status\ndata: {"panel":"gone","state":"failed","why":"x"}\n\n` });
    await mock.control("order");
    await current(page);
    same((await state()).opened, opened, "connections");
    clean(page);
  },

  async "a server that starts anew is taken up; a new token is asked for"() {
    const page = await open();
    await mock.control("restart");
    await until(async () => (await state()).watchers, 1, "one watcher again");
    await mock.control("order", { count: 2 });
    await current(page);
    await mock.control("token", { token: "another" });
    await page.getByLabel("Token or address").fill("another");
    await page.getByRole("button", { name: "Open" }).click();
    await current(page);
    await mock.control("token", { token: "mock-token" });
    clean(page);
  },

  async "states of a panel come and go"() {
    const page = await open();
    await mock.control("status", { panel: "cards", state: "recovering", why: "Restarting from the last checkpoint" });
    await until(() => text(page, "[data-panel=cards] .badge"), "recovering: Restarting from the last checkpoint", "badge");
    await mock.control("status", { panel: "cards", state: "running", why: "" });
    await until(() => page.locator("[data-panel=cards] .badge").count(), 0, "badge");
    clean(page);
  },

  async "a frozen tab is right again afterwards"() {
    const page = await open();
    await frozen(browser, page, async () => {
      for (let burst = 0; burst < 20; burst++) {
        await mock.control("order", { count: 100 });
        await sleep(50);
      }
    });
    await current(page);
    await frozen(browser, page, async () => {
      await mock.control("drop");
      await mock.control("order", { count: 5 });
      await sleep(500);
    });
    await current(page);
    await until(() => badge(page), "Live", "the state afterwards");
    clean(page);
  },

  async "a hidden tab does not draw, and draws once when it is shown"() {
    const page = await openPage(browser);
    await page.addInitScript(() => {
      const real = window.requestAnimationFrame.bind(window);
      window.held = null; // while the tab is hidden, frames do not come
      window.requestAnimationFrame = (callback) => (window.held ? window.held.push(callback) : real(callback));
    });
    await page.goto(mock.address + "#/dashboards/ecommerce");
    await current(page);
    await sleep(200);
    const before = await number(page, "count");
    await page.evaluate(() => {
      window.held = [];
      window.drawn = 0;
      new MutationObserver(() => window.drawn++).observe(document.querySelector("[data-panel=count]"), { subtree: true, characterData: true, childList: true });
    });
    await mock.control("order", { count: 200 });
    await sleep(400);
    same(await number(page, "count"), before, "drawn while hidden");
    check((await page.evaluate(() => window.held.length)) < 40, "frames asked for pile up");
    await page.evaluate(() => {
      const callbacks = window.held;
      window.held = null;
      for (const callback of callbacks) callback(performance.now());
    });
    await current(page);
    check((await page.evaluate(() => window.drawn)) <= 2, "drawn more than once");
    clean(page);
  },

  async "a thousand orders a second leave the page usable"() {
    const page = await open();
    const end = Date.now() + 2000;
    while (Date.now() < end) {
      await mock.control("order", { count: 100 });
      await sleep(100);
    }
    await current(page);
    same(await page.locator("[data-panel=newest] tbody tr").count(), 50, "rows kept");
    clean(page);
  },
};

await run(tests, async () => {
  await browser.close();
  mock.stop();
});
