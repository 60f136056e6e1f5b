/** What there is to say about a model without running it: what it is, whether it can be drawn, what is missing, what goes with it. */
import { existsSync, readdirSync, statSync } from "node:fs";
import pathOf from "node:path";
import { fitting, type Part } from "../adapters/index.js";
import { PAIRS, type PairRow } from "../catalogue/index.js";
import {
  type Checkpoint,
  type Component,
  readAutoencoder,
  readRecognised,
  readTextEncoder,
  refusal,
  shapesOf,
} from "../checkpoint/index.js";
import {
  adapterFile,
  adapterIn,
  derivedFolder,
  loneFolder,
  openCheckpoint,
  openComponentFolder,
  openFile,
} from "../checkpoint/node/index.js";
import { FileError, VariegateError } from "../errors.js";
import { FAMILIES, type Family, familyByText, type Recognised, recognise } from "../families/index.js";
import type { MemoryNeed } from "../generate/index.js";
import {
  type Category,
  EMBEDDED_ADAPTERS,
  type LookupOptions,
  listModels,
  locate,
  resolveReference,
} from "../lookup/index.js";
import { drawingOf } from "../networks/index.js";
import { layersIn, memoryNeedsOfFiles, readFiles } from "../open/index.js";
import { parseScheduler } from "../sampling/index.js";
import { BYTES, count, formatBytes, storedAs, storedBytes, type WeightIndex } from "../tensor/index.js";
import { problemIn } from "./problem.js";

export interface ComponentReport {
  readonly name: string;
  readonly className: string;
  /** The file or index that was opened. */
  readonly source: string;
  readonly parameters: number;
  readonly bytes: number;
  readonly dtypes: readonly string[];
  /** Tensors that the config has no use for. */
  readonly unused: readonly string[];
}

/** Whether an adapter fits a model, and why (not). */
export interface FitReport {
  readonly ref: string;
  readonly fits: boolean;
  readonly why: string;
}

export interface CheckReport {
  readonly ref: string;
  readonly path: string;
  readonly kind: "pipeline" | Exclude<Recognised["kind"], "other" | "unknown">;
  /** The architecture, and what tells it. */
  readonly about: string;
  readonly because: readonly string[];
  readonly family: Family | null;
  /** The class, of a pipeline or of the one network. */
  readonly pipeline: string;
  readonly components: readonly ComponentReport[];
  readonly parameters: number;
  readonly bytes: number;
  /** What it lacks to paint with; none: it can be a --base. */
  readonly missing: readonly string[];
  readonly notes: readonly string[];
  /** Named pairs that are made of such a model. */
  readonly pairs: readonly string[];
  /** Of a model: adapters and whether they fit it. */
  readonly adapters: readonly FitReport[];
  /** Of an adapter: models and whether it fits them. */
  readonly models: readonly FitReport[];
  /** What running it takes, where it can be run alone. */
  readonly memory: readonly MemoryNeed[] | null;
}

export interface CheckRequest extends LookupOptions {
  /** Adapters to hold against the model. */
  readonly adapters?: readonly string[];
  /** A model to hold an adapter against. */
  readonly base?: string;
}

/** What a place turned out to hold. */
interface Subject {
  readonly kind: CheckReport["kind"];
  readonly about: string;
  readonly because: readonly string[];
  readonly family: Family | null;
  readonly className: string;
  readonly components: readonly Component[];
  readonly notes: readonly string[];
  /** All tensors, where they are no network's. */
  readonly tensors?: WeightIndex;
  readonly checkpoint?: Checkpoint;
}

/**
 * Reads everything a model says of itself and draws its networks, without loading one.
 * @throws FileError when it is of a family that is not drawn, or what opening it would throw
 */
