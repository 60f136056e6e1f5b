/** `variegate compare`: base, distilled and hybrid side by side, as a finding, a table of measures and a contact sheet. */
import { existsSync } from "node:fs";
import path from "node:path";
import type { RecordedRun } from "../convert/index.js";
import { RequestError } from "../errors.js";
import { type Evaluator, evaluate, type PromptedAttribute } from "../evaluation/index.js";
import { formatJson } from "../files/index.js";
import {
  checkRequest,
  eventJson,
  type GenerateEvent,
  type GenerateRequest,
  plainPrompts,
  planFor,
  requestForMode,
  seedsToRun,
  settingsFor,
  withCalibrated,
} from "../generate/index.js";
import { describeRun } from "../inspect/index.js";
import { type AttributeRequest, checkedAttributes, type MeasuredAttributes, readAttributes } from "../measure/index.js";
import {
  anyClip,
  leadsTo,
  type OpenedPair,
  type OpenOptions,
  openEvaluator,
  openPair,
  type PairReference,
  sourceFiles,
  withPromptEmbeddings,
} from "../open/index.js";
import { MODES, planJson } from "../sampling/index.js";
import type { FloatTensor } from "../tensor/index.js";
import { choiceOf, keepChoice, requestForKept, samplesOf, undecided, withoutChoice } from "./chosen.js";
import { type ComparedMode, columnsFor, comparedModes, resultJson, sheetRows, type Timing } from "./comparison.js";
import { fetching } from "./fetching.js";
import { findingOf } from "./finding.js";
import { followRows, generateRow, type Output, type Row } from "./rows.js";
import { openResumableFolder, type ResumeOptions, type RunFolder } from "./run-folder.js";
import { nameOf, type RowName, resumed, type SampleImage } from "./samples.js";
import { drawSheet } from "./sheet.js";
import type { Progress, Terminal } from "./terminal.js";

export async function runCompare(
  terminal: Terminal,
  models: PairReference & OpenOptions & { clip?: string },
  given: GenerateRequest,
  options: ResumeOptions & AttributeRequest,
  signal: AbortSignal,
): Promise<void> {
  const listed = options.attributes === undefined ? null : await readAttributes(options.attributes);
  const opened = await withPromptEmbeddings(models, given);
  const pair = await openPair(opened, { ...opened, ...fetching(terminal, signal) });
  const ended = new AbortController();
  try {
    if (!pair.distilled)
      throw new RequestError("compare needs a distilled model: name one with --distilled, or a --pair");
    const prompts = given.prompts.length > 0 ? given.prompts : (pair.row?.prompts ?? []);
    if (prompts.length === 0) throw new RequestError("compare needs a prompt");
    const rows = rowsOf({ ...given, prompts }).map(({ name, request }) => ({
      name,
      request: withCalibrated(pair, request),
    }));
    const requests = rows.map((row) => row.request);
    const seeds = requests[0]?.seeds ?? [0];
    const plans = requests.map((r) => planFor(pair, r));
    for (const r of requests) checkRequest(pair, r);
    const clip = anyClip((why) =>
      terminal.warn(`${why}; variety is measured in pixels and latents (--clip REF names another)`),
    );
    const evaluator = await openEvaluator(pair, models.clip, clip);
    if (listed && !evaluator) throw new RequestError("--attributes needs a CLIP: name one with --clip");
    const folder = await openResumableFolder("compare", { models, requests, plans }, options);
    const plain = plainPrompts({ ...given, prompts });
    const semantic =
      listed && evaluator
        ? await semanticOf(pair, evaluator, listed, plain, { ...options, terminal, folder, signal })
        : null;
    const machine = describeRun(pair);
    const sources = sourceFiles(pair, opened, { ...given, prompts }, ended.signal);
    sources.catch(() => {});
    const made = await generateAll(pair, rows, { machine, models, sources }, { terminal, folder, signal });

    const readings = [];
    for (const { images } of made) readings.push(evaluator && (await evaluate(evaluator, images, plain)));
    const names = rows.map((row) => row.name);
    const modes = comparedModes(pair, { names, plans, made, readings, semantic });
    const sheet = await drawSheet(
      prompts.map((prompt, p) => ({
        title: prompt,
        // The chosen row has seeds of its own.
        columns: given.choose ? [] : seeds.map((s) => `seed ${s}`),
        rows: sheetRows(modes, p),
      })),
    );
    const files = [...made.flatMap((m) => m.files), await folder.write("sheet.png", sheet)];
    const results = modes.map(resultJson);
    const settings = requests.map((r) => settingsFor(pair, r));
    const run = {
      ...machine,
      command: "compare",
      models,
      requests,
      settings,
      sources: await sources,
      plans: plans.map(planJson),
      results,
      files,
    };
    files.push(await folder.write("run.json", Buffer.from(formatJson(run))));
    for (const result of results) terminal.emit({ type: "result", ...result });
    terminal.emit({ type: "run", out: folder.dir, files });
    printResults(terminal, modes, { prompts: prompts.length, seeds: seeds.length, note: noteOf(pair, prompts) });
    terminal.print(`sheet   ${folder.dir}/sheet.png`);
    terminal.print(`images  ${folder.dir}/{${rows.map((row) => row.name).join(",")}}/`);
    terminal.print(`run     ${folder.dir}/run.json`);
  } finally {
    ended.abort();
    await pair.close();
  }
}

/**
 * Attributes that the prompts leave open, checked on the pair's own model before the first image. The result of the check is kept in the
 * folder, for a resumed run.
 */
