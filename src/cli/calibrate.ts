/** `variegate calibrate`: finds the setting of a hybrid that suits a pair, and stores it as the pair's default. */
import path from "node:path";
import { pairNamed } from "../catalogue/index.js";
import { readPairs } from "../catalogue/node/index.js";
import { RequestError } from "../errors.js";
import {
  type Calibration,
  calibratedSampling,
  calibrationExperiment,
  type Definition,
  type ExperimentRequest,
  forecast,
  methodRows,
  readPromptSeeds,
  recommended,
  runExperiments,
  type Tried,
} from "../experiments/index.js";
import { callsPerImage, planFor } from "../generate/index.js";
import { FEWEST, formatEstimate } from "../metrics/index.js";
import {
  calibrationFile,
  forgetCalibration,
  keepCalibration,
  modelFlags,
  type OpenOptions,
  openPlanSource,
  type PairReference,
} from "../open/index.js";
import { commandOf } from "../sampling/index.js";
import { counted } from "../tensor/index.js";
import { fetching } from "./fetching.js";
import { columnsOf } from "./table.js";
import { phases, type Terminal } from "./terminal.js";
import { duration } from "./units.js";

export interface CalibrateOptions {
  readonly out?: string;
  readonly force?: boolean;
  readonly resume?: boolean;
  readonly forget?: boolean;
  readonly dryRun?: boolean;
  /** File of prompts; default: the pair's. */
  readonly prompts?: string;
  readonly count: number;
  readonly seeds: number;
  readonly methods?: "handoffs" | "all";
  readonly budget?: number;
}

type Models = PairReference & OpenOptions & Omit<ExperimentRequest, "definitions" | "out" | "command">;

export async function runCalibrate(
  terminal: Terminal,
  models: Models,
  options: CalibrateOptions,
  signal: AbortSignal,
): Promise<void> {
  const source = await openPlanSource(models, { ...models, ...fetching(terminal, signal) });
  if (!source.distilled) {
    throw new RequestError("calibrate needs a distilled model: name one with --distilled, or a --pair");
  }
  if (options.forget) {
    const had = await forgetCalibration(source);
    terminal.emit({ type: "forgotten", had });
    terminal.print(had ? `forgotten: ${calibrationFile()}` : "this pair has no calibration");
    return;
  }
  const { methods = "handoffs", budget = 1 } = options;
  if (budget < 1) throw new RequestError(`--budget ${budget} is less than one distilled run; expected 1 or more`);
  const distilled = planFor(source, { mode: "distilled" });
  const steps = distilled.rows.filter((row) => row.kind === "step").length;
  const prompts = await promptsOf(models, options);
  const rows =
    methods === "all" ? methodRows(source, { budget: budget * callsPerImage(source, distilled) }) : undefined;
  const definition = calibrationExperiment({ prompts, seeds: options.seeds, steps, ...(rows && { rows }) });
  const out = path.resolve(options.out ?? path.join("out", `calibrate-${stamp()}`));
  const request: ExperimentRequest = {
    ...models,
    ...(options.force && { force: true }),
    ...(options.resume && { resume: true }),
    definitions: [definition],
    out,
    command: "variegate calibrate",
  };
  const progress = phases(terminal);
  const cost = await forecast(request, { ...fetching(terminal, signal), onProgress: progress.update });
  progress.stop();
  terminal.emit({ type: "forecast", ...cost });
  const about = `${counted(definition.rows.length, "setting")}, ${counted(prompts.length, "prompt")} × ${counted(options.seeds, "seed")}: ${counted(cost.images, "image")}, ${counted(Math.round(cost.calls), "model call")}, about ${duration(cost.seconds)}`;
  // A result of its own, or a notice before the run.
  if (options.dryRun) return terminal.print(about);
  terminal.warn(about);
  const { tables } = await runExperiments(request, {
    ...fetching(terminal, signal),
    onProgress: progress.update,
    onMessage: (text) => terminal.warn(text),
  });
  progress.stop();
  const [table] = tables;
  if (!table) throw new Error("a calibration has one table");
  const found = recommended(table, definition, budget);
  terminal.emit({ type: "calibration", ...found, sampling: calibratedSampling(found) });
  printTried(terminal, found);
  const sentence = sentenceOf(found, definition, prompts.length);
  terminal.print(`\n${sentence}`);
  if (methods === "all") {
    const flags = commandOf(found.best ? found.best.sampling : { mode: "distilled" });
    terminal.print(
      `\nvariegate generate ${JSON.stringify(prompts[0] ?? "")} ${[...modelFlags(models), ...flags].join(" ")}`,
    );
  } else if (!found.best && found.undecided.length > 0) {
    terminal.print("nothing is stored");
  } else {
    await keepCalibration(source, {
      sampling: calibratedSampling(found),
      on: new Date().toISOString().slice(0, 10),
      about: sentence,
      diversity: found.best?.diversity ?? null,
      adherence: found.best?.adherence ?? null,
      prompts: prompts.length,
      seeds: options.seeds,
    });
    terminal.print(`stored as the pair's default in ${calibrationFile()}; calibrate --forget removes it`);
  }
  terminal.print(`page    ${out}/report.html`);
}

