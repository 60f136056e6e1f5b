/** Runs a measurement: opens the instruments of a request, reads the folders, and measures each. */
import type { PairRow } from "../catalogue/index.js";
import { readPairs } from "../catalogue/node/index.js";
import { RequestError } from "../errors.js";
import type { DownloadOptions } from "../hub/index.js";
import { filesOf, type Instrument, type InstrumentFacts } from "../instruments/index.js";
import type { SearchPath } from "../lookup/index.js";
import { type Compute, mustCompute, productsOn } from "../networks/index.js";
import {
  hashed,
  type InstrumentOptions,
  openClassifier,
  openClip,
  openDino,
  openDreamSim,
  openInception,
  openLpips,
  type PairReference,
} from "../open/index.js";
import type { Runtime, RuntimeOptions } from "../runtime/index.js";
import { openRuntime } from "../runtime/node/index.js";
import { counted, plainProduct, type WeightIndex } from "../tensor/index.js";
import { type AttributeRequest, attributesFor } from "./attribute-request.js";
import { embeddedAttributes, readAttributes } from "./attributes.js";
import { type ImageFolder, readFolder } from "./folder.js";
import { type Instruments, measureFolder, workOf } from "./folder-measures.js";
import { readPrompts } from "./prompts.js";
import type { FolderMeasures } from "./result.js";
import type { SelfCheck } from "./self-check.js";
import { withShares } from "./share.js";

/** Models of the images, for the self-check of attributes. */
type ModelReference = Pick<PairReference, "pair" | "pairs" | "base" | "distilled">;

/** Compute types of the networks that read images. */
export const MEASURE_COMPUTES = ["float32", "bfloat16"] as const satisfies readonly Compute[];

export interface MeasureRequest extends SearchPath, AttributeRequest, ModelReference {
  readonly folders: readonly string[];
  /** Images of the base model for the same prompts: measures are also given as a share of theirs. */
  readonly baseImages?: string;
  readonly reference?: string;
  /** List of prompts, for images without metadata. */
  readonly prompts?: string;
  /** CLIPModel folder; default: that of the images' pair where it has one of its own, else the embedded one. */
  readonly clip?: string;
  readonly dino?: string;
  readonly dreamsim?: string;
  readonly lpips?: string;
  readonly inception?: string;
  /** Compute type of the networks that read images, but the attribute classifier's. Default: float32. */
  readonly compute?: (typeof MEASURE_COMPUTES)[number];
  /** Number of neighbours for precision, recall, density and coverage. Default 5. */
  readonly neighbours?: number;
  readonly skipBad?: boolean;
}

export interface Measurement {
  readonly instruments: readonly InstrumentFacts[];
  readonly folders: readonly { readonly measured: FolderMeasures; readonly images: ImageFolder }[];
  /** Result of the self-check of attributes; null without one. */
  readonly selfCheck: SelfCheck | null;
  /** Notes on the measurement, and options for further measures. */
  readonly notes: readonly string[];
}

export interface MeasureProgress extends DownloadOptions {
  /** Called with the number of images done, the total, and a label. */
  readonly onProgress?: (done: number, total: number, what: string) => void;
  /** Called with messages for the user, such as the cost of a self-check. */
  readonly onMessage?: (text: string) => void;
  /** Called after the request has been checked, before the first measure. */
  readonly onReady?: () => Promise<void>;
}

const EMBEDDED = { clip: "embedded:clip", judge: "embedded:judge" };
/** Width and height of the images that attribute classifiers of pairs are trained on. */
const CLASSIFIED = 64;

