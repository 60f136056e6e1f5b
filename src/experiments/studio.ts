/** The models and instruments of an experiment's rows, opened once, and the painting of a cell with them. */
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { decodeLatents } from "../decode/index.js";
import { RequestError } from "../errors.js";
import { openScorer, type Scorer } from "../evaluation/index.js";
import { readAll } from "../files/index.js";
import { type GenerateRequest, generate, planFor } from "../generate/index.js";
import type { Fetching } from "../hub/index.js";
import { type Factors, filesOf } from "../instruments/index.js";
import { locate } from "../lookup/index.js";
import { cosineDistance } from "../metrics/index.js";
import { type OpenedPair, openDreamSim, openInception, openPair, type PairReference } from "../open/index.js";
import type { RuntimeOptions } from "../runtime/index.js";
import { isGuided } from "../sampling/index.js";
import { type FloatTensor, type RgbImage, stack } from "../tensor/index.js";
import type { Cell, Origin } from "./cell.js";
import type { ExperimentRow } from "./definition.js";
import { type CellResult, packed } from "./store.js";

/** Which models, and what looks at their pictures. */
export interface StudioRequest extends PairReference, RuntimeOptions {
  /** A CLIPModel folder; default: the pair's own. */
  readonly clip?: string;
  /** DreamSim, for dreamsim-distance. */
  readonly dreamsim?: string;
  /** Inception-v3, for fid. */
  readonly inception?: string;
}

export interface Studio {
  readonly pair: OpenedPair;
  readonly scorer: Scorer;
  /** Factors that a prompt names; null without a judge. */
  readonly named: ((prompt: string) => Factors) | null;
  originOf(row: ExperimentRow): Promise<Origin>;
  /** Features of pictures by every instrument. */
  look(images: readonly RgbImage[]): Promise<Record<string, Float32Array[]>>;
  paint(cell: Cell, o: PaintOptions): Promise<Painting>;
  /** Milliseconds of one model call in a full batch, the decoding of a picture's share with it. */
  pace(row: ExperimentRow, prompt: string, signal?: AbortSignal): Promise<number>;
  close(): Promise<void>;
}

export interface PaintOptions {
  readonly workers: number;
  readonly signal?: AbortSignal;
  /** Model calls done since the last time. */
  readonly onCalls?: (calls: number) => void;
}

export interface Painting {
  readonly result: CellResult;
  /** The first few pictures. */
  readonly samples: readonly RgbImage[];
}

const SAMPLES = 8;