export async function checkReference(ref: string, request: CheckRequest = {}): Promise<CheckReport> {
  const path = await locate(ref, "model", request);
  const subject = await subjectOf(path);
  const components: ComponentReport[] = [];
  const notes = [...subject.notes];
  for (const component of subject.components) {
    const draw = drawingOf(component);
    notes.push(...unpackingNote(component.name, await component.weights()));
    if (draw) components.push(await reportOn(component, draw));
    else notes.push(`${component.name}: ${component.className} is not drawn here`);
  }
  if (subject.tensors) components.push(tensorsIn(subject.kind, subject.tensors));
  if (components.length === 0) throw new FileError(path, `holds no network that can be drawn (${notes.join("; ")})`);
  const scheduler = subject.checkpoint?.scheduler;
  if (scheduler) notes.push(`scheduler: ${parseScheduler(scheduler.config, scheduler.file).className}`);
  notes.push(...components.flatMap(variantBeside));
  const model = modelParts(subject.components);
  const unet = components.find((c) => c.className === "UNet2DConditionModel");
  const whole = subject.checkpoint ? await runnable(path) : null;
  return {
    ref,
    path,
    kind: subject.kind,
    about: subject.about,
    because: subject.because,
    family: subject.family,
    pipeline: subject.className,
    components,
    parameters: components.reduce((n, c) => n + c.parameters, 0),
    bytes: components.reduce((n, c) => n + c.bytes, 0),
    missing: whole?.missing ?? [],
    notes,
    pairs: unet ? await pairsOf(unet.parameters, path) : pairsLike(subject),
    adapters: model.size > 0 && subject.kind !== "text encoder" ? await adaptersFor(model, request) : [],
    models: subject.kind === "adapter" && subject.tensors ? await modelsFor(subject.tensors, request) : [],
    memory: whole?.memory ?? null,
  };
}

async function subjectOf(path: string): Promise<Subject> {
  if (!statSync(path).isDirectory()) return fileSubject(path);
  const folder = loneFolder(path);
  const adapter = folder === null ? adapterIn(path) : null;
  if (adapter) return fileSubject(adapter);
  if (folder === null || isPipeline(path)) {
    const checkpoint = await openCheckpoint(path);
    return { ...pipelineFacts(checkpoint), kind: "pipeline" };
  }
  const alone = await openComponentFolder(folder);
  const kind = KINDS[alone.className] ?? ("factors" in alone.config ? "measure" : "unet");
  const { about, because } = await recognisedIn(alone);
  return {
    kind,
    about: kind === "measure" && about === "" ? "an attribute classifier" : about,
    because: [...(alone.className === "unknown" ? [] : [`its config says ${alone.className}`]), ...because],
    family: null,
    className: alone.className,
    // A folder of the Hub's cache is called by a commit, which says nothing.
    components: [{ ...alone, name: kind }],
    notes: [],
  };
}

/** A folder without model_index.json may be a pipeline's all the same. */
const isPipeline = (path: string): boolean =>
  ["vae", "text_encoder"].every((part) => existsSync(pathOf.join(path, part, "config.json"))) &&
  existsSync(pathOf.join(path, "unet", "config.json"));

const KINDS: Readonly<Record<string, CheckReport["kind"]>> = {
  UNet2DConditionModel: "unet",
  AutoencoderKL: "autoencoder",
  AutoencoderTiny: "tiny autoencoder",
  CLIPTextModel: "text encoder",
  CLIPTextModelWithProjection: "text encoder",
  CLIPModel: "measure",
};

const pipelineFacts = (checkpoint: Checkpoint): Omit<Subject, "kind"> => ({
  ...checkpoint.recognised,
  family: checkpoint.family,
  className: checkpoint.className,
  components: [...checkpoint.components.values()],
  notes: checkpoint.notes,
  checkpoint,
});

async function recognisedIn(component: Component): Promise<{ about: string; because: readonly string[] }> {
  const found = recognise(shapesOf((await component.weights()).weights));
  return found.kind === "unknown" ? { about: "", because: [] } : { about: found.about, because: [found.because] };
}

async function fileSubject(path: string): Promise<Subject> {
  const source = await openFile(path);
  const { index, recognised } = await readRecognised(source);
  const { kind, about, because } = recognised;
  const found = { kind, about, because: [because], family: null, notes: [] };
  switch (recognised.kind) {
    case "checkpoint":
    case "unet":
      return { ...pipelineFacts(await openCheckpoint(path)), kind: recognised.kind };
    case "autoencoder":
    case "tiny autoencoder": {
      const own = await readAutoencoder(source);
      return { ...found, kind: recognised.kind, className: own.className, components: [own] };
    }
    case "text encoder": {
      const family = familyByText(recognised.width) ?? "sdxl";
      const own = await readTextEncoder(source, "text_encoder", family);
      return { ...found, kind: recognised.kind, className: own.className, components: [own] };
    }
    case "adapter":
    case "textual inversion":
      return { ...found, ...recognised, because: [because], className: kind, components: [], tensors: index };
    case "measure":
      return { ...found, kind: recognised.kind, className: about, components: [], tensors: index };
    case "other":
    case "unknown":
      throw refusal(path, recognised, "a model of diffusers, ComfyUI or A1111, or an adapter, was expected");
  }
}

