/** The same step by PyTorch and diffusers, where a Python that has them is at hand. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("../parity/step_time.py", import.meta.url));

/** The Python to compare with: VARIEGATE_PYTHON, or python3 when it can import diffusers; else why not. */
export function findPython(): { python: string } | { missing: string } {
  const python = process.env["VARIEGATE_PYTHON"] ?? "python3";
  const { status } = spawnSync(python, ["-c", "import torch, diffusers"], { stdio: "ignore" });
  if (status === 0) return { python };
  return { missing: `${python} cannot import torch and diffusers (set VARIEGATE_PYTHON to one that can)` };
}

/** Median milliseconds of a UNet step in float32 on as many threads. Latents batch × h × w, text of `tokens`. */
export function diffusersStep(
  python: string,
  folder: string,
  o: { batch: number; height: number; width: number; tokens: number; runs: number; threads: number },
): number {
  const args = [SCRIPT, folder, ...[o.batch, o.height, o.width, o.tokens, o.runs, o.threads].map(String)];
  const { status, stdout, stderr } = spawnSync(python, args, { encoding: "utf8" });
  const value = Number(stdout.trim().split("\n").at(-1));
  if (status !== 0 || !Number.isFinite(value)) throw new Error(`diffusers could not be timed: ${stderr.slice(-300)}`);
  return value;
}
