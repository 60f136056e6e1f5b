/** `variegate explore`: images of one prompt in each mode, the main directions of their variety, and a page of strips along them. */
import type { RecordedRun } from "../convert/index.js";
import { type Exploration, type ExploreRequest, exploration, exploreRequests } from "../explore/index.js";
import { planFor, settingsFor, withCalibrated } from "../generate/index.js";
import { describeRun } from "../inspect/index.js";
import { formatEstimate } from "../metrics/index.js";
import {
  anyClip,
  type OpenedPair,
  type OpenOptions,
  openEvaluator,
  openPair,
  type PairReference,
  sourceFiles,
  withPromptEmbeddings,
} from "../open/index.js";
import type { Mode } from "../sampling/index.js";
import { stepsOf } from "../trajectory/index.js";
import { explorePage } from "./explore-page.js";
import { directionName, explorationFinding } from "./explored.js";
import { fetching } from "./fetching.js";
import { percent } from "./finding.js";
import { followRows, generateRow, type Output, type Row } from "./rows.js";
import { openResumableFolder, type ResumeOptions } from "./run-folder.js";
import { nameOf, resumed, type SampleImage } from "./samples.js";
import { columnsOf } from "./table.js";
import type { Terminal } from "./terminal.js";

export async function runExplore(
  terminal: Terminal,
  models: PairReference & OpenOptions,
  request: ExploreRequest,
  options: ResumeOptions,
  signal: AbortSignal,
): Promise<void> {
  const opened = await withPromptEmbeddings(models, { ...request, prompts: [request.prompt] });
  const pair = await openPair(opened, { ...opened, ...fetching(terminal, signal) });
  const ended = new AbortController();
  try {
    const requests = exploreRequests(pair, request).map((r) => withCalibrated(pair, r));
    const plans = requests.map((r) => planFor(pair, r));
    const clip = anyClip((why) => terminal.warn(`${why}; features are colours of pixels (--clip REF names another)`));
    const evaluator = await openEvaluator(pair, request.clip, clip);
    const folder = await openResumableFolder("explore", { models, request, plans }, options);
    const machine = describeRun(pair);
    const sources = sourceFiles(pair, opened, requests[0] ?? { prompts: [] }, ended.signal);
    sources.catch(() => {});
    const runs = requests.map((own): RecordedRun => ({ machine, models, request: own, sources }));
    const images = await generateAll(pair, runs, { terminal, folder, signal });
    const made = requests.map(({ mode = "base", seeds = [0] }) => ({
      mode,
      images: seeds.flatMap((seed) => images.find((i) => i.mode === mode && i.seed === seed)?.image ?? []),
    }));
    const found = await exploration(request, made, evaluator);
    const settings = requests.map((r) => settingsFor(pair, r));
    const page = await explorePage(found, made, machine.versions);
    const files = [...images.map((i) => i.file), await folder.write("explore.html", Buffer.from(page))];
    const record = {
      ...machine,
      command: "explore",
      models,
      requests,
      settings,
      sources: await sources,
      ...found,
      files,
    };
    files.push(await folder.write("explore.json", Buffer.from(`${JSON.stringify(record, null, 1)}\n`)));
    terminal.emit({ type: "exploration", ...found });
    terminal.emit({ type: "run", out: folder.dir, files });
    printExploration(terminal, found);
    terminal.print(`page    ${folder.dir}/explore.html`);
    for (const { mode } of made) terminal.print(`images  ${folder.dir}/${mode}/`);
    terminal.print(`numbers ${folder.dir}/explore.json`);
  } finally {
    ended.abort();
    await pair.close();
  }
}

/** Reads the images that the folder keeps, and generates the others. */
async function generateAll(pair: OpenedPair, runs: readonly RecordedRun[], output: Output): Promise<SampleImage[]> {
  const works = [];
  let ticks = 0;
  for (const run of runs) {
    const { mode = "base", seeds = [0] } = run.request;
    const row: Row = { name: mode, run, fileOf: (sample) => nameOf(mode, sample, 1) };
    const plan = planFor(pair, run.request);
    const samples = seeds.map((seed) => ({ prompt: 0, seed }));
    const { kept, left } = await resumed(output.folder, { mode, plan, samples }, row.fileOf);
    works.push({ row, kept, left });
    ticks += left.length * (stepsOf(plan).length + 1);
  }
  const follower = followRows(pair, output, ticks);
  const images: SampleImage[] = [];
  for (const { row, kept, left } of works) {
    const work = { request: row.run.request, samples: left, follower, signal: output.signal };
    images.push(...kept, ...(await generateRow(pair, row, work)));
  }
  follower.end();
  return images;
}

function printExploration(terminal: Terminal, found: Exploration): void {
  const others: readonly Mode[] = found.modes.slice(1).map(({ mode }) => mode);
  for (const line of explorationFinding(found)) terminal.print(line);
  if (others.length > 0) terminal.print("");
  terminal.table(
    columnsOf(
      [
        "direction",
        `share of the ${found.reference}'s variance`,
        ...others.map((mode) => `${mode} ÷ ${found.reference}`),
      ],
      {
        direction: { text: true },
      },
    ),
    found.directions.map((d, i) => [
      directionName(d, i),
      percent(d.share),
      ...d.modes.slice(1).map(({ variance, verdict }) => `${formatEstimate(variance)} ${verdict}`),
    ]),
  );
  terminal.print("");
  terminal.table(
    columnsOf(["model", "effective directions"], { model: { text: true } }),
    found.modes.map(({ mode, effectiveRank }) => [mode, effectiveRank.toFixed(1)]),
  );
  terminal.print("");
  terminal.print(
    `Directions are those of the ${found.found.length} ${found.reference} images of every second seed by ${found.features === "clip" ? "CLIP" : "pixels"}; variances are of the other ${found.seeds.length - found.found.length}. Lost: below a half by its 95 % interval over seeds; kept: above. More seeds narrow the intervals.`,
  );
}
