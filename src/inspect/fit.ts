/** Checks which adapters fit a model, and which models an adapter fits. */
import { existsSync, readdirSync } from "node:fs";
import pathOf from "node:path";
import { fitting, PARTS, type Part } from "../adapters/index.js";
import { type Component, readRecognised, shapesOf } from "../checkpoint/index.js";
import { adapterFile, openCheckpoint, openFile } from "../checkpoint/node/index.js";
import { VariegateError } from "../errors.js";
import {
  type Category,
  EMBEDDED_ADAPTERS,
  type LookupOptions,
  listModels,
  locate,
  resolveReference,
} from "../lookup/index.js";
import { DENOISER_CLASSES } from "../models/index.js";
import { layersIn } from "../open/index.js";
import { counted, type WeightIndex } from "../tensor/index.js";
import { problemIn } from "./problem.js";

export interface CheckRequest extends LookupOptions {
  /** Adapters to check against the model. */
  readonly adapters?: readonly string[];
  /** Model to check an adapter against. */
  readonly base?: string;
}

/** Result of checking an adapter against a model. */
export interface FitReport {
  /** The adapter of a model, or the model of an adapter. */
  readonly ref: string;
  readonly fits: boolean;
  readonly why: string;
}

/** Reference with its local path. */
interface Reference {
  readonly ref: string;
  readonly path: string;
}

/** Weights of the parts of a model that adapters can target. */
export type Parts = ReadonlyMap<Part, () => Promise<WeightIndex>>;

/** Parts of a model that adapters can target. */
export const adaptableParts = (components: readonly Component[]): Parts =>
  new Map(
    components.flatMap(({ name, className, weights }) => {
      const part = PARTS.find((known) => known === (DENOISER_CLASSES.includes(className) ? "unet" : name));
      return part === undefined ? [] : [[part, weights] as const];
    }),
  );

/** Checks adapters against a model: those of the request, of its model folders, and of the package. */
export async function adaptersFor(parts: Parts, request: CheckRequest): Promise<FitReport[]> {
  const named = await Promise.all(
    (request.adapters ?? []).map(async (ref) => ({ ref, path: await locate(ref, "adapter", request) })),
  );
  const embedded = EMBEDDED_ADAPTERS.flatMap((folder) => {
    const dir = resolveReference(folder);
    return existsSync(dir) ? readdirSync(dir).map((f) => ({ ref: `${folder}/${f}`, path: pathOf.join(dir, f) })) : [];
  });
  const compare = fitting(await layersIn({ parts }));
  const reports: FitReport[] = [];
  for (const file of uniqueFiles([...named, ...embedded, ...(await modelsIn(["adapter"], request))])) {
    const report = await adapterFit(file, compare);
    // Embedded adapters that do not fit are reported only on request.
    if (report && (report.fits || !embedded.includes(file))) reports.push(report);
  }
  return reports;
}

/** Checks models against an adapter: the base of the request, those of its model folders, and the embedded base. */
export async function modelsFor(adapter: WeightIndex, request: CheckRequest): Promise<FitReport[]> {
  const given =
    request.base === undefined ? [] : [{ ref: request.base, path: await locate(request.base, "pipeline", request) }];
  const embedded = { ref: "embedded:base", path: resolveReference("embedded:base") };
  const others = await modelsIn(["checkpoint", "diffusers", "unet"], request);
  const reports: FitReport[] = [];
  for (const { ref, path } of uniqueFiles([...given, embedded, ...others])) {
    try {
      const parts = adaptableParts([...(await openCheckpoint(path)).components.values()]);
      const { fits, why } = explain(fitting(await layersIn({ parts }))(shapesOf(adapter.weights)));
      // The embedded base is reported where it does not fit only if it was named, or nothing else was.
      const isAsked = ref !== embedded.ref || given.some((g) => g.ref === ref) || given.length + others.length === 0;
      if (fits || isAsked) reports.push({ ref, fits, why });
    } catch (error) {
      if (!(error instanceof VariegateError)) throw error;
      if (given.some((g) => g.ref === ref)) throw error;
    }
  }
  return reports;
}

/** Files without repetition, under the first reference to each. */
const uniqueFiles = (files: readonly Reference[]): Reference[] =>
  files.filter(({ path }, i) => files.findIndex((other) => other.path === path) === i);

const modelsIn = async (categories: readonly Category[], { modelFolders = [] }: CheckRequest) =>
  (await listModels(modelFolders, categories)).map(({ name, path }) => ({ ref: name, path }));

/** Checks an adapter file; null for a textual inversion. */
async function adapterFit({ ref, path }: Reference, compare: ReturnType<typeof fitting>): Promise<FitReport | null> {
  try {
    const { index, recognised } = await readRecognised(await openFile(await adapterFile(path)));
    if (recognised.kind === "textual inversion") return null;
    if (recognised.kind !== "adapter") return { ref, fits: false, why: `is ${recognised.about}` };
    return { ref, ...explain(compare(shapesOf(index.weights))) };
  } catch (error) {
    if (!(error instanceof VariegateError)) throw error;
    return { ref, fits: false, why: problemIn(path, error) };
  }
}

/** Match of an adapter's keys and shapes with the layers of a model. */
type Fit = ReturnType<ReturnType<typeof fitting>>;

function explain({ keys, matched, layers, of, wrong, fits }: Fit): Pick<FitReport, "fits" | "why"> {
  if (wrong) {
    const [actual, expected] = [wrong.shape, wrong.expected].map((s) => `[${s.join(", ")}]`);
    return { fits, why: `made for another model: ${wrong.key} is ${actual}, the layer needs ${expected}` };
  }
  if (matched === 0) return { fits, why: `made for another model: none of ${counted(keys, "key")} matches a layer` };
  if (!fits) return { fits, why: `${matched} of ${counted(keys, "key")} match a layer` };
  return { fits, why: `changes ${layers} of ${of} layers` };
}
