/** Times the same step with PyTorch and diffusers, if a Python with them is available. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("../parity/step_time.py", import.meta.url));

/** Finds a Python with torch and diffusers: VARIEGATE_PYTHON, or python3. Returns the reason if there is none. */
export function findPython(): { python: string } | { missing: string } {
  const python = process.env["VARIEGATE_PYTHON"] ?? "python3";
  const { status } = spawnSync(python, ["-c", "import torch, diffusers"], { stdio: "ignore" });
  if (status === 0) return { python };
  return { missing: `${python} cannot import torch and diffusers (set VARIEGATE_PYTHON to one that can)` };
}

/** Median milliseconds of a UNet step in float32. Latents [batch, 4, height, width], text of `tokens` tokens. */
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
