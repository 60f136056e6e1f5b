/** Networks of goldens on a runtime: what each class computes from recorded inputs. Runs in a page too. */
import { z } from "zod";
import type { Graph } from "../../src/graph/index.js";
import {
  autoencoderOf,
  drawDecoder,
  drawEncoder,
  drawGemma2,
  drawImageEncoder,
  drawLanguageModel,
  drawT5,
  drawTextEncoder,
  drawTinyDecoder,
  drawTinyEncoder,
  drawUNet,
  HIDDEN,
  parseClipConfig,
  parseGemma2Config,
  parseLanguageModelConfig,
  parseT5Config,
  parseTextEncoderConfig,
  parseUNetConfig,
  pooledIndex,
  relativeBuckets,
  type TextEncoderConfig,
} from "../../src/models/index.js";
import { TRANSFORMERS } from "../../src/models/transformer-denoisers.js";
import { encodedFor } from "../../src/networks/index.js";
import type { Runtime } from "../../src/runtime/index.js";
import { type FloatTensor, float, int, sample, stack, type Tensor, type WeightIndex } from "../../src/tensor/index.js";
import { type Input, tensorOf } from "./inputs.js";

/** A network as its folder names it. */
export interface NetworkClass {
  readonly class: string;
  readonly config: Readonly<Record<string, unknown>>;
}

export type Inputs = Readonly<Record<string, Input>>;
export type Outputs = Readonly<Record<string, FloatTensor>>;

/** Runs a graph, and gives its outputs of floats. */
type Evaluate = (graph: Graph, feeds: Readonly<Record<string, Tensor>>) => Promise<Outputs>;

const evaluatedOn =
  (runtime: Runtime): Evaluate =>
  async (graph, feeds) => {
    const session = await runtime.load(await encodedFor(runtime.device, graph));
    try {
      const { outputs } = await session.run(feeds);
      const floats = Object.entries(outputs).flatMap(([name, value]) =>
        value.dtype === "float32" ? [[name, value] as const] : [],
      );
      return Object.fromEntries(floats);
    } finally {
      await session.release();
    }
  };

const feed = (inputs: Inputs, name: string): FloatTensor => {
  const input = inputs[name];
  const value = input && tensorOf(input);
  if (value?.dtype !== "float32") throw new Error(`the golden has no input ${name}`);
  return value;
};
const height = (x: FloatTensor) => x.shape[2] ?? 0;
const width = (x: FloatTensor) => x.shape[3] ?? 0;

/** What a class computes from the inputs of a golden, under the names of its outputs. */
type Compute = (golden: NetworkClass, index: WeightIndex, inputs: Inputs, evaluate: Evaluate) => Promise<Outputs>;

async function unet(
  { config }: NetworkClass,
  index: WeightIndex,
  inputs: Inputs,
  evaluate: Evaluate,
): Promise<Outputs> {
  const x = feed(inputs, "sample");
  const text = feed(inputs, "encoder_hidden_states");
  const shape = { height: height(x), width: width(x), tokens: text.shape[1] ?? 0 };
  const feeds = Object.fromEntries(Object.keys(inputs).map((name) => [name, feed(inputs, name)]));
  return evaluate(drawUNet(parseUNetConfig({ file: "config.json", config }), index, shape), feeds);
}

/** Text is filled to a multiple of 32 with values that the network must not read. */
async function zImage(
  { config }: NetworkClass,
  index: WeightIndex,
  inputs: Inputs,
  evaluate: Evaluate,
): Promise<Outputs> {
  const [x, text] = [feed(inputs, "sample"), feed(inputs, "encoder_hidden_states")];
  const [batch = 0, length = 0, features = 0] = text.shape;
  const tokens = Math.ceil(length / 32) * 32;
  const denoiser = TRANSFORMERS.ZImageTransformer2DModel({ file: "config.json", config }, 8);
  const padded = new Float32Array(tokens * features).fill(99);
  const mask = float(
    [1, tokens],
    Float32Array.from({ length: tokens }, (_, i) => (i < length ? 1 : 0)),
  );
  const conditioning = Array.from({ length: batch }, (_, i) => {
    const filled = padded.slice();
    filled.set(sample(text, i).data);
    return { streams: { text: float([1, tokens, features], filled) }, masks: { text: mask } };
  });
  const feeds = denoiser.inputs({
    latents: Array.from({ length: batch }, (_, i) => sample(x, i)),
    timestep: 0,
    conditioning,
    guidance: 0,
    size: { width: 8 * width(x), height: 8 * height(x) },
  });
  const graph = denoiser.draw({ height: height(x), width: width(x), tokens }, index);
  return evaluate(graph, { ...feeds, timestep: feed(inputs, "timestep") });
}

