/** Brings a checkout to where its commands run: installs what is missing, builds what is stale. Uses nothing but Node. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

const time = (file) => (existsSync(file) ? statSync(file).mtimeMs : 0);
const npm = (args, why) => {
  process.stderr.write(`${why}\n`);
  // What npm says goes to stderr, so that the output of the command that follows stays clean.
  const { status } = spawnSync("npm", args, { stdio: ["ignore", 2, 2], shell: process.platform === "win32" });
  if (status !== 0) process.exit(status ?? 1);
};

const installed = join("node_modules", ".package-lock.json");
if (time(installed) < time("package-lock.json") || !existsSync(join("node_modules", "onnxruntime-node"))) {
  npm(["ci", "--no-audit", "--no-fund"], "Installing what is missing (once) …");
}
const newest = readdirSync("src", { recursive: true }).reduce(
  (t, file) => Math.max(t, time(join("src", String(file)))),
  0,
);
if (time(join("dist", ".tsbuildinfo")) < newest) npm(["run", "--silent", "build"], "Building …");
