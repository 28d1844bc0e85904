// Bundles each figure into one classic script: a page that was opened from disk can neither import nor fetch.
//
//     node build.mjs [--out FOLDER] [NAME ...]     by default all of figures/, into ../_static/live
//
// A bundle holds the version of the data beside which it was built, and refuses any other.
import { build } from "esbuild";
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const site = join(here, "..", "_static", "live");
const words = process.argv.slice(2);
const out = words[0] === "--out" ? words.splice(0, 2)[1] : site;
const all = readdirSync(join(here, "figures")).filter((file) => file.endsWith(".js")).map((file) => file.slice(0, -3));
const names = words.length ? words : all.sort();
const unknown = names.find((name) => !all.includes(name));
if (unknown) {
  console.error(`There is no figure live/figures/${unknown}.js.`);
  process.exit(1);
}

for (const name of names) {
  let version;
  try {
    version = /"version": ?"(\w+)"/.exec(readFileSync(join(site, `${name}.data.js`), "utf8").slice(0, 300))[1];
  } catch {
    console.error(`_static/live/${name}.data.js is missing or has no version: python tools/live.py ${name}`);
    process.exit(1);
  }
  await build({
    entryPoints: [join(here, "figures", `${name}.js`)],
    outfile: join(out, `${name}.js`),
    absWorkingDir: here,
    banner: { js: `/* Made from live/figures/${name}.js by \`make live\`: edit that. */` },
    define: { DATA_VERSION: JSON.stringify(version) },
    bundle: true,
    minify: true,
    charset: "utf8",
    format: "iife",
    target: "es2020",
    legalComments: "none",
    logLevel: "warning",
  });
}