/** Measures folders of images. @throws RequestError, FileError before the first measure, for an invalid request */
export async function measure(
  request: MeasureRequest,
  options: RuntimeOptions = {},
  { onProgress, onMessage, onReady, signal, onDownload }: MeasureProgress = {},
): Promise<Measurement> {
  const compute = request.compute ?? "float32";
  mustCompute(compute, options.device ?? "cpu", MEASURE_COMPUTES);
  const prompts = request.prompts === undefined ? undefined : await readPrompts(request.prompts);
  const given = request.attributes === undefined ? null : await readAttributes(request.attributes);
  const shared = {
    ...(request.skipBad && { skipBad: true }),
    ...(signal && { signal }),
    onImage: (done: number, total: number) => onProgress?.(done, total, "reading images"),
  };
  const folders: ImageFolder[] = [];
  for (const folder of request.folders)
    folders.push(await readFolder(folder, { ...shared, ...(prompts && { prompts }) }));
  const reference = request.reference === undefined ? undefined : await readFolder(request.reference, shared);
  const base =
    request.baseImages === undefined
      ? undefined
      : await readFolder(request.baseImages, { ...shared, ...(prompts && { prompts }) });
  for (const folder of folders) checkCounts(folder, reference, request.neighbours ?? 5);

  const own = ownInstruments(folders, await readPairs(request.pairs));
  const embedded = own?.judge === EMBEDDED.judge;
  const runtime = openRuntime(options);
  try {
    const lookup = {
      ...(request.modelFolders && { modelFolders: request.modelFolders }),
      ...(request.variant && { variant: request.variant }),
      ...(onDownload && { onDownload }),
      ...(signal && { signal }),
    };
    const instruments = await openAll(request, runtime, own, { ...lookup, precision: { compute } });
    const { attributes, predictors, check, notes } = await attributesFor(
      given ?? (embedded && request.clip === undefined ? await embeddedAttributes() : []),
      [...new Set(folders.flatMap(({ groups }) => groups.map((g) => g.prompt)))],
      instruments.clip.network,
      modelOf(request, own) && { ...options, ...lookup, ...modelOf(request, own) },
      {
        ...(request.selfCheck !== undefined && { selfCheck: request.selfCheck }),
        ...(onMessage && { onMessage }),
        ...(signal && { signal }),
        onProgress: (done, total, attribute) => onProgress?.(done, total, `self-check: ${attribute}`),
      },
    );
    const opened: Instruments = {
      ...instruments,
      attributes,
      predictors,
      // Double-precision products run on the CPU only.
      multiply: runtime.device === "cpu" ? productsOn(runtime) : plainProduct,
    };
    await onReady?.();
    const every = [...folders, ...(base ? [base] : [])];
    const total = every.reduce((n, { groups }) => n + workOf(opened, groups, reference), 0);
    let done = 0;
    const onImages = (read: number, what: string) => {
      done += read;
      onProgress?.(done, total, what);
    };
    const o = {
      onImages,
      ...(reference && { reference }),
      ...(signal && { signal }),
      ...(request.neighbours && { neighbours: request.neighbours }),
    };
    const ofBase = base && (await measureFolder(base, opened, o));
    const measured = [];
    for (const images of folders) {
      const own = await measureFolder(images, opened, o);
      measured.push({ measured: ofBase ? withShares(own, ofBase) : own, images });
    }
    const facts = [
      opened.clip?.facts,
      opened.classifier?.facts,
      ...opened.others.map((i) => i.facts),
      opened.inception?.facts,
      opened.inceptionClean?.facts,
    ];
    return {
      instruments: facts.filter((f) => f !== undefined),
      folders: measured,
      selfCheck: check,
      notes: [...notesOn(request, own !== null, attributes.length > 0 || check !== null), ...notes],
    };
  } finally {
    await runtime.close();
  }
}

/** Instruments of a pair whose attribute classifier is trained for its images. */
interface OwnInstruments {
  readonly pair: string;
  readonly clip: string;
  readonly judge: string;
}

/** Instruments of the pair, or of the pairs with the same ones, that made all images; null for other images. */
function ownInstruments(folders: readonly ImageFolder[], rows: readonly PairRow[]): OwnInstruments | null {
  const groups = folders.flatMap((folder) => folder.groups);
  const images = groups.flatMap((group) => group.images);
  if (groups.some((g) => g.promptSource !== "variegate")) return null;
  if (images.some(({ width, height }) => width !== CLASSIFIED || height !== CLASSIFIED)) return null;
  // Images without the name of a pair are by versions that had the embedded pair's size for themselves.
  const names = new Set(images.map(({ pair }) => (pair === undefined ? "embedded" : pair)));
  const found = [...names].map((name) => rows.find((row) => row.name === name));
  const [first] = found;
  if (!first?.judge || !first.clip || found.some((row) => row?.judge !== first.judge)) return null;
  return { pair: first.name, clip: first.clip, judge: first.judge };
}

