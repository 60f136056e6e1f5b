/** The one loop that samples: a plan, encoded prompts and a generator for each seed go in, events come out. */

import type { Decoder, TileProgress } from "../decode/index.js";
import { floats } from "../networks/index.js";
import type { Model, Pair } from "../open/index.js";
import {
  advance,
  guide,
  initialLatents,
  isGuided,
  type ModelName,
  type Plan,
  type Row,
  type SolverState,
  type StepRow,
} from "../sampling/index.js";
import {
  createRng,
  type FloatTensor,
  float,
  type RgbImage,
  type Rng,
  sample,
  stack,
  type Tensor,
  toRgb,
} from "../tensor/index.js";
import { type Conditioning, guidanceEmbedding, slotScales } from "../text/index.js";
import { type AdapterUse, type Equipment, equip } from "./adapters.js";
import type { GenerateEvent, Picture } from "./events.js";
import { fitted } from "./memory.js";
import { type GenerateRequest, type Order, orderFor } from "./request.js";

/** A prompt as a model reads it, and what guidance pulls away from. */
interface Text {
  readonly prompted: Conditioning;
  readonly unprompted: Conditioning;
}

/** One picture on its way. */
interface Canvas extends Picture {
  readonly rng: Rng;
  xt: FloatTensor;
  state: SolverState;
  /** For each model of the plan. */
  readonly text: ReadonlyMap<ModelName, Text>;
}

/** What a run has spent so far. */
interface Meter {
  calls: number;
  encode: number;
  denoise: number;
  decode: number;
}

/**
 * Paints one picture for each prompt and seed. Pictures run in batches, and each has a generator of its own: a seed gives the same
 * picture alone or in company. Leaving the loop early, or `signal`, stops after the model call that is running.
 * @throws RequestError before anything is loaded; MachineError when a model cannot run; `signal.reason` when aborted
 */
export async function* generate(
  pair: Pair,
  request: GenerateRequest,
  signal?: AbortSignal,
): AsyncGenerator<GenerateEvent, void, undefined> {
  const { order, why } = await fitted(pair, orderFor(pair, request), request.memory);
  signal?.throwIfAborted();
  if (why.length > 0) yield { type: "fitted", memory: order.memory, batch: order.batch, why };
  const meter: Meter = { calls: 0, encode: 0, denoise: 0, decode: 0 };

  const start = performance.now();
  const cast = castOf(pair, order);
  const canvases: Canvas[] = [];
  for (const picture of order.pictures) {
    const canvas = await begin(pair, order, cast, picture);
    const first = canvases.every((c) => c.prompt !== picture.prompt);
    canvases.push(canvas);
    signal?.throwIfAborted();
    const [text] = canvas.text.values();
    if (first) yield { type: "encoded", prompt: picture.prompt, truncated: text?.prompted.truncated ?? 0 };
  }
  meter.encode = performance.now() - start;

  const sequential = order.memory === "sequential";
  if (sequential) {
    await pair.text.release();
    yield { type: "released", network: "text encoders" };
  }
  const batches = Array.from({ length: Math.ceil(canvases.length / order.batch) }, (_, i) =>
    canvases.slice(i * order.batch, (i + 1) * order.batch),
  );
  // One model after the other goes over all batches, or each batch goes through all models.
  for (const group of sequential ? [batches] : batches.map((batch) => [batch])) {
    for (const phase of phasesOf(order.plan)) {
      for (const batch of group) yield* denoise(pair, order, cast, phase, batch, meter, signal);
      if (!sequential) continue;
      await cast.network(phase.model).release();
      yield { type: "released", network: phase.model };
    }
    for (const batch of group) yield* decode(pair, batch, order.tile, meter, signal);
  }
  if (sequential) {
    await pair.decoder.network.release();
    yield { type: "released", network: "decoder" };
  }
  const { calls, ...milliseconds } = meter;
  yield { type: "done", images: order.pictures.length, calls, milliseconds };
}

/** Rows in a stretch that call one model, and the steps before them. */
interface Phase {
  readonly model: ModelName;
  readonly rows: readonly Row[];
  readonly before: number;
}

