/** Experiments of a fleet for tests: the command line as processes, and what they leave. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { atEnd } from "./ending.js";

const BIN = fileURLToPath(new URL("../../bin/variegate.js", import.meta.url));

/** A running command. */
export interface Program {
  readonly child: ChildProcess;
  /** What it printed so far on stdout and stderr. */
  output(): string;
  /** Exit code, when it has ended. */
  readonly ended: Promise<number | null>;
}

export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Words before the command, such as `ip netns exec NAME`. */
  readonly under?: readonly string[];
}

/** Starts the command line. */
export function variegate(args: readonly string[], { env, under = [] }: ProgramOptions = {}): Program {
  const [command = "", ...rest] = [...under, process.execPath, BIN, ...args];
  const child = spawn(command, rest, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (some) => (text += some));
  const ended = once(child, "close").then(([code]) => (typeof code === "number" ? code : null));
  atEnd(() => child.kill("SIGKILL"));
  return { child, ended, output: () => text };
}

/** Waits until something holds. */
export async function until(holds: () => boolean | Promise<boolean>, what: string, within = 60_000): Promise<void> {
  const end = Date.now() + within;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`not within ${within} ms: ${what}`);
    await sleep(20);
  }
}

/** Definition with one cell for each row, of two images. `steps`: length of a cell. */
export const definitionOf = (name: string, rows: number, steps: number) => ({
  name,
  title: "Fleet",
  prompts: ["a cartoon character", "a red cartoon character"],
  seeds: 1,
  rows: Array.from({ length: rows }, (_, i) => ({
    name: `row-${i}`,
    sampling: { mode: "base", steps: steps + i, guidance: 0, size: { width: 32, height: 24 } },
  })),
  measures: ["distance", "entropy", "clip-score", "calls"],
});

const results = z.object({ tables: z.array(z.unknown()) });
/** Tables of a report, with every digit. */
export const tablesIn = (out: string): string =>
  JSON.stringify(results.parse(JSON.parse(readFileSync(path.join(out, "results.json"), "utf8"))).tables);

/** Ids of the cells of a run's folder, in order of the file. */
export const cellsIn = (out: string): string[] =>
  readFileSync(path.join(out, "results.jsonl"), "utf8")
    .split("\n")
    .flatMap((line) => (line === "" ? [] : [z.object({ cell: z.string() }).parse(JSON.parse(line)).cell]));

/** Ids of the cells of a store in a folder. */
export const storedIn = (store: string): string[] =>
  existsSync(path.join(store, "cells"))
    ? readdirSync(path.join(store, "cells")).flatMap((name) =>
        name.startsWith(".") ? [] : [name.replace(".json", "")],
      )
    : [];
