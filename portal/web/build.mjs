// Bundles the page into ../static (or the folder given): what is there is committed, so a machine without Node serves it.
import { build } from "esbuild";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(here, "..", "static");
const bundled = ["echarts", "zrender", "tslib"];

await mkdir(out, { recursive: true });
await build({
  absWorkingDir: here,
  entryPoints: { app: "src/main.js", docs: "src/docs.js", door: "src/door.js", style: "src/style.css" },
  outdir: out,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  logLevel: "warning",
});
for (const page of ["index.html", "docs.html", "hand-in.html"]) await copyFile(join(here, page), join(out, page));

const licences = [];
for (const name of bundled) {
  const folder = join(here, "node_modules", name);
  const { version } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  for (const file of ["LICENSE", "LICENSE.txt", "NOTICE"]) {
    const text = await readFile(join(folder, file), "utf8").catch(() => null);
    if (text) licences.push(`${name} ${version}: ${file}\n\n${text.replaceAll("\r\n", "\n").trim()}\n`);
  }
}
await writeFile(join(out, "THIRD_PARTY.txt"), `app.js contains parts of these packages.\n\n${licences.join("\n\n")}`);