/** The rows of a plan, cut where the model changes; rows of noise go with what follows. */
function phasesOf({ rows }: Plan): Phase[] {
  const phases: { model: ModelName; rows: Row[]; before: number }[] = [];
  let noise: Row[] = [];
  let before = 0;
  for (const row of rows) {
    if (row.kind === "renoise") {
      noise.push(row);
      continue;
    }
    const last = phases.at(-1);
    if (last?.model === row.model) last.rows.push(...noise, row);
    else phases.push({ model: row.model, rows: [...noise, row], before });
    noise = [];
    before++;
  }
  phases.at(-1)?.rows.push(...noise);
  return phases;
}

/** Who plays each model: its network, and the adapters on it and on the text encoders that speak to it. */
interface Cast {
  network(model: ModelName): Model["network"];
  unet(model: ModelName): Equipment | null;
  text(model: ModelName): readonly (Equipment | null)[];
}

const TEXT_PARTS = ["text_encoder", "text_encoder_2"] as const;

function castOf(pair: Pair, order: Order): Cast {
  const lora = pair.distilled?.adapter;
  const acts = (model: ModelName) => (use: AdapterUse) => (use.on ?? "both") === "both" || use.on === model;
  const own: AdapterUse[] = lora ? [{ adapter: lora, on: "distilled" }] : [];
  const shared = order.memory === "shared";
  // With one set of weights both models carry the same stack, and what is not theirs has scale 0.
  const uses = (model: ModelName) =>
    shared ? [...own, ...order.adapters] : [...own, ...order.adapters].filter(acts(model));
  const equipped = (model: ModelName) => ({
    unet: equip("unet", uses(model), acts(model)),
    text: TEXT_PARTS.map((part) => equip(part, order.adapters.filter(acts(model)), () => true)),
  });
  const both = { base: equipped("base"), distilled: equipped("distilled") };
  return {
    network: (model) => modelOf(pair, shared ? "base" : model).network,
    unet: (model) => both[model].unet,
    text: (model) => both[model].text,
  };
}

/** The prompt, and what guidance pulls away from: the negative prompt, nothing (zeros), or an empty prompt. */
async function encodePrompt(pair: Pair, order: Order, cast: Cast, picture: Picture, model: ModelName): Promise<Text> {
  const row = order.plan.rows.findIndex((r) => r.kind === "step" && r.model === model);
  const adapted = cast.text(model).map((e) => e && { stack: e.stack, scales: e.scales(row, picture) });
  const prompted = await pair.text.encode(order.prompts[picture.prompt] ?? "", order.clipSkip, adapted);
  // As in diffusers, clip skip is for the prompt only.
  const unprompted =
    order.negative === null && pair.zeroNegative
      ? pair.text.zeros(prompted)
      : await pair.text.encode(order.negative ?? "", 0, adapted);
  return { prompted, unprompted };
}

async function begin(pair: Pair, order: Order, cast: Cast, picture: Picture): Promise<Canvas> {
  const { plan, width, height } = order;
  const text = new Map<ModelName, Text>();
  for (const { model } of phasesOf(plan)) {
    if (!text.has(model)) text.set(model, await encodePrompt(pair, order, cast, picture, model));
  }
  const rng = createRng(picture.seed);
  const noise = rng.randn([1, pair.base.unet.inChannels, height / pair.factor, width / pair.factor]);
  return { ...picture, text, rng, xt: initialLatents(plan, noise), state: undefined };
}

