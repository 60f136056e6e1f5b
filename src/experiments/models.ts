/** Cache of the models and instruments of an experiment's rows. */
import { RequestError } from "../errors.js";
import type { Evaluator } from "../evaluation/index.js";
import { hashBlocks } from "../files/index.js";
import { callsPerImage, planFor } from "../generate/index.js";
import type { DownloadOptions } from "../hub/index.js";
import type { InceptionInstrument, Instrument } from "../instruments/index.js";
import { locate, locateByName } from "../lookup/index.js";
import {
  argumentsOf,
  type OpenedPair,
  openDreamSim,
  openEvaluator,
  openInception,
  openPair,
  type PairReference,
  promptLoras,
} from "../open/index.js";
import type { RuntimeOptions } from "../runtime/index.js";
import type { RgbImage } from "../tensor/index.js";
import type { Origin } from "./cell.js";
import { type Definition, type ExperimentRow, promptSeeds, samplingOf } from "./definition.js";
import { fingerprintOf } from "./fingerprint.js";

/** References to models and instruments. */
export interface ModelRequest extends PairReference, RuntimeOptions {
  /** CLIPModel folder; default: the pair's. */
  readonly clip?: string;
  /** DreamSim, for dreamsim-distance. */
  readonly dreamsim?: string;
  /** Inception-v3, for fid. */
  readonly inception?: string;
}

export interface Models {
  readonly pair: OpenedPair;
  readonly evaluator: Evaluator;
  readonly dreamsim: Instrument | null;
  readonly inception: InceptionInstrument | null;
  readonly fingerprint: string;
  /** Names of the rows that have generated an image. The first calls of a network are slower. */
  readonly warm: Set<string>;
}

/** Opened models, by row. */
export interface ModelCache {
  modelsOf(row: ExperimentRow): Promise<Models>;
  close(): Promise<void>;
}

/** Creates a cache that opens models when a row first needs them. */
export function openModelCache(request: ModelRequest, fetching: DownloadOptions): ModelCache {
  const { pair: _pair, base: _base, distilled: _distilled, ...others } = request;
  const opened = new Map<string, Promise<Models>>();
  return {
    modelsOf({ models }) {
      const key = JSON.stringify(models ?? null);
      // A distilled model alone is one for the base of the request.
      const rest = models?.pair === undefined && models?.base === undefined ? request : others;
      const known = opened.get(key) ?? openModels({ ...rest, ...models }, fetching);
      opened.set(key, known);
      return known;
    },
    async close() {
      for (const result of await Promise.allSettled(opened.values())) {
        if (result.status === "fulfilled") await result.value.pair.close();
      }
    },
  };
}

/** Opens models and instruments. Networks load on their first run. @throws RequestError without a CLIP */
export async function openModels(request: ModelRequest, fetching: DownloadOptions = {}): Promise<Models> {
  const pair = await openPair(argumentsOf({ ...request, ...fetching }));
  try {
    const evaluator = await openEvaluator(pair, request.clip);
    if (!evaluator) throw new RequestError("an experiment needs CLIP features: name a CLIPModel folder with --clip");
    const { lookup } = pair;
    const { runtime } = pair.engine;
    const dreamsim = request.dreamsim === undefined ? null : await openDreamSim(request.dreamsim, runtime, lookup);
    const inception =
      request.inception === undefined ? null : await openInception(request.inception, runtime, "tensorflow", lookup);
    const tools = [dreamsim, inception].flatMap((i) => i?.facts.weights.map((w) => w.sha256) ?? []);
    const words = [];
    for (const { ref, token } of request.embeddings ?? []) {
      words.push(`${token} ${await hashBlocks([await locate(ref, "textual inversion", lookup)])}`);
    }
    return {
      pair,
      evaluator,
      dreamsim,
      inception,
      fingerprint: await fingerprintOf(pair, evaluator, [...tools, ...words]),
      warm: new Set(),
    };
  } catch (error) {
    await pair.close();
    throw error;
  }
}

/**
 * Origin of a row's images.
 * @param definition the prompts, and the number of images of each
 * @throws RequestError if the row cannot be sampled
 */
export async function originOf(
  { pair, fingerprint }: Models,
  row: ExperimentRow,
  definition: Pick<Definition, "prompts" | "seeds">,
): Promise<Origin> {
  const plan = planFor(pair, samplingOf(row, definition.seeds));
  const steps = plan.rows.filter((r) => r.kind === "step");
  const { promptSyntax = "plain" } = row.sampling;
  const prompts = promptSeeds(definition).flatMap(([first]) => first?.prompt ?? []);
  const loras = [
    ...(row.adapter ? [await locate(row.adapter.ref, "adapter", pair.lookup)] : []),
    ...(await Promise.all(
      [...promptLoras({ prompts, promptSyntax })].map((l) => locateByName(l, "adapter", pair.lookup)),
    )),
  ];
  const adapter = loras.length > 0 ? await hashBlocks(loras) : "";
  return { plan, steps: steps.length, calls: callsPerImage(pair, plan), weights: `${fingerprint} ${adapter}` };
}

/** Features of images by instrument, without the attribute classifier. */
export async function featuresOf(
  { evaluator, dreamsim, inception }: Models,
  images: readonly RgbImage[],
): Promise<Record<string, Float32Array[]>> {
  const read = inception && (await inception.read(images));
  return {
    clip: await evaluator.clip.images(images),
    ...(dreamsim && { dreamsim: await dreamsim.features(images) }),
    ...(read && { inception: read.map((r) => r.features), "inception-logits": read.map((r) => r.logits) }),
  };
}