async function flux2(
  { config }: NetworkClass,
  index: WeightIndex,
  inputs: Inputs,
  evaluate: Evaluate,
): Promise<Outputs> {
  const [x, text] = [feed(inputs, "sample"), feed(inputs, "encoder_hidden_states")];
  const denoiser = TRANSFORMERS.Flux2Transformer2DModel({ file: "config.json", config }, 16);
  const shape = { height: height(x), width: width(x), tokens: text.shape[1] ?? 0 };
  const feeds = Object.fromEntries(Object.keys(inputs).map((name) => [name, feed(inputs, name)]));
  return evaluate(denoiser.draw(shape, index), feeds);
}

async function flux1(
  { config }: NetworkClass,
  index: WeightIndex,
  inputs: Inputs,
  evaluate: Evaluate,
): Promise<Outputs> {
  const [x, text] = [feed(inputs, "sample"), feed(inputs, "encoder_hidden_states")];
  const denoiser = TRANSFORMERS.FluxTransformer2DModel({ file: "config.json", config }, 8);
  const shape = { height: height(x), width: width(x), tokens: text.shape[1] ?? 0 };
  const feeds = Object.fromEntries(Object.keys(inputs).map((name) => [name, feed(inputs, name)]));
  return evaluate(denoiser.draw(shape, index), feeds);
}

async function chroma(
  { config }: NetworkClass,
  index: WeightIndex,
  inputs: Inputs,
  evaluate: Evaluate,
): Promise<Outputs> {
  const [x, text] = [feed(inputs, "sample"), feed(inputs, "encoder_hidden_states")];
  const denoiser = TRANSFORMERS.ChromaTransformer2DModel({ file: "config.json", config }, 8);
  const shape = { height: height(x), width: width(x), tokens: text.shape[1] ?? 0 };
  const feeds = Object.fromEntries(Object.keys(inputs).map((name) => [name, feed(inputs, name)]));
  return evaluate(denoiser.draw(shape, index), feeds);
}

async function qwenImage(
  { config }: NetworkClass,
  index: WeightIndex,
  inputs: Inputs,
  evaluate: Evaluate,
): Promise<Outputs> {
  const [x, text] = [feed(inputs, "sample"), feed(inputs, "encoder_hidden_states")];
  const denoiser = TRANSFORMERS.QwenImageTransformer2DModel({ file: "config.json", config }, 8);
  const shape = { height: height(x), width: width(x), tokens: text.shape[1] ?? 0 };
  const feeds = Object.fromEntries(Object.keys(inputs).map((name) => [name, feed(inputs, name)]));
  return evaluate(denoiser.draw(shape, index), feeds);
}

async function sd3({ config }: NetworkClass, index: WeightIndex, inputs: Inputs, evaluate: Evaluate): Promise<Outputs> {
  const [x, text] = [feed(inputs, "sample"), feed(inputs, "encoder_hidden_states")];
  const denoiser = TRANSFORMERS.SD3Transformer2DModel({ file: "config.json", config }, 8);
  const shape = { height: height(x), width: width(x), tokens: text.shape[1] ?? 0 };
  const feeds = Object.fromEntries(Object.keys(inputs).map((name) => [name, feed(inputs, name)]));
  return evaluate(denoiser.draw(shape, index), feeds);
}

async function sana(
  { config }: NetworkClass,
  index: WeightIndex,
  inputs: Inputs,
  evaluate: Evaluate,
): Promise<Outputs> {
  const [x, text] = [feed(inputs, "sample"), feed(inputs, "encoder_hidden_states")];
  const denoiser = TRANSFORMERS.SanaTransformer2DModel({ file: "config.json", config }, 32);
  const shape = { height: height(x), width: width(x), tokens: text.shape[1] ?? 0 };
  const feeds = Object.fromEntries(Object.keys(inputs).map((name) => [name, feed(inputs, name)]));
  return evaluate(denoiser.draw(shape, index), feeds);
}