const summary = (index: WeightIndex) => {
  const all = [...index.weights.values()];
  return {
    source: index.source,
    parameters: all.reduce((n, w) => n + count(w.shape), 0),
    bytes: all.reduce((n, w) => n + storedBytes(w), 0),
    dtypes: [...new Set(all.map(storedAs))].sort((a, b) => (a < b ? -1 : 1)),
  };
};

/** What blocks become when they are first used. */
function unpackingNote(name: string, { weights }: WeightIndex): string[] {
  const blocks = [...weights.values()].filter(({ bytes }) => bytes.in === "blocks");
  if (blocks.length === 0) return [];
  const stored = blocks.reduce((n, w) => n + storedBytes(w), 0);
  const unpacked = blocks.reduce((n, { shape, dtype }) => n + count(shape) * BYTES[dtype], 0);
  return [
    `${name}: ${formatBytes(stored)} in blocks become ${formatBytes(unpacked)} of float32, once, in ${derivedFolder()}`,
  ];
}

const tensorsIn = (name: string, index: WeightIndex): ComponentReport => ({
  name,
  className: "tensors",
  unused: [],
  ...summary(index),
});

async function reportOn(
  component: Component,
  draw: NonNullable<ReturnType<typeof drawingOf>>,
): Promise<ComponentReport> {
  const index = await component.weights();
  const drawn = new Set(draw(index).flatMap((g) => [...g.weights.values()].map((w) => w.name.replace(/\[.*\]$/, ""))));
  // What a file calls its tensors may differ from what they are called here.
  const unused = [...index.weights].flatMap(([name, w]) => (drawn.has(name) || drawn.has(w.name) ? [] : [name]));
  return { name: component.name, className: component.className, unused, ...summary(index) };
}

/** The file of half precision that stands beside the one that was opened. */
function variantBeside({ name, source }: ComponentReport): string[] {
  const { dir, base } = pathOf.parse(source);
  if (!existsSync(dir) || base.includes(".fp16.") || !/^(diffusion_pytorch_model|model|pytorch_model)\./.test(base))
    return [];
  const other = readdirSync(dir).find((file) => file === base.replace(/\./, ".fp16."));
  return other ? [`${name}: ${base} is opened; ${other} is there too`] : [];
}

/** Whether it paints as a --base, and what that takes. */
async function runnable(path: string): Promise<{ missing: string[]; memory: MemoryNeed[] | null }> {
  try {
    return { missing: [], memory: await memoryNeedsOfFiles(await readFiles({ base: path })) };
  } catch (error) {
    if (!(error instanceof VariegateError)) throw error;
    return { missing: [problemIn(path, error)], memory: null };
  }
}

/** Named pairs are told by the size of their base's UNet; a row is rounded to three digits. */
const ROUNDED = 0.003;

async function pairsOf(parameters: number, path: string): Promise<string[]> {
  const found: string[] = [];
  for (const row of PAIRS) {
    const size = row.parameters ?? (await ownSize(row));
    const itself = row.parameters === null && resolveReference(row.distilled) === path;
    if (itself || (size !== null && Math.abs(size - parameters) <= ROUNDED * size)) found.push(row.name);
  }
  return found;
}

/** Parameters of the UNet of a pair that ships with the package. */
async function ownSize(row: PairRow): Promise<number | null> {
  const unet = (await openCheckpoint(resolveReference(row.base))).components.get("unet");
  return unet ? summary(await unet.weights()).parameters : null;
}

/** Of an adapter or a textual-inversion embedding: pairs over the family that it was made for. */
const pairsLike = ({ family }: Subject): string[] =>
  family === null
    ? []
    : PAIRS.filter((row) => row.parameters === FAMILIES[family].parameters.denoiser).map((row) => row.name);