/** Opens models and instruments; nothing is loaded before it is used. @throws RequestError without a CLIP to look with */
export async function openStudio(request: StudioRequest, fetching: Fetching = {}): Promise<Studio> {
  const pair = await openPair(request, { ...request, ...fetching });
  try {
    const scorer = await openScorer(pair, request.clip);
    if (!scorer) throw new RequestError("an experiment needs a CLIP to look with: name a CLIPModel folder with --clip");
    const { runtime } = pair.engine;
    const dreamsim =
      request.dreamsim === undefined ? null : await openDreamSim(request.dreamsim, runtime, pair.sources);
    const inception =
      request.inception === undefined
        ? null
        : await openInception(request.inception, runtime, "tensorflow", pair.sources);
    const tools = [dreamsim, inception].flatMap((i) => i?.facts.weights.map((w) => w.sha256) ?? []);
    const models = await fingerprintOf(pair, await scorer.files(), tools);
    const adapterOf = ({ adapter }: ExperimentRow) => (adapter ? [adapter] : []);
    const look: Studio["look"] = async (images) => {
      const read = inception && (await inception.read(images));
      return {
        clip: await scorer.features(images),
        ...(dreamsim && { dreamsim: await dreamsim.features(images) }),
        ...(read && { inception: read.map((r) => r.features), "inception-logits": read.map((r) => r.logits) }),
      };
    };
    const warm = new Set<string>();
    return {
      pair,
      scorer,
      named: scorer.named,
      look,
      async originOf(row) {
        const plan = planFor(pair, row.sampling);
        const steps = plan.rows.filter((r) => r.kind === "step");
        const twice = steps.filter((r) => isGuided(r) && !pair[r.model]?.embedsGuidance);
        const calls = steps.length + twice.length;
        const own = row.adapter ? await fingerprint([await locate(row.adapter.ref, "adapter", pair.sources)]) : "";
        return { plan, steps: steps.length, calls, weights: `${models} ${own}` };
      },
      async paint(cell, o) {
        const { row } = cell;
        const request = { ...requestOf(cell), adapters: adapterOf(row) };
        if (!warm.has(row.name)) {
          const one = requestOf({ ...cell, sittings: cell.sittings.slice(0, 1) });
          await paintAll(pair, { ...one, adapters: request.adapters }, false, {});
          warm.add(row.name);
        }
        const painted = await paintAll(pair, request, row.follow, o, cell.calls / (cell.sittings.length * cell.steps));
        const reading = await scorer.read(painted.images, request.prompts);
        const features = await look(painted.images.flat());
        if (reading.factors) features["judge"] = reading.factors.features.flat();
        const factors = reading.factors?.read.flat();
        const numbers = reading.factors?.measured.flat();
        const curves = row.follow ? await curvesOf(pair, scorer, painted, features["clip"] ?? []) : null;
        const pictures = painted.seeds.map(({ prompt, seed }, i) => ({
          prompt,
          seed,
          features: Object.fromEntries(
            Object.entries(features).map(([name, f]) => [name, packed(f[i] ?? new Float32Array())]),
          ),
          factors: factors?.[i] ? { ...factors[i] } : null,
          numbers: numbers?.[i] ? { ...numbers[i] } : null,
          curve: curves?.[i] ?? null,
        }));
        const { calls, milliseconds, timesteps } = painted;
        return {
          result: { cell: cell.id, calls, milliseconds, workers: o.workers, timesteps, pictures },
          samples: painted.images.flat().slice(0, SAMPLES),
        };
      },
      async pace({ sampling: { mode, size } }, prompt, signal) {
        const seeds = Array.from({ length: 16 }, (_, i) => i);
        const steps = mode === "hybrid" ? 2 : 1;
        const request = { mode, steps, guidance: 0, prompts: [prompt], seeds, ...(size && { size }) };
        // The first run loads and warms up.
        const runs = [seeds.slice(0, 1), seeds].map((some) => ({ ...request, seeds: some }));
        let painted: PaintedCell | undefined;
        for (const run of runs) painted = await paintAll(pair, run, false, signal ? { signal } : {});
        return painted ? painted.milliseconds / painted.calls : 0;
      },
      close: () => pair.close(),
    };
  } catch (error) {
    await pair.close();
    throw error;
  }
}

/** What `generate` is asked for. */
function requestOf({ row, sittings }: Cell): GenerateRequest {
  const prompts = [...new Set(sittings.map((s) => s.prompt))];
  const seeds = [...new Set(sittings.map((s) => s.seed))];
  const samples = sittings.map(({ prompt, seed }) => ({ prompt: prompts.indexOf(prompt), seed }));
  return { ...row.sampling, prompts, seeds, samples };
}

interface PaintedCell {
  /** By prompt. */
  readonly images: readonly (readonly RgbImage[])[];
  /** Of images.flat(). */
  readonly seeds: readonly { readonly prompt: string; readonly seed: number }[];
  /** x0 of each of them at every step, where followed. */
  readonly followed: readonly (readonly FloatTensor[])[];
  readonly timesteps: number[];
  readonly calls: number;
  readonly milliseconds: number;
}

