/** Opens a pair of models in a page: finds its files, reads and checks them, binds them to ONNX Runtime in a worker. */
import type { Adapter } from "../adapters/index.js";
import {
  type BoundPair,
  bindParts,
  openAdapterAt,
  openClipAt,
  openTextualInversionsAt,
  type PairParts,
  readParts,
} from "../assembly/index.js";
import { EMBEDDED_PAIRS, type PairRow } from "../catalogue/index.js";
import { deriveInMemory } from "../checkpoint/index.js";
import { MachineError, RequestError } from "../errors.js";
import { type AdapterUse, openUses } from "../generate/index.js";
import { type Compute, mustCompute } from "../networks/index.js";
import { openRuntime, webGpuAdapter } from "../runtime/web/index.js";
import { EMBEDDED_FILES } from "./embedded.js";
import { type WebFiles, webFiles } from "./file-system.js";
import { type Locate, locator } from "./locate.js";
import { computeThatFits, defaultBudget } from "./memory.js";
import type { ModelReference, WebOptions, WebPairReference } from "./reference.js";

/** A pair that generates in this page. */
export interface WebPair extends BoundPair {
  readonly row: PairRow | null;
  /** Adds a file of the user, which requests then name by the returned reference. Its bytes stay in the file. */
  addFile(file: File): string;
  /** Adapters that a request may name: embedded ones, and files of the user. */
  readonly adapterNames: readonly string[];
}

/**
 * Precision on WebGPU: the asked one, else float16 where the adapter has it, else float32.
 * @throws MachineError when there is no adapter, or it does not compute in the asked one
 */
async function computeOnWebGpu(asked: Compute | undefined): Promise<Compute> {
  const { float16 } = await webGpuAdapter();
  if (asked === "float16" && !float16) {
    throw new MachineError("this graphics adapter does not compute in float16: it lacks shader-f16\nleave out compute");
  }
  return asked ?? (float16 ? "float16" : "float32");
}

/** Row of the named pair; null for a reference that names models. @throws RequestError for another name */
function rowOf({ pair, base }: WebPairReference): PairRow | null {
  if (pair === undefined && base !== undefined) return null;
  const row = EMBEDDED_PAIRS.find(({ name }) => name === (pair ?? "embedded"));
  if (row) return row;
  const known = EMBEDDED_PAIRS.map(({ name }) => name).join(", ");
  throw new RequestError(`pair ${pair}: expected one of ${known}; name other models as base and distilled`, {
    field: "pair",
  });
}

/**
 * Opens a pair. Configs and weight headers are read and checked now; networks load when a run first needs them.
 * @throws FileError, UnsupportedConfigError when a part cannot be used; RequestError when the parts do not fit together; MachineError when
 * there is no space for a download, the weights do not fit WebAssembly, or the browser has no WebGPU
 * @example
 * const pair = await openPair({ embedded: "/models/embedded/" });
 * for await (const event of generate(pair, { prompts: ["a cartoon character"], seeds: [0, 1, 2, 3] })) {
 *   if (event.type === "image") draw(event.seed, event.image);
 * }
 */
export async function openPair(reference: WebPairReference & WebOptions = {}): Promise<WebPair> {
  const { device = "cpu", memoryBudget = defaultBudget(), onPrepare } = reference;
  mustCompute(reference.compute ?? "float32", device);
  const onWebGpu = device === "webgpu" ? await computeOnWebGpu(reference.compute) : null;
  const row = rowOf(reference);
  const files = filesOf(reference);
  for (const file of reference.files ?? []) give(files, file);
  const locate = locator(files, reference);
  const { threads, runtime: runtimeFiles } = reference;
  // ONNX Runtime loads while the models do.
  const runtime = openRuntime({ device, ...(threads && { threads }), ...(runtimeFiles && { files: runtimeFiles }) });
  try {
    const parts = await readReferenced(files, locate, row, reference);
    // A graphics card has memory of its own, whose size browsers do not tell.
    const compute = onWebGpu ?? (await computeThatFits(parts, reference.compute, memoryBudget));
    const open = adapterOpener(files, locate, parts);
    const bound = await bindParts(parts, await additionsOf(files, locate, parts, open, reference), runtime, {
      ...{ compute, memoryBudget, onPrepare },
      derive: deriveInMemory,
      openAdapter: open,
      clip: async ({ runtime: own }) => (row?.clip ? openClipAt(files, { ref: row.clip, path: row.clip }, own) : null),
    });
    return {
      ...bound,
      row,
      addFile: (file) => give(files, file),
      get adapterNames() {
        return locate.adapterNames();
      },
    };
  } catch (error) {
    await runtime.close();
    throw error;
  }
}