type Parts = ReadonlyMap<Part, () => Promise<WeightIndex>>;

const modelParts = (components: readonly Component[]): Parts =>
  new Map(
    components.flatMap(({ name, className, weights }) => {
      const part = className === "UNet2DConditionModel" ? "unet" : name;
      return part === "unet" || part === "text_encoder" || part === "text_encoder_2" ? [[part, weights] as const] : [];
    }),
  );

/** Those that were named, those that ship with the package, and those of the trees that were given. */
async function adaptersFor(parts: Parts, request: CheckRequest): Promise<FitReport[]> {
  const named = await Promise.all(
    (request.adapters ?? []).map(async (ref) => ({ ref, path: await locate(ref, "adapter", request) })),
  );
  const shipped = EMBEDDED_ADAPTERS.flatMap((folder) => {
    const dir = resolveReference(folder);
    return existsSync(dir) ? readdirSync(dir).map((f) => ({ ref: `${folder}/${f}`, path: pathOf.join(dir, f) })) : [];
  });
  const compare = fitting(await layersIn({ parts }));
  const reports: FitReport[] = [];
  for (const { ref, path } of [...named, ...shipped, ...(await modelsIn(["adapter"], request))]) {
    const report = await fitOf(ref, path, compare);
    // What ships with the package and was not asked for is of no interest where it does not fit.
    const asked = !shipped.some((s) => s.ref === ref) || request.adapters?.includes(ref);
    const twice = reports.some((r) => r.ref === ref);
    if (report && !twice && (report.fits || asked)) reports.push(report);
  }
  return reports;
}

/** The models that an adapter may be for. */
async function modelsFor(tensors: WeightIndex, request: CheckRequest): Promise<FitReport[]> {
  const given =
    request.base === undefined ? [] : [{ ref: request.base, path: await locate(request.base, "pipeline", request) }];
  const own = { ref: "embedded:base", path: resolveReference("embedded:base") };
  const others = await modelsIn(["checkpoint", "diffusers", "unet"], request);
  const reports: FitReport[] = [];
  for (const { ref, path } of [...given, own, ...others]) {
    try {
      const parts = modelParts([...(await openCheckpoint(path)).components.values()]);
      const { fits, why } = said(fitting(await layersIn({ parts }))(shapesOf(tensors.weights)));
      if (fits || ref !== own.ref || given.length + others.length === 0) reports.push({ ref, fits, why });
    } catch (error) {
      if (!(error instanceof VariegateError)) throw error;
      if (given.some((g) => g.ref === ref)) throw error;
    }
  }
  return reports;
}

const modelsIn = async (categories: readonly Category[], { modelFolders = [] }: CheckRequest) =>
  (await listModels(modelFolders, categories)).map(({ name, path }) => ({ ref: name, path }));

/** Null for what is no adapter. */
async function fitOf(ref: string, path: string, compare: ReturnType<typeof fitting>): Promise<FitReport | null> {
  try {
    const { index, recognised } = await readRecognised(await openFile(await adapterFile(path)));
    if (recognised.kind === "textual inversion") return null;
    if (recognised.kind !== "adapter") return { ref, fits: false, why: `is ${recognised.about}` };
    return { ref, ...said(compare(shapesOf(index.weights))) };
  } catch (error) {
    if (!(error instanceof VariegateError)) throw error;
    return { ref, fits: false, why: problemIn(path, error) };
  }
}

function said({ keys, matched, layers, of, wrong, fits }: ReturnType<ReturnType<typeof fitting>>): {
  fits: boolean;
  why: string;
} {
  if (wrong) {
    const [has, asks] = [wrong.shape, wrong.expected].map((s) => `[${s.join(", ")}]`);
    return { fits, why: `made for another model: ${wrong.key} is ${has} where the layer asks for ${asks}` };
  }
  if (matched === 0) return { fits, why: `made for another model: none of its ${keys} keys is a layer of this one` };
  if (!fits) return { fits, why: `${matched} of its ${keys} keys belong to this model` };
  return { fits, why: `changes ${layers} of ${of} layers` };
}
