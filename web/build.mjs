// Bundles the page into web/dist: index.html, app.js, app.css, favicon.svg, licences.txt.
// Nothing in it is inline, so that it runs under "default-src 'self'". Called by script/web.
import { build } from "esbuild";
import { copyFile, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, "dist");
const fresh = join(here, "dist.new");
const bundled = ["echarts", "preact", "tslib", "zrender"];

/** The licence texts of what is bundled: their terms ask for a copy beside the program. */
async function licences() {
  const parts = [];
  for (const name of bundled) {
    const directory = join(here, "node_modules", name);
    const { version, license } = JSON.parse(await readFile(join(directory, "package.json"), "utf8"));
    const files = (await readdir(directory, { recursive: true })).filter((file) =>
      /^(licen[cs]es?\/licen[cs]e|licen[cs]e$|licen[cs]e\.|notice|copyrightnotice)/i.test(file));
    parts.push(`${name} ${version} (${license})\n${"=".repeat(60)}`);
    for (const file of files.sort()) parts.push((await readFile(join(directory, file), "utf8")).trim());
  }
  return parts.join("\n\n") + "\n";
}

await rm(fresh, { recursive: true, force: true });
await mkdir(fresh, { recursive: true });
const result = await build({
  entryPoints: { app: join(here, "src/main.tsx") },
  outdir: fresh,
  bundle: true,
  minify: true,
  format: "esm",
  target: ["es2022"],
  jsx: "automatic",
  jsxImportSource: "preact",
  define: { "process.env.NODE_ENV": '"production"' },
  legalComments: "none",
  banner: { js: "/*! licences of what is bundled: licences.txt */" },
  metafile: true,
  logLevel: "warning",
});
for (const file of ["index.html", "favicon.svg"]) await copyFile(join(here, "src", file), join(fresh, file));
await writeFile(join(fresh, "licences.txt"), await licences());
await rm(dist, { recursive: true, force: true });
await rename(fresh, dist);

const used = new Set(Object.keys(result.metafile.inputs).map((path) => /node_modules\/([^/]+)/.exec(path)?.[1]));
used.delete(undefined);
for (const name of used) if (!bundled.includes(name)) throw new Error(`${name} is bundled, but build.mjs does not list it`);
const sizes = await Promise.all(["app.js", "app.css"].map(async (file) => `${file} ${(await stat(join(dist, file))).size}`));
console.log(`web/dist: ${sizes.join(", ")} bytes`);
if (process.argv.includes("--sizes")) {
  const output = Object.values(result.metafile.outputs).find((one) => one.inputs["src/main.tsx"] || one.entryPoint?.endsWith("main.tsx"));
  const byPackage = {};
  for (const [path, { bytesInOutput }] of Object.entries(output.inputs)) {
    const name = /node_modules\/([^/]+)/.exec(path)?.[1] ?? "leat";
    byPackage[name] = (byPackage[name] ?? 0) + bytesInOutput;
  }
  console.table(byPackage);
}