/** Checks that folder and reference have enough images. @throws RequestError */
function checkCounts({ folder, groups }: ImageFolder, reference: ImageFolder | undefined, k: number): void {
  const count = (g: ImageFolder["groups"]) => g.reduce((n, { images }) => n + images.length, 0);
  const n = count(groups);
  if (n < 2) throw new RequestError(`${folder} holds one image; expected two or more`);
  const others = reference && count(reference.groups);
  if (reference && others !== undefined && others <= k) {
    throw new RequestError(
      `the reference ${reference.folder} holds ${counted(others, "image")}; ${counted(k, "neighbour needs", "neighbours need")} at least ${k + 1}`,
    );
  }
}

async function openAll(
  request: MeasureRequest,
  runtime: Runtime,
  own: OwnInstruments | null,
  options: InstrumentOptions,
): Promise<Omit<Instruments, "attributes" | "predictors" | "multiply"> & Required<Pick<Instruments, "clip">>> {
  const { precision: _, ...lookup } = options;
  const facts = async (
    name: string,
    network: string,
    i: { index: () => Promise<WeightIndex>; preparation: string },
  ) => ({
    name,
    network,
    weights: await hashed(filesOf(await i.index())),
    preparation: i.preparation,
  });
  const ref = request.clip ?? own?.clip ?? EMBEDDED.clip;
  const network = await openClip(ref, runtime, options);
  const clip = { network, facts: await facts("clip", `CLIP (${ref})`, network) };
  const classifier = own && (await openClassifier(own.judge, runtime, lookup));
  const about = `the attribute classifier of the pair ${own?.pair} (${own?.judge})`;
  const others: Instrument[] = [];
  if (request.dino !== undefined) others.push(await openDino(request.dino, runtime, options));
  if (request.dreamsim !== undefined) others.push(await openDreamSim(request.dreamsim, runtime, options));
  if (request.lpips !== undefined) others.push(await openLpips(request.lpips, runtime, options));
  const inception =
    request.inception === undefined ? null : await openInception(request.inception, runtime, "tensorflow", options);
  const clean =
    request.inception !== undefined && request.reference !== undefined
      ? await openInception(request.inception, runtime, "clean", options)
      : null;
  return {
    clip,
    ...(classifier && { classifier: { network: classifier, facts: await facts("classifier", about, classifier) } }),
    others,
    ...(inception && { inception }),
    ...(clean && { inceptionClean: clean }),
  };
}

/** The user's model: as named, or the pair with instruments of its own that made the images; null where none is known. */
function modelOf({ pair, pairs, base, distilled }: MeasureRequest, own: OwnInstruments | null): PairReference | null {
  if (pair === undefined && base === undefined && distilled === undefined)
    return own && { pair: own.pair, ...(pairs && { pairs }) };
  return { ...(pair && { pair }), ...(pairs && { pairs }), ...(base && { base }), ...(distilled && { distilled }) };
}

function notesOn(request: MeasureRequest, own: boolean, attributes: boolean): string[] {
  const notes: string[] = [];
  if (request.clip === undefined && !own) {
    notes.push(
      "The embedded CLIP is trained on cartoon characters of 64 pixels only; for other images name one with --clip.",
    );
  }
  const more = [
    [request.dreamsim, "--dreamsim for DreamSim distance"],
    [request.dino, "--dino for DINO distance"],
    [request.lpips, "--lpips for LPIPS"],
    [request.inception, "--inception for the Inception score, and with --reference FID and KID"],
    [request.reference, "--reference for precision, recall, density and coverage"],
    [attributes ? "" : undefined, "--attributes for semantic diversity"],
  ].flatMap(([given, option]) => (given === undefined && option !== undefined ? [option] : []));
  if (more.length > 0) notes.push(`Not measured: ${more.join("; ")}.`);
  return notes;
}
