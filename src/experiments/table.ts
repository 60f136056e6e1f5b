/** Computes the table of an experiment from its cells: measures with intervals for each row, claims and effects. */
import type { Reason } from "../catalogue/index.js";
import {
  type AttributePredictors,
  attributeFinder,
  attributesOf,
  clipScore,
  type Evaluator,
} from "../evaluation/index.js";
import { plainPrompts } from "../generate/index.js";
import { distancePerPrompt, type Estimate, meanEstimate } from "../metrics/index.js";
import { type ClaimResult, checkClaims, checkEffects, type EffectResult } from "./claims.js";
import { type Definition, type ExperimentRow, type PromptSeed, promptSeeds } from "./definition.js";
import { type Front, frontOf } from "./front.js";
import { placeName, timedPlace } from "./machine.js";
import { agreementAt, type Estimator, estimator, kindOf, type MeasureName } from "./measures.js";
import { featuresBy, type ImageReading, type Reference, type SampleSet } from "./sample-set.js";
import { type CellResult, unpacked } from "./store.js";
import type { Work } from "./work.js";

export interface TableRow {
  readonly name: string;
  readonly x: number | null;
  /** Estimates by measure; null if undefined. */
  readonly values: Readonly<Partial<Record<MeasureName, Estimate | null>>>;
  readonly paper: Readonly<Partial<Record<MeasureName, number>>>;
  readonly byPrompt: readonly (number | null)[] | null;
  /** CLIP distance of x0 to the final image at each step, and the agreement of their attributes; null if undefined. */
  readonly curve:
    | readonly { readonly timestep: number; readonly distance: Estimate; readonly agreement: Estimate | null }[]
    | null;
  readonly pictures: number;
}

export interface Table {
  readonly name: string;
  readonly title: string;
  readonly found: string;
  readonly axis: string | null;
  readonly prompts: readonly string[];
  readonly seeds: number;
  /** Measures with at least one value. */
  readonly measures: readonly MeasureName[];
  readonly paperMeasures: Definition["paperMeasures"];
  readonly byPrompt: MeasureName | null;
  readonly rows: readonly TableRow[];
  readonly judgements: readonly ClaimResult[];
  readonly effects: readonly EffectResult[];
  /** Rows as points of a front; null where the definition has none. */
  readonly front: Front | null;
}

/** Part of an evaluator that reads texts, and attributes by CLIP where they are asked for. Images are read when they are generated. */
export type TextReader = {
  readonly clip: Pick<Evaluator["clip"], "text">;
  readonly attributes?: AttributePredictors | null;
} & Pick<Evaluator, "classifier">;

/** Computes the table of an experiment with all cells finished. readers: by row name. */
export async function tableOf(
  work: Work,
  results: ReadonlyMap<string, CellResult>,
  readers: ReadonlyMap<string, TextReader>,
  reference: Reference | null,
  reasons: readonly Reason[] = [],
): Promise<Table> {
  const { definition } = work;
  const sets = await sampleSetsOf(work, results, readers);
  const estimate = estimator(reference);
  const rows: TableRow[] = [];
  for (const row of definition.rows) {
    const own = sets.get(row.name);
    if (own) rows.push(await tableRow(definition, row, own, estimate));
  }
  const judgements = await checkClaims(definition, sets, estimate, reasons);
  const effects = await checkEffects(definition, sets, estimate);
  const { name, title, found, axis = null, seeds, paperMeasures, byPrompt = null } = definition;
  return {
    name,
    title,
    found,
    axis,
    prompts: promptSeeds(definition).map((p) => p[0]?.prompt ?? ""),
    seeds,
    measures: definition.measures.filter((m) => rows.some((r) => r.values[m])),
    paperMeasures,
    byPrompt,
    rows,
    judgements,
    effects,
    front: definition.front ? await frontOf(definition, definition.front, sets, estimate) : null,
  };
}