/** The rows of a phase over one batch. */
async function* denoise(
  pair: Pair,
  { plan, width, height }: Order,
  cast: Cast,
  phase: Phase,
  canvases: readonly Canvas[],
  meter: Meter,
  signal: AbortSignal | undefined,
): AsyncGenerator<GenerateEvent, void, undefined> {
  const total = plan.rows.filter((row) => row.kind === "step").length;
  const shape = { height: height / pair.factor, width: width / pair.factor, tokens: pair.tokens };
  let index = phase.before;
  for (const row of phase.rows) {
    if (row.kind === "renoise") {
      for (const c of canvases) c.xt = advance(row, { xt: c.xt, rng: c.rng, state: c.state }).xt;
      continue;
    }
    const stack = cast.unet(row.model)?.stack ?? null;
    const milliseconds = await cast.network(row.model).load(shape, stack);
    if (milliseconds > 0) yield { type: "loaded", network: row.model, milliseconds };
    signal?.throwIfAborted();
    const start = performance.now();
    const place = plan.rows.indexOf(row);
    const outputs = await predict(pair, row, canvases, { width, height, shape, cast, place });
    meter.denoise += performance.now() - start;
    meter.calls += outputs.calls;
    signal?.throwIfAborted();
    for (const [i, c] of canvases.entries()) {
      const xt = c.xt;
      const stepped = advance(row, { xt, output: sample(outputs.guided, i), rng: c.rng, state: c.state });
      c.xt = stepped.xt;
      c.state = stepped.state;
      const { prompt, seed } = c;
      const { model, timestep, from, to } = row;
      yield { type: "step", index, total, model, timestep, from, to, xt, x0: stepped.x0, next: c.xt, prompt, seed };
    }
    index++;
  }
}

function modelOf(pair: Pair, name: ModelName): Model {
  const model = pair[name];
  if (!model) throw new RangeError(`the plan names the ${name} model, which this pair does not have`);
  return model;
}

interface Situation {
  readonly cast: Cast;
  /** Place of the row in the plan. */
  readonly place: number;
  readonly width: number;
  readonly height: number;
  readonly shape: { readonly height: number; readonly width: number; readonly tokens: number };
}

/** One model call for the batch; with guidance above 1 the batch holds every picture twice, without its prompt first. */
async function predict(pair: Pair, row: StepRow, canvases: readonly Canvas[], s: Situation) {
  const model = modelOf(pair, row.model);
  // Guidance that is an input of the network needs no second forward.
  const twice = isGuided(row) && model.guidanceFeatures === null;
  const texts = (["unprompted", "prompted"] as const)
    .filter((which) => twice || which === "prompted")
    .flatMap((which) => canvases.flatMap((c) => c.text.get(row.model)?.[which] ?? []));
  const latents = canvases.map((c) => c.xt);
  const n = texts.length;
  const feeds: Record<string, Tensor> = {
    sample: stack(twice ? [...latents, ...latents] : latents),
    timestep: float([n], new Float32Array(n).fill(row.timestep)),
    encoder_hidden_states: stack(texts.map((t) => t.hidden)),
  };
  if (model.unet.textTime) {
    feeds["text_embeds"] = stack(texts.map((t) => t.pooled ?? float([1, 0])));
    // Original size, crop, target size: each height first (SDXL, Podell et al. 2023, §2.2).
    const ids = [s.height, s.width, 0, 0, s.height, s.width];
    feeds["time_ids"] = float(
      [n, 6],
      Float32Array.from({ length: 6 * n }, (_, i) => ids[i % 6] ?? 0),
    );
  }
  if (model.guidanceFeatures !== null) {
    const embedding = guidanceEmbedding(row.guidance, model.guidanceFeatures);
    feeds["timestep_cond"] = stack(texts.map(() => embedding));
  }
  const equipment = s.cast.unet(row.model);
  if (equipment && equipment.stack.live.size > 0) {
    const scales = canvases.map((c) => equipment.scales(s.place, c));
    feeds["adapter_scales"] = slotScales(twice ? [...scales, ...scales] : scales);
  }
  const { outputs } = await s.cast.network(row.model).run(s.shape, feeds, equipment?.stack ?? null);
  const prediction = floats(outputs["prediction"]);
  if (!twice) return { guided: prediction, calls: n };
  const half = (i: number) => sample(prediction, i);
  const guided = canvases.map((_, i) => guide(half(canvases.length + i), half(i), row.guidance, row.guidanceRescale));
  return { guided: stack(guided), calls: n };
}

/** Pixels that one decoder call takes comfortably: the decoder needs far more memory for a pixel than the UNet for a latent. */
const PIXELS_PER_CALL = 512 * 512;