const filesOf = ({ embedded = "embedded/", vocabulary, signal, onDownload }: WebOptions): WebFiles =>
  webFiles({
    embedded: new URL(embedded, self.location.href).href,
    vocabulary: new URL(vocabulary ?? "bpe_simple_vocab_16e6.txt.gz", self.location.href).href,
    signal,
    onDownload,
  });

/** Adds a file of the user under its name, or the next free one. Returns its reference. */
function give(files: WebFiles, file: File): string {
  const { given } = files;
  for (const [name, other] of given) if (other === file) return name;
  const [, stem = "", ending = ""] = /^(.*?)(\.[^.]*)?$/s.exec(file.name) ?? [];
  let name = file.name;
  for (let i = 2; given.has(name); i++) name = `${stem}-${i}${ending}`;
  given.set(name, file);
  return name;
}

const refOf = (files: WebFiles, model: ModelReference): string =>
  typeof model === "string" ? model : give(files, model);

async function readReferenced(
  files: WebFiles,
  locate: Locate,
  row: PairRow | null,
  reference: WebPairReference,
): Promise<PairParts> {
  const place = async (model: ModelReference, kind: Parameters<Locate["path"]>[1]) => {
    const ref = refOf(files, model);
    return { ref, path: await locate.path(ref, kind) };
  };
  const base = await place(reference.base ?? row?.base ?? "", "pipeline");
  const distilledRef = reference.distilled ?? (reference.base === undefined ? row?.distilled : undefined);
  const distilled = distilledRef === undefined ? null : await place(distilledRef, "unet");
  for (const { path } of [base, ...(distilled ? [distilled] : [])]) {
    const folder = path.replace(/^embedded:/, "");
    if (folder === path) continue;
    const own = EMBEDDED_FILES.filter((file) => file === folder || file.startsWith(`${folder}/`));
    files.prefetch(own.map((file) => `embedded:${file}`));
  }
  const textEncoders: string[] = [];
  for (const model of reference.textEncoders ?? []) textEncoders.push((await place(model, "text encoder")).path);
  const decoder = reference.decoder === undefined ? null : (await place(reference.decoder, "autoencoder")).path;
  return readParts(files, { row, base, distilled, textEncoders, decoder });
}

type OpenAdapter = BoundPair["openAdapter"];

/** Opens adapters once. Failures are not kept. */
function adapterOpener(files: WebFiles, locate: Locate, parts: PairParts): OpenAdapter {
  const opened = new Map<string, Promise<Adapter>>();
  return async (ref, { allowUnmatched = false } = {}) => {
    const key = JSON.stringify([ref, allowUnmatched]);
    const known = opened.get(key);
    if (known) return known;
    const path = await locate.path(ref, "adapter");
    const adapter = openAdapterAt(files, parts, { ref, path }, { allowUnmatched });
    opened.set(key, adapter);
    adapter.catch(() => opened.delete(key));
    return adapter;
  };
}

async function additionsOf(
  files: WebFiles,
  locate: Locate,
  parts: PairParts,
  open: OpenAdapter,
  { adapters = [], embeddings = [] }: WebPairReference,
) {
  const { distilled, textEncoders } = parts;
  const lora = distilled?.isLora
    ? await openAdapterAt(
        files,
        parts,
        { ref: distilled.ref, path: await locate.path(distilled.ref, "unet") },
        { only: "unet" },
      )
    : null;
  const uses: AdapterUse[] = await openUses(
    open,
    adapters.map(({ ref, ...use }) => ({ ...use, ref: refOf(files, ref) })),
  );
  const places = [];
  for (const { ref: model, token } of embeddings) {
    const ref = refOf(files, model);
    places.push({ ref, token, path: await locate.path(ref, "textual inversion") });
  }
  const widths = textEncoders.map(({ config }) => config.features);
  return { lora, adapters: uses, embeddings: await openTextualInversionsAt(files, places, widths) };
}