const stamp = () => new Date().toISOString().slice(0, 19).replaceAll(":", "").replace("T", "-");

async function promptsOf(models: Models, { prompts: file, count }: CalibrateOptions): Promise<string[]> {
  const row = models.base === undefined ? pairNamed(models.pair ?? "embedded", await readPairs(models.pairs)) : null;
  const from = file ?? row?.trial?.prompts;
  const all = from === undefined ? (row?.prompts ?? []) : (await readPromptSeeds(from)).map((p) => p.prompt);
  const prompts = [...new Set(all)].slice(0, count);
  if (prompts.length >= FEWEST) return prompts;
  throw new RequestError(
    `calibrate has ${counted(prompts.length, "prompt")}, and an interval needs ${FEWEST}; name a file with at least ${FEWEST} with --prompts`,
    { field: "prompts" },
  );
}

function printTried(terminal: Terminal, { tried, best }: Calibration): void {
  terminal.table(
    columnsOf(["setting", "calls ÷ distilled", "diversity ÷ distilled", "CLIP score ÷ distilled", "qualifies"], {
      setting: { text: true },
    }),
    tried.map((t) => [
      t === best ? `${t.name} (recommended)` : t.name,
      t.cost.toFixed(2),
      `${formatEstimate(t.diversity)}`,
      `${formatEstimate(t.adherence)}`,
      t.qualifies ? "yes" : whyNot(t),
    ]),
  );
}

const whyNot = ({ verdicts: { diversity, adherence } }: Tried): string => {
  if (diversity !== "agrees") return `no: more diverse is ${diversity}`;
  return adherence !== "agrees" ? `no: as adherent is ${adherence}` : "no: over the budget";
};

function sentenceOf({ tried, best, undecided }: Calibration, { seeds }: Definition, prompts: number): string {
  const from = `${counted(prompts, "prompt")} × ${counted(seeds, "seed")}, 95 % intervals over prompts`;
  if (!best && undecided.length > 0) {
    return `Not decided: of ${tried.length} settings, none is surely more diverse than the distilled model at its adherence and the budget, and ${undecided.length} may be (${from}). More prompts (--count) or seeds (--seeds) would tell.`;
  }
  if (!best) {
    return `No setting helps here: of ${tried.length}, none is surely more diverse than the distilled model at its adherence and the budget. Use --mode distilled (${from}).`;
  }
  const { name, diversity, adherence, cost } = best;
  return `${name}: diversity ${formatEstimate(diversity)} times the distilled model's, CLIP score ${formatEstimate(adherence)} times, ${cost.toFixed(2)} times the calls (${from}).`;
}
