#!/usr/bin/env node
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
const main = new URL("../dist/program/main.js", import.meta.url);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(`variegate needs Node 20.19 or newer; this is ${process.versions.node}\n`);
  process.exitCode = 4;
} else if (!existsSync(fileURLToPath(main))) {
  process.stderr.write("variegate is not built yet: run `npm ci` (or `npm run build`) in its folder first\n");
  process.exitCode = 4;
} else {
  const { main: run } = await import(main.href);
  process.exitCode = await run(process.argv.slice(2));
}
