// A tab that really stands still: the process that renders it is stopped by a signal.

export async function frozen(browser, page, meanwhile) {
  const pid = await rendererOf(browser, page);
  process.kill(pid, "SIGSTOP");
  let answered = false;
  page.evaluate(() => 1).then(() => (answered = true), () => {});
  try {
    await meanwhile();
    if (answered) throw new Error("the tab was not frozen");
  } finally {
    process.kill(pid, "SIGCONT");
  }
}

/** The renderer that is busiest while the page counts: a browser has several, and does not say which page is whose. */
async function rendererOf(browser, page) {
  const session = await browser.newBrowserCDPSession();
  const renderers = async () => new Map((await session.send("SystemInfo.getProcessInfo")).processInfo.filter((one) => one.type === "renderer").map((one) => [one.id, one.cpuTime]));
  const before = await renderers();
  await page.evaluate(() => {
    const end = performance.now() + 300;
    while (performance.now() < end);
  });
  const spent = [...(await renderers())].map(([pid, cpu]) => [cpu - (before.get(pid) ?? 0), pid]);
  await session.detach();
  return spent.sort((a, b) => b[0] - a[0])[0][1];
}
