/** Runs the program for scripts that make an experiment of several commands. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("../bin/variegate.js", import.meta.url));

/** Runs a command; its progress goes to the terminal. A command that fails ends the script with its status. */
export function variegate(...args) {
  const { status } = spawnSync(process.execPath, [program, ...args], { stdio: ["ignore", "ignore", "inherit"] });
  if (status !== 0) process.exit(status ?? 1);
}
