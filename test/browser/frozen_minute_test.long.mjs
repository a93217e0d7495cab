// A tab that stands still for longer than a minute while orders go on, and once more while the stream ends.
// timeout: 240
import { number, openBrowser, openPage, run, same, sleep, startMock, text, until } from "./_browser.mjs";
import { frozen } from "./_frozen.mjs";

const mock = await startMock("--orders", "50", "--rate", "50");
const browser = await openBrowser();

/** Waits until the page shows as many orders as the server had just before. */
async function current(page) {
  const { orders } = await mock.control("state");
  await until(async () => Number((await number(page, "count")).replace(/,/g, "")) >= orders, true, `${orders} orders`, 20000);
}

async function aMinute(page, meanwhile) {
  await frozen(browser, page, async () => {
    await meanwhile();
    await sleep(65000);
  });
  await current(page);
  await until(() => text(page, ".live"), "Live", "the state afterwards", 30000);
  same(page.problems.filter((one) => !/Failed to load resource|ERR_/.test(one)), [], "console");
}

async function open() {
  const page = await openPage(browser);
  await page.goto(mock.address + "#/dashboards/ecommerce");
  await current(page);
  return page;
}

await run({
  "a tab that was frozen for a minute": async () => aMinute(await open(), async () => {}),
  "a tab that was frozen for a minute in which the stream ended": async () => aMinute(await open(), () => mock.control("drop")),
}, async () => {
  await browser.close();
  mock.stop();
});