async function t5({ config }: NetworkClass, index: WeightIndex, inputs: Inputs, evaluate: Evaluate): Promise<Outputs> {
  const c = parseT5Config({ file: "config.json", config });
  const prompts = ids(inputs);
  const tokens = prompts[0]?.length ?? 0;
  const mask = "attention_mask" in inputs ? feed(inputs, "attention_mask") : null;
  const hidden = Float32Array.from({ length: tokens ** 2 }, (_, i) => (mask?.data[i % tokens] === 0 ? HIDDEN : 0));
  const feeds = {
    input_ids: int([prompts.length, tokens], prompts.flat()),
    position_buckets: int([tokens, tokens], relativeBuckets(tokens, c)),
    ...(mask && { attention_bias: float([1, 1, tokens, tokens], hidden) }),
  };
  return evaluate(drawT5(c, index, { tokens, masked: mask !== null }), feeds);
}

async function languageModel(
  { config }: NetworkClass,
  index: WeightIndex,
  inputs: Inputs,
  evaluate: Evaluate,
): Promise<Outputs> {
  const c = parseLanguageModelConfig({ file: "config.json", config });
  const prompts = ids(inputs);
  const tokens = prompts[0]?.length ?? 0;
  const states = Array.from({ length: c.layers }, (_, i) => i);
  const graph = drawLanguageModel(c, index, { tokens, states, padded: false });
  const { hidden_state: all } = await evaluate(graph, { input_ids: int([prompts.length, tokens], prompts.flat()) });
  // [B, L, n D]: the states of a token follow each other.
  const stateOf = (layer: number): FloatTensor => {
    const rows = Array.from({ length: prompts.length * tokens }, (_, row) => {
      const start = (row * states.length + layer) * c.features;
      return [...(all?.data.subarray(start, start + c.features) ?? [])];
    });
    return float([prompts.length, tokens, c.features], Float32Array.from(rows.flat()));
  };
  return Object.fromEntries(states.map((layer) => [`layer-${layer}`, stateOf(layer)]));
}

/** The language part of a model that reads images too: its states, and the last after the final norm. */
async function visionLanguage(
  golden: NetworkClass,
  index: WeightIndex,
  inputs: Inputs,
  evaluate: Evaluate,
): Promise<Outputs> {
  const c = parseLanguageModelConfig({ file: "config.json", config: golden.config });
  const prompts = ids(inputs);
  const tokens = prompts[0]?.length ?? 0;
  const graph = drawLanguageModel(c, index, { tokens, states: [c.layers], finalNorm: true, padded: false });
  const { hidden_state: normed } = await evaluate(graph, { input_ids: int([prompts.length, tokens], prompts.flat()) });
  return { ...(await languageModel(golden, index, inputs, evaluate)), ...(normed && { normed }) };
}

/** Causal, so that a token does not read those after it. */
async function gemma2(
  { config }: NetworkClass,
  index: WeightIndex,
  inputs: Inputs,
  evaluate: Evaluate,
): Promise<Outputs> {
  const c = parseGemma2Config({ file: "config.json", config });
  const prompts = ids(inputs);
  const tokens = prompts[0]?.length ?? 0;
  const bias = Float32Array.from({ length: tokens ** 2 }, (_, i) => (i % tokens > Math.floor(i / tokens) ? HIDDEN : 0));
  return evaluate(drawGemma2(c, index, { tokens }), {
    input_ids: int([prompts.length, tokens], prompts.flat()),
    attention_bias: float([1, 1, tokens, tokens], bias),
  });
}

const ids = (inputs: Inputs): number[][] => {
  const input = inputs["input_ids"];
  if (!input || !("values" in input)) throw new Error("the golden has no input_ids");
  return z.array(z.array(z.number())).parse(input.values);
};

/** A text encoder at one hidden state. */
async function textAt(
  c: TextEncoderConfig,
  index: WeightIndex,
  prompts: number[][],
  back: number,
  finalNorm: boolean,
  pooled: boolean,
  evaluate: Evaluate,
) {
  const tokens = prompts[0]?.length ?? 0;
  const graph = drawTextEncoder(c, index, { tokens, state: { back, finalNorm }, pooled });
  return evaluate(graph, {
    input_ids: int([prompts.length, tokens], prompts.flat()),
    ...(pooled && {
      pooled_index: int(
        [prompts.length],
        prompts.map((p) => pooledIndex(p, c.eosToken)),
      ),
    }),
  });
}