async function semanticOf(
  pair: OpenedPair,
  { clip }: Evaluator,
  attributes: readonly PromptedAttribute[],
  prompts: readonly string[],
  { terminal, folder, signal, selfCheck = earlierCheck(folder) }: Output & AttributeRequest,
): Promise<MeasuredAttributes> {
  let progress: Progress | undefined;
  const found = await checkedAttributes(attributes, prompts, clip, pair, {
    ...(selfCheck !== undefined && { selfCheck }),
    signal,
    onMessage: (text) => terminal.warn(text),
    onProgress(done, total, attribute) {
      progress ??= terminal.progress(total, "self-check");
      progress.update(done, `self-check: ${attribute}`);
    },
  });
  progress?.stop();
  for (const note of found.notes) terminal.warn(note);
  if (found.check) await folder.write(SELF_CHECK, Buffer.from(formatJson(found.check)));
  return found;
}

function earlierCheck({ dir }: RunFolder): string | undefined {
  const file = path.join(dir, SELF_CHECK);
  return existsSync(file) ? file : undefined;
}

const SELF_CHECK = "self-check.json";

/** Images of one mode, and the time of those that were generated. */
export interface MadeImages {
  readonly images: readonly (readonly SampleImage<RowName>["image"][])[];
  /** Final latents of the images; null where an image was read from its file. */
  readonly latents: readonly (readonly FloatTensor[])[] | null;
  readonly files: readonly SampleImage<RowName>["file"][];
  readonly timings: readonly Timing[];
}

/** A row of the comparison: one mode, or the hybrid with chosen seeds. */
interface ComparedRow {
  readonly name: RowName;
  readonly request: GenerateRequest;
}

/** Rows of a comparison. With a choice of seeds, every mode runs as many seeds, the first ones, without it. */
function rowsOf(given: GenerateRequest): ComparedRow[] {
  const all = [...new Set(seedsToRun(given))];
  const plain = withoutChoice({ ...given, seeds: all });
  const seeds = given.choose ? all.slice(0, given.choose.keep) : all;
  const modes = MODES.map((mode) => ({ name: mode, request: requestForMode(mode, { ...plain, seeds }) }));
  return given.choose
    ? [...modes, { name: "chosen", request: requestForMode("hybrid", { ...given, seeds: all }) }]
    : modes;
}

/** Reads the images that the folder keeps, and generates the others. */
async function generateAll(
  pair: OpenedPair,
  rows: readonly ComparedRow[],
  record: Omit<RecordedRun, "request">,
  o: Output,
): Promise<MadeImages[]> {
  const works = [];
  const chosen = new Map(o.folder.chosen);
  for (const { name, request } of rows) {
    const whole = request.choose ? requestForKept(request, chosen) : request;
    const plan = planFor(pair, whole);
    const row: Row<RowName> = {
      name,
      run: { ...record, request: withoutChoice(request), ...choiceOf(request) },
      fileOf: (sample) => nameOf(name, sample, request.prompts.length),
    };
    const found = await resumed(o.folder, { mode: name, plan, samples: samplesOf(whole) }, row.fileOf);
    const open = request.choose ? undecided(request, chosen) : [];
    const steps = plan.rows.filter((row) => row.kind === "step").length;
    works.push({ row, request, whole, open, ...found, ticks: (found.left.length + open.length) * (steps + 1) });
  }
  const total = works.reduce((n, { ticks }) => n + ticks, 0);
  const follower = followRows(pair, o, total);
  const all: MadeImages[] = [];
  for (const { row, request, whole, open, kept, left } of works) {
    const of = [...kept];
    for (const [asked, samples] of [[request, open] as const, [whole, left] as const]) {
      const onEvent = (event: GenerateEvent) => {
        keepChoice(o.folder, asked, event, chosen);
        if (event.type === "done") o.folder.log({ ...eventJson(event), mode: row.name });
      };
      of.push(...(await generateRow(pair, row, { request: asked, samples, follower, signal: o.signal, onEvent })));
    }
    const seeds = (prompt: number) => chosen.get(prompt) ?? [];
    const samples = request.prompts.map((_, prompt) =>
      (request.choose ? seeds(prompt) : (request.seeds ?? [0])).flatMap(
        (seed) => of.find((s) => s.prompt === prompt && s.seed === seed) ?? [],
      ),
    );
    const images = samples.map((own) => own.map(({ image }) => image));
    const complete = samples.flat().every((s) => s.latents);
    const latents = complete ? samples.map((own) => own.flatMap((s) => s.latents ?? [])) : null;
    all.push({ images, latents, files: of.map((s) => s.file), timings: o.folder.timings(row.name) });
  }
  follower.end();
  return all;
}

/** How the pair's distilled model was made and its prompts were chosen, where those ran. */
function noteOf({ row, located }: OpenedPair, prompts: readonly string[]): string {
  if (!row || !located.distilled || !leadsTo(located.distilled)(row.distilled)) return "";
  const chosen = prompts.some((prompt) => row.prompts.includes(prompt));
  return [row.note, ...(chosen ? [row.promptNote] : [])].join(" ").trim();
}

interface Sizes {
  readonly prompts: number;
  readonly seeds: number;
  readonly note: string;
}

function printResults(terminal: Terminal, modes: readonly ComparedMode[], { prompts, seeds, note }: Sizes): void {
  const [, distilled, hybrid] = modes;
  if (distilled && hybrid) {
    const compared = {
      steps: distilled.steps.length,
      distilled: distilled.variety,
      hybrid: hybrid.variety,
      latents: [distilled.latents?.share ?? null, hybrid.latents?.share ?? null] as const,
      prompts,
      seeds,
    };
    for (const line of findingOf(compared)) terminal.print(line);
    terminal.print("");
  }
  terminal.table(columnsFor(modes), modes);
  terminal.print("");
  if (note !== "") terminal.print(`${note}\n`);
}
