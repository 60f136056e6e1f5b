/** Prepares a checkout for its commands: installs missing packages and builds changed sources. Needs Node only. */
import { spawnSync } from "node:child_process";
import { existsSync, lstatSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import { build } from "./build.js";

const time = (file) => (existsSync(file) ? statSync(file).mtimeMs : 0);

const installed = join("node_modules", ".package-lock.json");
const linked = lstatSync("node_modules", { throwIfNoEntry: false })?.isSymbolicLink() && existsSync("node_modules");

if (linked) {
  // npm ci would empty the folder behind the link, which other checkouts use.
  if (!existsSync(join("node_modules", "onnxruntime-node"))) {
    process.stderr.write(`node_modules is a link to ${realpathSync("node_modules")}: run npm ci beside that folder\n`);
    process.exit(1);
  }
} else if (time(installed) < time("package-lock.json") || !existsSync(join("node_modules", "onnxruntime-node"))) {
  process.stderr.write("Installing packages (once) …\n");
  // npm prints to stderr, so that stdout has the output of the following command only.
  const { status } = spawnSync("npm", ["ci", "--no-audit", "--no-fund"], {
    stdio: ["ignore", 2, 2],
    // npm 10 does not read allowScripts: without this, ONNX Runtime fetches the CUDA provider, and fails where NuGet cannot be reached.
    env: { ONNXRUNTIME_NODE_INSTALL: "skip", ...process.env },
    shell: process.platform === "win32",
  });
  if (status !== 0) process.exit(status ?? 1);
}
const status = build();
if (status !== 0) process.exit(status);
