// A tab that really stands still: the process that renders it is stopped by a signal.
import { sleep } from "./_browser.mjs";

export async function frozen(browser, page, meanwhile) {
  const { pid, answered } = await stopRenderer(browser, page);
  try {
    await meanwhile();
    if (answered()) throw new Error("the tab was not frozen");
  } finally {
    process.kill(pid, "SIGCONT");
  }
}

/** A browser has several renderers and does not say which page is whose: the one without which the page is silent. */
async function stopRenderer(browser, page) {
  for (const pid of await byWork(browser, page)) {
    let answered = false;
    process.kill(pid, "SIGSTOP");
    page.evaluate(() => 1).then(() => (answered = true), () => {});
    for (let waited = 0; waited < 1000 && !answered; waited += 50) await sleep(50);
    if (!answered) return { pid, answered: () => answered };
    process.kill(pid, "SIGCONT");
  }
  throw new Error("no renderer is the page's");
}

/** The renderers, the one first that worked most while the page counted. */
async function byWork(browser, page) {
  const session = await browser.newBrowserCDPSession();
  const renderers = async () => new Map((await session.send("SystemInfo.getProcessInfo")).processInfo.filter((one) => one.type === "renderer").map((one) => [one.id, one.cpuTime]));
  const before = await renderers();
  await page.evaluate(() => {
    const end = performance.now() + 200;
    while (performance.now() < end);
  });
  const spent = [...(await renderers())].map(([pid, cpu]) => [cpu - (before.get(pid) ?? 0), pid]);
  await session.detach();
  return spent.sort((a, b) => b[0] - a[0]).map(([, pid]) => pid);
}
