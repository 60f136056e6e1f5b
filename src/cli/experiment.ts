/** `variegate experiment`: runs tables and figures of the paper, or an experiment of a JSON file. */
import path from "node:path";
import { type Control, pairNamed, type Trial } from "../catalogue/index.js";
import { readPairs } from "../catalogue/node/index.js";
import { readJson } from "../checkpoint/node/index.js";
import { RequestError } from "../errors.js";
import {
  claimsOf,
  type Definition,
  type ExperimentRequest,
  effectsOf,
  type FleetRequest,
  forecast,
  frontExperiment,
  frontNumbersOf,
  numbersOf,
  PAPER,
  type PaperName,
  paperExperiment,
  parseDefinition,
  readPromptSeeds,
  runExperiments,
  summaryOf,
  unmeasured,
  withAttributes,
} from "../experiments/index.js";
import type { PlanSource } from "../generate/index.js";
import type { DownloadOptions } from "../hub/index.js";
import { openPlanSource } from "../open/index.js";
import { counted } from "../tensor/index.js";
import { fetching } from "./fetching.js";
import { FLEET_COMMANDS, fleetProgress, placesOf, runFleetCommand } from "./fleet.js";
import { columnsOf } from "./table.js";
import { phases, type Terminal } from "./terminal.js";
import { duration } from "./units.js";

export interface ExperimentOptions {
  readonly out?: string;
  readonly force?: boolean;
  readonly resume?: boolean;
  readonly prompts?: string;
  readonly images?: number;
  readonly sliders?: readonly Control[];
  readonly dryRun?: boolean;
  readonly quiet?: boolean;
  readonly fleet?: FleetOptions;
}

/** Options of an experiment on a queue, times in seconds. */
export interface FleetOptions {
  readonly queue?: string;
  readonly store?: string;
  readonly as?: string;
  readonly lease?: number;
  readonly attempts?: number;
  readonly backoff?: number;
}

type Models = Omit<ExperimentRequest, "definitions" | "out" | "command">;