async function paintAll(
  pair: OpenedPair,
  request: GenerateRequest,
  follow: boolean,
  { signal, onCalls }: Partial<PaintOptions>,
  callsPerStep = 1,
): Promise<PaintedCell> {
  const made = request.prompts.map(() => [] as { image: RgbImage; seed: number; x0: FloatTensor[] }[]);
  const x0 = new Map<string, FloatTensor[]>();
  const timesteps: number[] = [];
  let [calls, loading] = [0, 0];
  const start = performance.now();
  for await (const event of generate(pair, request, signal)) {
    if (event.type === "loaded") loading += event.milliseconds;
    if (event.type === "step") {
      if (timesteps.length === event.step) timesteps.push(event.timestep);
      const key = `${event.prompt} ${event.seed}`;
      if (follow) x0.set(key, [...(x0.get(key) ?? []), event.x0]);
      onCalls?.(callsPerStep);
    }
    if (event.type === "image") {
      const { image, prompt, seed } = event;
      made[prompt]?.push({ image, seed, x0: x0.get(`${prompt} ${seed}`) ?? [] });
    }
    if (event.type === "done") calls = event.calls;
  }
  const milliseconds = performance.now() - start - loading;
  return {
    images: made.map((own) => own.map((m) => m.image)),
    seeds: made.flatMap((own, p) => own.map((m) => ({ prompt: request.prompts[p] ?? "", seed: m.seed }))),
    followed: made.flatMap((own) => own.map((m) => m.x0)),
    timesteps,
    calls,
    milliseconds,
  };
}

/** CLIP distance of every x0 to the picture that it became. */
async function curvesOf(
  pair: OpenedPair,
  scorer: Scorer,
  { followed }: PaintedCell,
  finals: readonly Float32Array[],
): Promise<number[][]> {
  const curves: number[][] = [];
  for (const [i, steps] of followed.entries()) {
    const shown = await decodeLatents(pair.decoder, stack(steps), pair.engine);
    const seen = await scorer.features(shown);
    curves.push(seen.map((f) => cosineDistance(f, finals[i] ?? f)));
  }
  return curves;
}

/** A hash of all that the pair's pictures, and what is seen of them, follow from. */
async function fingerprintOf(pair: OpenedPair, seenBy: readonly string[], tools: readonly string[]): Promise<string> {
  const files = new Set(seenBy);
  const sources = [...pair.parts.values(), pair.decoder.weights, pair.distilled?.weights];
  for (const weights of sources) {
    if (weights) for (const file of filesOf(await weights())) files.add(file);
  }
  const own = pair.distilled?.lora ? [pair.distilled.ref] : [];
  for (const ref of [...own, ...pair.adapters.map((use) => use.adapter.file)]) {
    files.add(await locate(ref, "adapter", pair.sources));
  }
  const scales = pair.adapters.map((use) => use.scale);
  // float32 is what a fingerprint without a word about it means.
  const computed = pair.engine.compute === "float32" ? [] : [pair.engine.compute];
  const text = JSON.stringify([
    pair.base.denoiser.config,
    pair.distilled?.denoiser.config,
    pair.decoder.config,
    scales,
    tools,
    ...computed,
  ]);
  return `${await fingerprint([...files])} ${createHash("sha256").update(text).digest("hex").slice(0, 16)}`;
}

const [BLOCK, BLOCKS] = [64 * 1024, 256];

/** A hash of files: all of a small one; of a large one its length and 256 blocks spread over it, which tells two trainings apart in a moment. */
async function fingerprint(files: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  for (const file of files) {
    const handle = await open(file, "r");
    try {
      const { size } = await handle.stat();
      hash.update(`${size}`);
      const step = Math.max(BLOCK, Math.floor(size / BLOCKS));
      const block = Buffer.alloc(BLOCK);
      for (let at = 0; at < size; at += step) {
        hash.update(block.subarray(0, await readAll(handle, block, at)));
      }
    } finally {
      await handle.close();
    }
  }
  return hash.digest("hex").slice(0, 16);
}
