/** What an experiment came to: finished cells become rows of numbers with intervals, and each claim of the paper a verdict. */

import type { Factors } from "../instruments/index.js";
import { cosineDistance, type Estimate, meanEstimate } from "../metrics/index.js";
import type { Cell, Origin } from "./cell.js";
import { type Claim, type Definition, type ExperimentRow, type Sitting, sittingsOf } from "./definition.js";
import { kindOf, type MeasureName, type Painted, type Reference, ratio, type Seen } from "./measures.js";
import { type CellResult, unpacked } from "./store.js";
import { type Verdict, verdictOf } from "./verdict.js";

export interface TableRow {
  readonly name: string;
  readonly x: number | null;
  /** By measure, in the table's order; null where there is nothing to measure. */
  readonly values: Readonly<Partial<Record<MeasureName, Estimate | null>>>;
  readonly paper: Readonly<Partial<Record<MeasureName, number>>>;
  readonly byPrompt: readonly (number | null)[] | null;
  /** CLIP distance of x0 to the end at each step. */
  readonly curve: readonly { readonly timestep: number; readonly distance: Estimate }[] | null;
  readonly pictures: number;
}

export interface Judgement {
  readonly claim: Claim;
  /** The row's measure as a share of the other's, or the measure itself where there is no other. */
  readonly ours: Estimate | null;
  readonly paper: number | null;
  readonly verdict: Verdict;
}

export interface Table {
  readonly name: string;
  readonly title: string;
  readonly found: string;
  readonly axis: string | null;
  readonly prompts: readonly string[];
  readonly seeds: number;
  /** Those that could be measured. */
  readonly measures: readonly MeasureName[];
  readonly paperMeasures: Definition["paperMeasures"];
  readonly byPrompt: MeasureName | null;
  readonly rows: readonly TableRow[];
  readonly judgements: readonly Judgement[];
}

/** What looks at words. */
export interface Reader {
  /** CLIP features of a text. */
  text(prompt: string): Promise<Float32Array>;
  readonly named: ((prompt: string) => Factors) | null;
}

export interface Work {
  readonly definition: Definition;
  readonly cells: readonly Cell[];
  readonly origins: ReadonlyMap<string, Origin>;
}

/** Makes the table of an experiment whose cells are all there. readers: by name of row. */
export async function tableOf(
  { definition, cells, origins }: Work,
  results: ReadonlyMap<string, CellResult>,
  readers: ReadonlyMap<string, Reader>,
  reference: Reference | null,
): Promise<Table> {
  const sittings = sittingsOf(definition);
  const painted = new Map<string, Painted>();
  // A row that others are compared with comes before them, seen with their concept.
  const paintedRow = async (row: ExperimentRow, concept = row.concept): Promise<Painted> => {
    const own = cells.filter((c) => c.row.name === row.name).flatMap((c) => results.get(c.id) ?? []);
    const reader = readers.get(row.name);
    const other = definition.rows.find((r) => r.name === row.against);
    return {
      name: row.name,
      pictures: await seenBy(reader, sittings, own, concept),
      named: reader?.named ? sittings.map((p) => reader.named?.(p[0]?.prompt ?? "") ?? {}) : null,
      reads: row.reads ?? null,
      times: own.filter((r) => r.workers === 1).map((r) => r.milliseconds / r.pictures.length),
      callsPerImage: origins.get(row.name)?.calls ?? 0,
      timesteps: own[0]?.timesteps ?? [],
      against: other ? await paintedRow(other, concept) : null,
    };
  };
  for (const row of definition.rows) painted.set(row.name, await paintedRow(row));

  const rows: TableRow[] = [];
  for (const row of definition.rows) {
    const own = painted.get(row.name);
    if (own) rows.push(await tableRow(definition, row, own, reference));
  }
  const judgements: Judgement[] = [];
  for (const c of definition.claims) judgements.push(await judge(c, definition, painted, reference));
  const { name, title, found, axis = null, seeds, paperMeasures, byPrompt = null } = definition;
  return {
    name,
    title,
    found,
    axis,
    prompts: sittings.map((p) => p[0]?.prompt ?? ""),
    seeds,
    measures: definition.measures.filter((m) => rows.some((r) => r.values[m])),
    paperMeasures,
    byPrompt,
    rows,
    judgements,
  };
}

/** The pictures of a row, prompt by prompt, held against the prompt or the concept. */
async function seenBy(
  reader: Reader | undefined,
  sittings: readonly (readonly Sitting[])[],
  results: readonly CellResult[],
  concept: string | undefined,
): Promise<Seen[][]> {
  const found = new Map(results.flatMap((r) => r.pictures).map((p) => [`${p.seed} ${p.prompt}`, p]));
  const words = new Map<string, Float32Array>();
  const textOf = async (prompt: string) => {
    const known = words.get(prompt) ?? (await reader?.text(prompt)) ?? new Float32Array();
    words.set(prompt, known);
    return known;
  };
  const rows: Seen[][] = [];
  for (const prompt of sittings) {
    const text = await textOf(concept ?? prompt[0]?.prompt ?? "");
    rows.push(
      prompt.flatMap(({ prompt: p, seed }) => {
        const picture = found.get(`${seed} ${p}`);
        if (!picture) return [];
        const features = Object.fromEntries(Object.entries(picture.features).map(([k, v]) => [k, unpacked(v)]));
        const { factors, numbers, curve } = picture;
        const likeness = 1 - cosineDistance(features["clip"] ?? text, text);
        return [{ seed, features, likeness, factors, numbers, curve }];
      }),
    );
  }
  return rows;
}

async function tableRow(
  { measures, byPrompt }: Definition,
  row: ExperimentRow,
  own: Painted,
  reference: Reference | null,
): Promise<TableRow> {
  const values: Partial<Record<MeasureName, Estimate | null>> = {};
  for (const m of measures) values[m] = await kindOf(m).estimate(own, reference);
  const curves = own.pictures.map((p) => p.flatMap((s) => (s.curve ? [s.curve] : [])));
  const followed = curves.every((c) => c.length > 0);
  return {
    name: row.name,
    x: row.x ?? null,
    values,
    paper: row.paper,
    byPrompt: byPrompt ? (kindOf(byPrompt).perPrompt?.(own) ?? null) : null,
    curve: followed
      ? own.timesteps.map((timestep, i) => ({
          timestep,
          distance: meanEstimate(curves.map((p) => p.map((c) => c[i] ?? Number.NaN))),
        }))
      : null,
    pictures: own.pictures.reduce((n, p) => n + p.length, 0),
  };
}

async function judge(
  claim: Claim,
  { rows }: Definition,
  painted: ReadonlyMap<string, Painted>,
  reference: Reference | null,
): Promise<Judgement> {
  const [a, b] = [painted.get(claim.row), painted.get(claim.than ?? "")];
  const paperOf = (name: string | undefined) => rows.find((r) => r.name === name)?.paper[claim.measure];
  const [x, y] = [paperOf(claim.row), paperOf(claim.than)];
  if (claim.than === undefined) {
    const ours = a ? await kindOf(claim.measure).estimate(a, reference) : null;
    return { claim, ours, paper: x ?? null, verdict: verdictOf(claim.is, ours, 0) };
  }
  const ours = a && b ? await ratio(claim.measure, a, b, reference) : null;
  return {
    claim,
    ours,
    paper: x !== undefined && y !== undefined ? x / y : null,
    verdict: verdictOf(claim.is, ours, 1),
  };
}
