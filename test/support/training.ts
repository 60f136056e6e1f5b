/** What the tests of the training commands share: runs in folders, runs that are interrupted and go on, and the model with what they wrote. */
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { expect } from "vitest";
import { temporaryFolder } from "./folder.js";
import { runProgram } from "./program.js";

const BIN = fileURLToPath(new URL("../../bin/variegate.js", import.meta.url));

/** A folder that does not exist yet. */
export const fresh = (): string => path.join(temporaryFolder(), "run");

interface Logged {
  readonly type: string;
  readonly update: number;
  readonly updates: number;
  readonly loss: number;
  readonly norm: number;
}

const lines = (text: string): Logged[] =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

/** Updates in the log of a run. */
export const updatesOf = (out: string): Logged[] =>
  lines(readFileSync(path.join(out, "events.jsonl"), "utf8")).filter((e) => e.type === "update");

/** Runs a command with --json to its end, and returns its updates, each with a loss and a gradient norm above 0. */
export async function trained(words: readonly string[]): Promise<Logged[]> {
  const { status, stdout, stderr } = await runProgram([...words, "--json"]);
  expect([status, stderr]).toEqual([0, expect.not.stringMatching(/error/i)]);
  const updates = lines(stdout).filter((e) => e.type === "update");
  for (const { loss, norm } of updates) expect(Math.min(loss, norm)).toBeGreaterThan(0);
  return updates;
}

/**
 * Interrupts a run at its first update and lets it go on: without --resume it is refused, with it all updates are made, and `files` are those of
 * `whole`, a run that was not interrupted.
 */
export async function expectGoesOn(
  words: readonly string[],
  { out, whole, updates, files }: { out: string; whole: string; updates: number; files: readonly string[] },
): Promise<void> {
  const child = spawn(process.execPath, [BIN, ...words, "--json", "--quiet"], { stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  child.stdout.once("data", () => child.kill("SIGINT"));
  expect(await ended).toBe(130);
  expect(existsSync(path.join(out, "checkpoint.safetensors"))).toBe(true);
  for (const file of files) expect(existsSync(path.join(out, file)), file).toBe(false);
  expect(readFileSync(path.join(out, "index.html"), "utf8")).toContain(`of ${updates} updates, stopped`);
  const done = updatesOf(out).length;
  expect(done).toBeGreaterThan(0);
  expect(done).toBeLessThan(updates);
  expect((await runProgram(words)).status).toBe(2);
  expect((await runProgram([...words, "--resume"])).status).toBe(0);
  expect(updatesOf(out)).toHaveLength(updates);
  for (const file of files)
    expect(readFileSync(path.join(out, file)).equals(readFileSync(path.join(whole, file))), file).toBe(true);
}

/** Pixels of an image of the distilled model. @param words options that name what was trained */
export async function imageWith(...words: readonly string[]): Promise<Buffer> {
  const out = fresh();
  const generate = ["generate", "a cartoon character", "--mode", "distilled", ...words];
  const { status, stderr } = await runProgram([...generate, "--out", out]);
  expect([status, stderr]).toEqual([0, expect.not.stringMatching(/error/i)]);
  return pixelsOf(path.join(out, "0.png"));
}

export const pixelsOf = (file: string): Promise<Buffer> => sharp(file).raw().toBuffer();

/** Largest difference of two images, of 255. */
export const apart = (a: Buffer, b: Buffer): number => Math.max(...[...a].map((v, i) => Math.abs(v - (b[i] ?? 0))));
