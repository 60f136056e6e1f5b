/**
 * Measures the studio as its clients see it, on the embedded pair: how soon a change shows, how long a grid takes, and how it serves many
 * clients at once, with its memory.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { middle, type Report } from "./figures.js";

const BIN = fileURLToPath(new URL("../bin/variegate.js", import.meta.url));
const PROMPT = "a cartoon character with one eye";
const SEEDS = [0, 1, 2, 3, 4, 5, 6, 7];
const REPEATS = 7;

/** Clients, the runs that each makes one after the other, and greedy ones that queue as much as they may. */
const CLIENTS = 200;
const RUNS_EACH = 2;
const GREEDY = 4;
const OF_GREEDY = 40;
/** Most retries of a refused run; a client that gives up has been starved. */
const RETRIES = 200;

const runSchema = z.object({ id: z.string() });
const SMALL = { prompts: ["a cartoon character"], mode: "distilled", size: { width: 64, height: 48 } };

interface Server {
  readonly url: string;
  readonly process: ChildProcess;
}

async function start(workspace: string): Promise<Server> {
  const child = spawn(process.execPath, [BIN, "studio", "--json", "--port", "0", "--workspace", workspace], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(child.stdout, "data");
  return { url: z.object({ url: z.string() }).parse(JSON.parse(String(line))).url, process: child };
}

async function stop({ process: child }: Server): Promise<void> {
  const ended = once(child, "close");
  child.kill("SIGINT");
  await ended;
}

/** Largest resident memory of a process so far in MB; null where the system does not record it. */
function peakOf({ process: { pid } }: Server): number | null {
  try {
    const found = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return found ? (Number(found[1]) * 1024) / 1e6 : null;
  } catch {
    return null;
  }
}

const post = (url: string, request: object, client: string, query = "") =>
  fetch(`${url}api/runs${query}`, {
    method: "POST",
    headers: { "content-type": "application/json", "variegate-client": client },
    body: JSON.stringify(request),
  });

/** Times of the events of a run, in milliseconds of `performance.now()`, by type: the first of each. */
async function follow(url: string, id: string): Promise<Map<string, number>> {
  const seen = new Map<string, number>();
  const { body } = await fetch(`${url}api/runs/${id}/events`);
  for await (const bytes of body ?? []) {
    const now = performance.now();
    for (const [, type = ""] of Buffer.from(bytes)
      .toString()
      .matchAll(/^event: (.*)$/gm)) {
      if (!seen.has(type)) seen.set(type, now);
    }
  }
  return seen;
}

/** Milliseconds from the request of a change to its first preview and to its end, and whether a session was loaded. */
async function change({ url }: Server, request: object, previews: string) {
  const begin = performance.now();
  const { id } = runSchema.parse(
    await (await post(url, { seeds: SEEDS, ...request }, "bench", `?previews=${previews}`)).json(),
  );
  const seen = await follow(url, id);
  const since = (type: string) => (seen.get(type) ?? Number.NaN) - begin;
  return { preview: since("preview"), end: since("ended"), loaded: seen.has("loaded") };
}

const load = () => `load average ${os.loadavg()[0]?.toFixed(1)}, ${os.availableParallelism()} cores`;

async function timings(server: Server, report: Report): Promise<void> {
  const slider = (scale: number) => ({ prompts: [PROMPT], adapters: [{ ref: "smile.base", scale }] });
  // Loads the sessions.
  await change(server, { prompts: [PROMPT] }, "all");
  await change(server, slider(1), "all");
  const repeated = async (request: (i: number) => object, previews: string) => {
    const all = [];
    for (let i = 0; i < REPEATS; i++) all.push(await change(server, request(i), previews));
    return all;
  };
  const show = (name: string, times: readonly number[], aim?: string, more = "") => {
    const { median, note } = middle(times);
    report({ name, value: median, unit: "ms", ...(aim !== undefined && { aim }), note: `${note}${more}; ${load()}` });
  };
  const prompts = await repeated((i) => ({ prompts: [`${PROMPT}, ${i}`] }), "first");
  show(
    "studio, another prompt: first preview",
    prompts.map((t) => t.preview),
    "<= 150",
  );
  show(
    "studio, another prompt: grid of 8, 4 steps",
    prompts.map((t) => t.end),
    "<= 1000",
  );
  const all = await repeated((i) => ({ prompts: [`${PROMPT}; ${i}`] }), "all");
  show(
    "studio, the same with all previews",
    all.map((t) => t.end),
  );
  const switches = await repeated((i) => ({ prompts: [PROMPT], switch: 1 + (i % 3) }), "first");
  show(
    "studio, another switch: first preview",
    switches.map((t) => t.preview),
    "<= 150",
  );
  const scales = await repeated((i) => slider(1.1 + i / 10), "first");
  show(
    "studio, another scale of a slider: preview",
    scales.map((t) => t.preview),
    "<= 150",
  );
  const loads = scales.filter(({ loaded }) => loaded).length;
  show(
    "studio, another scale of a slider: grid of 8",
    scales.map((t) => t.end),
    "<= 1000",
    `; ${loads} loaded a session, aim 0`,
  );
}

interface Turn {
  /** Seconds from the first try to the start of the run. */
  readonly wait: number;
  /** Seconds of the run itself. */
  readonly took: number;
  readonly refused: number;
}

/** One run of a client: tried again when it is refused, after the time that the answer names. */
async function turn(url: string, client: string, seed: number): Promise<Turn> {
  const begin = performance.now();
  for (let refused = 0; refused < RETRIES; refused++) {
    const answer = await post(url, { ...SMALL, seeds: [seed] }, client);
    if (answer.status === 202) {
      const seen = await follow(url, runSchema.parse(await answer.json()).id);
      const started = seen.get("started") ?? Number.NaN;
      return { wait: (started - begin) / 1000, took: ((seen.get("ended") ?? Number.NaN) - started) / 1000, refused };
    }
    const seconds = Number(answer.headers.get("retry-after"));
    await answer.arrayBuffer();
    if (answer.status !== 429 || !(seconds >= 1)) throw new Error(`status ${answer.status}, Retry-After ${seconds}`);
    await sleep(seconds * 1000);
  }
  throw new Error(`${client} was refused ${RETRIES} times`);
}

async function manyClients(server: Server, report: Report): Promise<void> {
  const { url } = server;
  const greedy = Array.from({ length: GREEDY }, async (_, g) => {
    const statuses = [];
    for (let i = 0; i < OF_GREEDY; i++) {
      const answer = await post(url, { ...SMALL, seeds: [i] }, `greedy-${g}`);
      statuses.push({ status: answer.status, retry: Number(answer.headers.get("retry-after")) });
      await answer.arrayBuffer();
    }
    return statuses;
  });
  const clients = Array.from({ length: CLIENTS }, async (_, c) => {
    const turns: Turn[] = [];
    for (let i = 0; i < RUNS_EACH; i++) turns.push(await turn(url, `client-${c}`, i));
    return turns;
  });
  const statuses = (await Promise.all(greedy)).flat();
  const turns = (await Promise.all(clients)).flat();
  const refused = statuses.filter(({ status }) => status === 429);
  const took = turns.reduce((n, t) => n + t.took, 0) / turns.length;
  // All clients that wait have a turn before one has a second.
  const share = (CLIENTS + GREEDY) * took;
  const longest = Math.max(...turns.map(({ wait }) => wait));
  const retried = turns.filter((t) => t.refused > 0).length;
  report({
    ...{ name: "studio, 200 clients: longest wait of fair share", value: longest / share, unit: "ratio", aim: "<= 3" },
    note: `${longest.toFixed(1)} s, a run takes ${(1000 * took).toFixed(0)} ms; ${retried} of ${turns.length} runs were refused first; ${load()}`,
  });
  const named = refused.length > 0 ? Math.min(...refused.map(({ retry }) => retry)) : 0;
  report({
    ...{
      name: "studio, greedy clients: refused runs",
      value: refused.length / statuses.length,
      unit: "share",
      aim: "> 0",
    },
    note: `429 to ${refused.length} of ${statuses.length}, each with Retry-After, at least ${named} s`,
  });
  const peak = peakOf(server);
  if (peak !== null) report({ name: "studio, 200 clients: peak memory", value: peak, unit: "MB", aim: "< 600" });
}

/** Runs the benchmark. */
export async function runStudioBench(report: Report): Promise<void> {
  const workspace = mkdtempSync(path.join(os.tmpdir(), "variegate-studio-"));
  const server = await start(workspace);
  try {
    await timings(server, report);
    await manyClients(server, report);
  } finally {
    await stop(server);
    rmSync(workspace, { recursive: true, force: true });
  }
}
