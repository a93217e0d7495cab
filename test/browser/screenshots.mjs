// screenshots.mjs DIRECTORY [ADDRESS]: pictures of the page for the documentation; see script/screenshots.
import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { openBrowser, openPage, sleep, startMock } from "./_browser.mjs";

const [directory, address] = process.argv.slice(2);
const mock = address ? null : await startMock("--orders", "2400", "--rate", "20", "--only", "ecommerce");
const start = address ?? mock.address;
const browser = await openBrowser();
const PICTURES = [
  { name: "dashboard-light", hash: "", colorScheme: "light", width: 1440, height: 820 },
  { name: "dashboard-dark", hash: "", colorScheme: "dark", width: 1440, height: 820 },
  { name: "dashboard-phone", hash: "", colorScheme: "dark", width: 390, height: 844 },
  { name: "jobs", hash: "#/jobs", colorScheme: "light", width: 1440, height: 420 },
];
mkdirSync(directory, { recursive: true });
for (const { name, hash, colorScheme, width, height } of PICTURES) {
  const page = await openPage(browser, { colorScheme, viewport: { width, height } });
  await page.goto(start + hash);
  await page.waitForSelector("main h1");
  await sleep(3000); // orders come in, rates are known
  const file = join(directory, name + ".png");
  await page.screenshot({ path: file });
  console.log(`${file} ${Math.round(statSync(file).size / 1024)} KB ${page.problems.join("; ")}`);
}
await browser.close();
mock?.stop();
process.exit(0);