async function text(
  { config, class: className }: NetworkClass,
  index: WeightIndex,
  inputs: Inputs,
  evaluate: Evaluate,
): Promise<Outputs> {
  const c = parseTextEncoderConfig({ file: "config.json", config });
  const prompts = ids(inputs);
  const projects = className === "CLIPTextModelWithProjection";
  const found: Record<string, FloatTensor> = {};
  const keep = (name: string, value: FloatTensor | undefined) => {
    if (value) found[name] = value;
  };
  const last = await textAt(c, index, prompts, 0, true, projects, evaluate);
  keep("last", last["hidden_state"]);
  keep("text_embeds", last["text_embeds"]);
  for (const back of [1, 2].filter((n) => n <= c.layers)) {
    keep(`state-${back}`, (await textAt(c, index, prompts, back, false, false, evaluate))["hidden_state"]);
    keep(`normed-${back}`, (await textAt(c, index, prompts, back, true, false, evaluate))["hidden_state"]);
  }
  // Pooling picks a row of the last state.
  if (found["last"])
    keep(
      "pooled",
      rowsOf(
        found["last"],
        prompts.map((p) => pooledIndex(p, c.eosToken)),
      ),
    );
  return found;
}

/** One row of each sample: x [B, L, D] → [B, D]. */
function rowsOf(x: FloatTensor, rows: readonly number[]): FloatTensor {
  const features = x.shape[2] ?? 0;
  const picked = rows.map((row, i) =>
    float([1, features], sample(x, i).data.slice(row * features, (row + 1) * features)),
  );
  return stack(picked);
}

async function clip(
  { config }: NetworkClass,
  index: WeightIndex,
  inputs: Inputs,
  evaluate: Evaluate,
): Promise<Outputs> {
  const c = parseClipConfig({ file: "config.json", config });
  const { text_embeds } = await textAt(c.text, index, ids(inputs), 0, true, true, evaluate);
  const { image_embeds } = await evaluate(drawImageEncoder(c.image, index), { image: feed(inputs, "image") });
  return { ...(text_embeds && { text_embeds }), ...(image_embeds && { image_embeds }) };
}

async function autoencoder(
  { config, class: className }: NetworkClass,
  index: WeightIndex,
  inputs: Inputs,
  evaluate: Evaluate,
): Promise<Outputs> {
  const [latents, image] = [feed(inputs, "latents"), feed(inputs, "image")];
  const c = await autoencoderOf(className, { file: "config.json", config });
  const sizes = [height(latents), width(latents)] as const;
  const pixels = [height(image), width(image)] as const;
  const [encoder, decoder] =
    c.kind === "drawn"
      ? [c.drawEncoder(index, ...pixels), c.drawDecoder(index, ...sizes)]
      : c.kind === "tiny"
        ? [drawTinyEncoder(c, index, ...pixels), drawTinyDecoder(c, index, ...sizes)]
        : [drawEncoder(c, index, ...pixels), drawDecoder(c, index, ...sizes)];
  return { ...(await evaluate(encoder, { image })), ...(await evaluate(decoder, { latents })) };
}

const COMPUTE: Readonly<Record<string, Compute>> = {
  UNet2DConditionModel: unet,
  ChromaTransformer2DModel: chroma,
  FluxTransformer2DModel: flux1,
  Flux2Transformer2DModel: flux2,
  QwenImageTransformer2DModel: qwenImage,
  Qwen2_5_VLForConditionalGeneration: visionLanguage,
  SanaTransformer2DModel: sana,
  SD3Transformer2DModel: sd3,
  ZImageTransformer2DModel: zImage,
  T5EncoderModel: t5,
  Gemma2Model: gemma2,
  Gemma2ForCausalLM: gemma2,
  Qwen3Model: languageModel,
  Qwen3ForCausalLM: languageModel,
  CLIPTextModel: text,
  CLIPTextModelWithProjection: text,
  CLIPModel: clip,
  AutoencoderKL: autoencoder,
  AutoencoderKLFlux2: autoencoder,
  AutoencoderKLQwenImage: autoencoder,
  AutoencoderDC: autoencoder,
  AutoencoderTiny: autoencoder,
};

/** Computes the outputs of a network on a runtime. @throws Error for a class that is not known here */
export async function networkOutputs(
  runtime: Runtime,
  golden: NetworkClass,
  index: WeightIndex,
  inputs: Inputs,
): Promise<Outputs> {
  const compute = COMPUTE[golden.class];
  if (!compute) throw new Error(`${golden.class} is no network`);
  return compute(golden, index, inputs, evaluatedOn(runtime));
}