export async function runExperiment(
  terminal: Terminal,
  [name, file]: readonly [string, string | undefined],
  models: Models,
  options: ExperimentOptions,
  signal: AbortSignal,
): Promise<void> {
  const command = FLEET_COMMANDS.find((known) => known === name);
  if (command) return runFleetCommand(terminal, command, file, options.fleet?.queue);
  const fleet = fleetOf(options.fleet ?? {}, models);
  const row = models.base === undefined ? pairNamed(models.pair ?? "embedded", await readPairs(models.pairs)) : null;
  // Of a pair with another distilled model nothing is known.
  const known = row !== null && models.distilled === undefined;
  const definitions = await definitionsOf(
    name,
    file,
    row?.trial ?? null,
    row?.prompts ?? [],
    () => openPlanSource(models, { ...models, ...fetching(terminal, signal) }),
    {
      ...options,
      ...fetching(terminal, signal),
    },
  );
  const time = new Date().toISOString().slice(0, 19).replaceAll(":", "").replace("T", "-");
  const out = path.resolve(options.out ?? path.join("out", `experiment-${name}-${time}`));
  const reference = models.reference ?? row?.trial?.reference;
  const request: ExperimentRequest = {
    ...models,
    ...(options.force && { force: true }),
    ...(options.resume && { resume: true }),
    ...(reference !== undefined && { reference }),
    ...(known && row.note !== "" && { student: row.note }),
    ...(known && row.trial && { reasons: row.trial.reasons }),
    ...(fleet && { fleet }),
    definitions: withAttributes(definitions, models),
    out,
    command: ["variegate", ...process.argv.slice(2)].map((w) => (/[\s"']/.test(w) ? JSON.stringify(w) : w)).join(" "),
  };
  // The paper's tables have columns for every instrument, and name those that were left out.
  if (name === "run") for (const text of definitions.flatMap((d) => unmeasured(d, models))) terminal.warn(text);
  for (const text of otherNumbers(definitions, options.images)) terminal.warn(text);
  const progress = phases(terminal);
  if (options.dryRun) {
    const cost = await forecast(request, { ...fetching(terminal, signal), onProgress: progress.update });
    progress.stop();
    const { cells, finished, images, calls, seconds } = cost;
    // Earlier names of two fields, for one release.
    terminal.emit({ type: "forecast", ...cost, there: finished, pictures: images });
    terminal.print(
      `${counted(images, "image")}, ${counted(calls, "model call")}, about ${duration(seconds)} with one worker`,
    );
    terminal.print(`${cells - finished} of ${counted(cells, "cell")} to generate; no files were written`);
    return;
  }
  const shown = fleetProgress(terminal, options.quiet ?? false);
  const { tables, files } = await runExperiments(request, {
    ...fetching(terminal, signal),
    onProgress: progress.update,
    onFleet: (state) => shown.show(state),
    onMessage(text) {
      shown.stop();
      terminal.warn(text);
    },
  }).finally(() => shown.stop());
  progress.stop();
  for (const t of tables) {
    terminal.emit({ type: "table", ...t });
    terminal.print(t.title);
    printTable(terminal, t.front ? frontNumbersOf(t) : numbersOf(t));
    terminal.print("");
    for (const rows of [t.judgements.length > 0 ? claimsOf(t) : [], effectsOf(t)]) {
      if (rows.length === 0) continue;
      printTable(terminal, rows);
      terminal.print("");
    }
  }
  const summary = summaryOf(tables);
  if (summary !== "") terminal.print(`${summary}\n`);
  terminal.emit({ type: "run", out, files });
  terminal.print(`page    ${out}/report.html`);
  terminal.print(`tables  ${out}/report.md`);
  terminal.print(`numbers ${out}/results.json, ${out}/results.parquet`);
}

/** A sentence for each definition whose rows have another number of images than was asked for: as many seeds of each prompt. */
function otherNumbers(definitions: readonly Definition[], asked: number | undefined): string[] {
  if (asked === undefined) return [];
  return definitions.flatMap(({ name, prompts, seeds }) => {
    const images = prompts.length * seeds;
    if (images === asked) return [];
    return `${name} has ${images} images in each row, ${counted(prompts.length, "prompt")} × ${counted(seeds, "seed")}, not the ${asked} of --images`;
  });
}

/** Queue and store of an experiment; null without them. @throws RequestError for options that go without, or not together */
function fleetOf({ queue, store, as, lease, attempts, backoff }: FleetOptions, models: Models): FleetRequest | null {
  const places = placesOf({ ...(queue !== undefined && { queue }), ...(store !== undefined && { store }) });
  const given = { "--as": as, "--lease": lease, "--attempts": attempts, "--backoff": backoff };
  const [alone] = Object.entries(given).flatMap(([flag, value]) => (value === undefined ? [] : [flag]));
  if (!places && alone) throw new RequestError(`${alone} applies to an experiment on a queue: name it with --queue`);
  if (places && models.workers !== undefined) {
    throw new RequestError("--workers is for one machine; with --queue, start `variegate worker` for each");
  }
  if (!places) return null;
  return {
    ...places,
    ...(as !== undefined && { name: as }),
    ...(lease !== undefined && { lease: Math.round(1000 * lease) }),
    ...(attempts !== undefined && { attempts }),
    ...(backoff !== undefined && { backoff: Math.round(1000 * backoff) }),
    ...(models.saveImages && { saveImages: true }),
  };
}

/** Columns of text, which can be broken, and those that a narrow terminal leaves out. */
const TEXTS = {
  claim: { text: true },
  measure: { text: true, drop: 1 },
  point: { text: true },
  "dominated by": { text: true, drop: 1 },
} as const;

/** Prints a table whose first row is the head. */
function printTable(terminal: Terminal, [head = [], ...rows]: readonly (readonly string[])[]): void {
  terminal.table(columnsOf(head, TEXTS), rows);
}

/** Name of the experiment that compares all diversity methods, and images of each of its rows. */
const FRONT = "front";
const FRONT_IMAGES = 1024;

async function definitionsOf(
  name: string,
  file: string | undefined,
  trial: Pick<Trial, "prompts" | "controls" | "controlPrompts"> | null,
  first: readonly string[],
  source: () => Promise<PlanSource>,
  { prompts, images, sliders, ...sources }: ExperimentOptions & DownloadOptions,
): Promise<Definition[]> {
  if (name === "run") {
    if (file === undefined) throw new RequestError("experiment run needs a FILE.json with its definition");
    if (prompts !== undefined || images !== undefined) {
      throw new RequestError(`--prompts and --images apply to the paper's experiments; ${file} defines its own`);
    }
    return [parseDefinition(file, await readJson(file))];
  }
  const isPaper = (n: string): n is PaperName => (PAPER as readonly string[]).includes(n);
  if (name !== "all" && name !== FRONT && !isPaper(name)) {
    throw new RequestError(
      `experiment ${name}: expected ${PAPER.join(", ")}, all, ${FRONT}, run FILE.json, or status, retry or cancel`,
    );
  }
  if (file !== undefined) throw new RequestError(`experiment ${name} takes no file; \`experiment run ${file}\` does`);
  const from = prompts ?? trial?.prompts;
  const samples =
    from === undefined ? first.map((prompt) => ({ prompt, seed: 0 })) : await readPromptSeeds(from, sources);
  if (samples.length === 0) throw new RequestError("experiment needs prompts: name a file with --prompts");
  if (name === FRONT) {
    return [frontExperiment(await source(), { prompts: samples.map((s) => s.prompt), images: images ?? FRONT_IMAGES })];
  }
  const controls = sliders ?? trial?.controls ?? [];
  if (controls.length === 0 && name === "table1") {
    throw new RequestError('table1 needs sliders or LoRAs: --slider "age.safetensors:1=an old person" (repeatable)');
  }
  const wanted: readonly PaperName[] =
    name === "all" ? PAPER.filter((n) => n !== "table1" || controls.length > 0) : isPaper(name) ? [name] : [];
  const controlPrompts = sliders || prompts !== undefined ? undefined : trial?.controlPrompts;
  const request = { prompts: samples, controls, ...(controlPrompts && { controlPrompts }) };
  return wanted.map((n) => paperExperiment(n, { ...request, ...(images !== undefined && { images }) }));
}