/** Images of every row, by row name. */
async function sampleSetsOf(
  { definition, cells, origins }: Work,
  results: ReadonlyMap<string, CellResult>,
  readers: ReadonlyMap<string, TextReader>,
): Promise<Map<string, SampleSet>> {
  const prompts = promptSeeds(definition);
  const resultsOf = (row: ExperimentRow) =>
    cells.filter((c) => c.row.name === row.name).flatMap((c) => results.get(c.id) ?? []);
  const timed = timedPlace(definition.rows.map(resultsOf));
  // A row that others are compared with is scored again with their concept.
  const setOf = async (row: ExperimentRow, concept = row.concept): Promise<SampleSet> => {
    const plain = prompts.map((p) => plainPrompt(p[0]?.prompt ?? "", row.sampling));
    const own = resultsOf(row);
    const reader = readers.get(row.name);
    const other = definition.rows.find((r) => r.name === row.against);
    const find = reader?.classifier && attributeFinder(attributesOf(reader.classifier));
    return {
      name: row.name,
      images: reader
        ? await imagesOf(
            reader,
            prompts,
            row.sampling.choose ? asDefined(prompts, own) : own,
            (p) => concept ?? plain[p] ?? "",
          )
        : [],
      predictors: reader?.attributes ?? null,
      prompts: plain,
      named: find ? plain.map(find) : null,
      attribute: row.attribute ?? null,
      times: own
        .filter((r) => r.workers === 1 && placeName(r) === timed)
        .map((r) => r.milliseconds / r.pictures.length),
      callsPerImage: origins.get(row.name)?.calls ?? 0,
      timesteps: own[0]?.timesteps ?? [],
      apart: null,
      against: other ? await setOf(other, concept) : null,
    };
  };
  const sets = new Map<string, SampleSet>();
  for (const row of definition.rows) sets.set(row.name, await setOf(row));
  const unit = sets.get(definition.rows.find((r) => r.follow)?.name ?? "");
  const apart = unit ? distancePerPrompt(featuresBy(unit, "clip") ?? []) : null;
  return new Map([...sets].map(([name, set]) => [name, { ...set, apart }]));
}

/** Results of a row with a choice, whose images have seeds of their own: those of a prompt in their order get the seeds of the definition. */
function asDefined(prompts: readonly (readonly PromptSeed[])[], results: readonly CellResult[]): CellResult[] {
  const taken = new Map<string, number>();
  const seeds = new Map(prompts.map((own) => [own[0]?.prompt ?? "", own]));
  return results.map((result) => ({
    ...result,
    pictures: result.pictures.map((picture) => {
      const n = taken.get(picture.prompt) ?? 0;
      taken.set(picture.prompt, n + 1);
      return { ...picture, seed: seeds.get(picture.prompt)?.[n]?.seed ?? picture.seed };
    }),
  }));
}

const unpackedByName = (values: Readonly<Record<string, string>>): Record<string, Float32Array> =>
  Object.fromEntries(Object.entries(values).map(([name, v]) => [name, unpacked(v)]));

/** A prompt without its markup. */
const plainPrompt = (prompt: string, { promptSyntax }: ExperimentRow["sampling"]): string =>
  plainPrompts({ prompts: [prompt], ...(promptSyntax && { promptSyntax }) }).join();

/** Images of a row by prompt, scored with a text for each prompt. */
async function imagesOf(
  { clip }: TextReader,
  prompts: readonly (readonly PromptSeed[])[],
  results: readonly CellResult[],
  scoredWith: (p: number) => string,
): Promise<ImageReading[][]> {
  const found = new Map(results.flatMap((r) => r.pictures).map((p) => [`${p.seed} ${p.prompt}`, p]));
  const texts = new Map<string, Float32Array>();
  const rows: ImageReading[][] = [];
  for (const [p, seeds] of prompts.entries()) {
    const scored = scoredWith(p);
    const text = texts.get(scored) ?? (await clip.text(scored));
    texts.set(scored, text);
    rows.push(
      seeds.flatMap(({ prompt, seed }) => {
        const stored = found.get(`${seed} ${prompt}`);
        if (!stored) return [];
        const { factors: attributes, numbers, curve, steps } = stored;
        const features = unpackedByName(stored.features);
        const probabilities =
          stored.probabilities &&
          Object.fromEntries(Object.entries(unpackedByName(stored.probabilities)).map(([k, p]) => [k, [...p]]));
        const image = features["clip"];
        const score = image ? clipScore(image, text) : Number.NaN;
        return [{ seed, features, clipScore: score, attributes, probabilities, numbers, curve, steps }];
      }),
    );
  }
  return rows;
}

async function tableRow(
  { measures, byPrompt }: Definition,
  row: ExperimentRow,
  own: SampleSet,
  estimate: Estimator,
): Promise<TableRow> {
  const values: Partial<Record<MeasureName, Estimate | null>> = {};
  for (const m of measures) values[m] = await estimate.of(m, own);
  const curves = own.images.map((p) => p.flatMap((s) => (s.curve ? [s.curve] : [])));
  const followed = curves.every((c) => c.length > 0);
  const perPrompt = byPrompt && kindOf(byPrompt).perPrompt?.(own);
  return {
    name: row.name,
    x: row.x ?? null,
    values,
    paper: row.paper,
    byPrompt: perPrompt?.map((v) => (Number.isNaN(v) ? null : v)) ?? null,
    curve: followed
      ? own.timesteps.map((timestep, i) => ({
          timestep,
          distance: meanEstimate(curves.map((p) => p.map((c) => c[i] ?? Number.NaN))),
          agreement: agreementAt(own, i),
        }))
      : null,
    pictures: own.images.reduce((n, p) => n + p.length, 0),
  };
}