/** Latents to pictures, as many at a time as suit their size. */
async function* decode(
  pair: Pair,
  canvases: readonly Canvas[],
  tile: Order["tile"],
  meter: Meter,
  signal: AbortSignal | undefined,
): AsyncGenerator<GenerateEvent, void, undefined> {
  const [, , height = 1, width = 1] = canvases[0]?.xt.shape ?? [];
  const together = Math.max(1, Math.floor(PIXELS_PER_CALL / (height * width * pair.factor ** 2)));
  const side = await tileSide(pair.decoder, { height, width }, pair.room, tile);
  const loading = side === null ? await pair.decoder.network.load({ height, width }) : 0;
  if (loading > 0) yield { type: "loaded", network: "decoder", milliseconds: loading };
  for (let at = 0; at < canvases.length; at += together) {
    signal?.throwIfAborted();
    const some = canvases.slice(at, at + together);
    const start = performance.now();
    const images: RgbImage[] = [];
    for await (const made of decoded(pair.decoder, stack(some.map((c) => c.xt)), side)) {
      signal?.throwIfAborted();
      const { prompt = 0, seed = 0 } = some[images.length] ?? {};
      if ("done" in made) yield { type: "tile", ...made, prompt, seed };
      else images.push(made);
    }
    meter.decode += performance.now() - start;
    for (const [i, { xt, prompt, seed }] of some.entries()) {
      const image = images[i];
      if (image) yield { type: "image", image, latents: xt, prompt, seed };
    }
  }
}

/** Share of the room that a decoder may work in before it is given tiles: it shares the memory with weights that stay loaded. */
const DECODER_SHARE = 1 / 4;
/** Pixels on a tile's side where none is asked for: SDXL's decoder works in 0.4 GB beside the picture's maps then. */
const TILE_PIXELS = 256;

/** Latents on a tile's side, or null where the picture is decoded whole: as asked for, or by what the whole would take. */
async function tileSide(
  decoder: Decoder,
  shape: { readonly height: number; readonly width: number },
  room: number,
  asked: Order["tile"],
): Promise<number | null> {
  const longest = Math.max(shape.height, shape.width);
  if (typeof asked === "number") return asked < longest ? asked : null;
  if (asked === "off" || (await decoder.worksIn(shape)) <= DECODER_SHARE * room) return null;
  return Math.ceil(TILE_PIXELS / decoder.config.factor);
}

/** Latents [B, C, h, w] as the UNet makes them → B pictures of h·f × w·f pixels, by the pair's decoder or another; `tile` as in a request. */
export async function decodeLatents(
  pair: Pair,
  latents: FloatTensor,
  decoder: Decoder = pair.decoder,
  tile?: Order["tile"],
): Promise<RgbImage[]> {
  const [, , height = 1, width = 1] = latents.shape;
  const images: RgbImage[] = [];
  for await (const made of decoded(decoder, latents, await tileSide(decoder, { height, width }, pair.room, tile))) {
    if (!("done" in made)) images.push(made);
  }
  return images;
}

/** The same, in tiles of `side` latents, each told of, or in one piece where that is null. */
async function* decoded(
  decoder: Decoder,
  latents: FloatTensor,
  side: number | null,
): AsyncGenerator<TileProgress | RgbImage, void, undefined> {
  const [batch = 1, channels = 1, height = 1, width = 1] = latents.shape;
  const { scale, shift, mean, std } = decoder.scaling;
  const plane = height * width;
  const unscaled = latents.data.map((v, i) => {
    const c = Math.floor(i / plane) % channels;
    return (v * (std?.[c] ?? 1)) / scale + (mean?.[c] ?? 0) + shift;
  });
  const z = float(latents.shape, unscaled);
  if (side === null) {
    const { outputs } = await decoder.network.run({ height, width }, { latents: z });
    const pixels = floats(outputs["image"]);
    for (let i = 0; i < batch; i++) yield toRgb(pixels, i);
    return;
  }
  for (let i = 0; i < batch; i++) yield toRgb(yield* decoder.inTiles(sample(z, i), side), 0);
}
