import { afterAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { openComponentWeights } from "../../src/checkpoint/node/index.js";
import { encodeGraph, type Graph } from "../../src/graph/index.js";
import {
  AUTOENCODER_CLASSES,
  drawDecoder,
  drawEncoder,
  drawImageEncoder,
  drawLanguageModel,
  drawTextEncoder,
  drawTinyDecoder,
  drawTinyEncoder,
  drawUNet,
  flux2Denoiser,
  parseClipConfig,
  parseFlux2Config,
  parseLanguageModelConfig,
  parseTextEncoderConfig,
  parseTinyAutoencoderConfig,
  parseUNetConfig,
  parseZImageConfig,
  pooledIndex,
  type TextEncoderConfig,
  zImageDenoiser,
} from "../../src/models/index.js";
import { openRuntime } from "../../src/runtime/node/index.js";
import { type FloatTensor, float, int, sample, stack, type Tensor, type WeightIndex } from "../../src/tensor/index.js";
import { type ComponentGolden, componentFolder, componentGolden, fileTensors, stemOf } from "../support/checkpoint.js";
import {
  description,
  expectClose,
  type Input,
  inputSchema,
  NETWORK,
  namesIn,
  type Recorded,
  tensorOf,
  tensors,
} from "../support/parity.js";

const schema = z.object({
  component: z.string(),
  runs: z.array(
    z.object({
      inputs: z.record(z.string(), inputSchema),
      outputs: z.record(z.string(), z.object({ shape: z.array(z.number()), stride: z.number() })),
    }),
  ),
});

const runtime = openRuntime({ threads: 1 });
afterAll(() => runtime.close());

type Inputs = Readonly<Record<string, Input>>;
type Outputs = Readonly<Record<string, FloatTensor>>;

async function evaluate(graph: Graph, feeds: Record<string, Tensor>): Promise<Outputs> {
  const session = await runtime.load(encodeGraph(graph));
  try {
    const { outputs } = await session.run(feeds);
    const floats = Object.entries(outputs).flatMap(([name, value]) =>
      value.dtype === "float32" ? [[name, value] as const] : [],
    );
    return Object.fromEntries(floats);
  } finally {
    await session.release();
  }
}

const feed = (inputs: Inputs, name: string): FloatTensor => {
  const input = inputs[name];
  const value = input && tensorOf(input);
  if (value?.dtype !== "float32") throw new Error(`the golden has no input ${name}`);
  return value;
};
const height = (x: FloatTensor) => x.shape[2] ?? 0;
const width = (x: FloatTensor) => x.shape[3] ?? 0;

/** What a class computes from the inputs of a golden, under the names of its outputs. */
type Compute = (golden: ComponentGolden, index: WeightIndex, inputs: Inputs) => Promise<Outputs>;

async function unet({ config }: ComponentGolden, index: WeightIndex, inputs: Inputs): Promise<Outputs> {
  const x = feed(inputs, "sample");
  const text = feed(inputs, "encoder_hidden_states");
  const shape = { height: height(x), width: width(x), tokens: text.shape[1] ?? 0 };
  const feeds = Object.fromEntries(Object.keys(inputs).map((name) => [name, feed(inputs, name)]));
  return evaluate(drawUNet(parseUNetConfig({ file: "config.json", config }), index, shape), feeds);
}

/** Text is filled to a multiple of 32 with values that the network must not read. */
async function zImage({ config }: ComponentGolden, index: WeightIndex, inputs: Inputs): Promise<Outputs> {
  const [x, text] = [feed(inputs, "sample"), feed(inputs, "encoder_hidden_states")];
  const [batch = 0, length = 0, features = 0] = text.shape;
  const tokens = Math.ceil(length / 32) * 32;
  const denoiser = zImageDenoiser(parseZImageConfig({ file: "config.json", config }), 8);
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

async function flux2({ config }: ComponentGolden, index: WeightIndex, inputs: Inputs): Promise<Outputs> {
  const [x, text] = [feed(inputs, "sample"), feed(inputs, "encoder_hidden_states")];
  const denoiser = flux2Denoiser(parseFlux2Config({ file: "config.json", config }), 16);
  const shape = { height: height(x), width: width(x), tokens: text.shape[1] ?? 0 };
  const feeds = Object.fromEntries(Object.keys(inputs).map((name) => [name, feed(inputs, name)]));
  return evaluate(denoiser.draw(shape, index), feeds);
}

async function languageModel({ config }: ComponentGolden, index: WeightIndex, inputs: Inputs): Promise<Outputs> {
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
  { config, class: className }: ComponentGolden,
  index: WeightIndex,
  inputs: Inputs,
): Promise<Outputs> {
  const c = parseTextEncoderConfig({ file: "config.json", config });
  const prompts = ids(inputs);
  const projects = className === "CLIPTextModelWithProjection";
  const found: Record<string, FloatTensor> = {};
  const keep = (name: string, value: FloatTensor | undefined) => {
    if (value) found[name] = value;
  };
  const last = await textAt(c, index, prompts, 0, true, projects);
  keep("last", last["hidden_state"]);
  keep("text_embeds", last["text_embeds"]);
  for (const back of [1, 2].filter((n) => n <= c.layers)) {
    keep(`state-${back}`, (await textAt(c, index, prompts, back, false, false))["hidden_state"]);
    keep(`normed-${back}`, (await textAt(c, index, prompts, back, true, false))["hidden_state"]);
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

async function clip({ config }: ComponentGolden, index: WeightIndex, inputs: Inputs): Promise<Outputs> {
  const c = parseClipConfig({ file: "config.json", config });
  const { text_embeds } = await textAt(c.text, index, ids(inputs), 0, true, true);
  const { image_embeds } = await evaluate(drawImageEncoder(c.image, index), { image: feed(inputs, "image") });
  return { ...(text_embeds && { text_embeds }), ...(image_embeds && { image_embeds }) };
}

async function autoencoder(
  { config, class: className }: ComponentGolden,
  index: WeightIndex,
  inputs: Inputs,
): Promise<Outputs> {
  const source = { file: "config.json", config };
  const [latents, image] = [feed(inputs, "latents"), feed(inputs, "image")];
  if (className === "AutoencoderTiny") {
    const c = parseTinyAutoencoderConfig(source);
    const encoded = await evaluate(drawTinyEncoder(c, index, height(image), width(image)), { image });
    const decoded = await evaluate(drawTinyDecoder(c, index, height(latents), width(latents)), { latents });
    return { ...encoded, ...decoded };
  }
  const parse = AUTOENCODER_CLASSES[className];
  if (!parse) throw new Error(`${className} is no autoencoder`);
  const c = parse(source);
  const encoded = await evaluate(drawEncoder(c, index, height(image), width(image)), { image });
  const decoded = await evaluate(drawDecoder(c, index, height(latents), width(latents)), { latents });
  return { ...encoded, ...decoded };
}

const COMPUTE: Readonly<Record<string, Compute>> = {
  UNet2DConditionModel: unet,
  Flux2Transformer2DModel: flux2,
  ZImageTransformer2DModel: zImage,
  Qwen3Model: languageModel,
  Qwen3ForCausalLM: languageModel,
  CLIPTextModel: text,
  CLIPTextModelWithProjection: text,
  CLIPModel: clip,
  AutoencoderKL: autoencoder,
  AutoencoderKLFlux2: autoencoder,
  AutoencoderTiny: autoencoder,
};

describe.each(namesIn("networks"))("%s", async (name) => {
  const { component, runs } = description(`networks/${name}`, schema);
  const golden = componentGolden(component);
  const recorded: Recorded = await tensors(`networks/${name}`);

  it("grows the same weights", () => {
    const [sum, squares] = golden.weights.fingerprint;
    const grown = fingerprint(golden);
    expect(Math.abs(grown.sum - sum) / Math.sqrt(squares)).toBeLessThan(1e-5);
    expect(Math.abs(grown.squares / squares - 1)).toBeLessThan(1e-7);
  });

  it.each(runs.map((run, i) => ({ run, i, title: `run ${i}` })))("$title", async ({ run, i }) => {
    const index = await openComponentWeights(componentFolder(component), stemOf(golden));
    const outputs = (await COMPUTE[golden.class]?.(golden, index, run.inputs)) ?? {};
    expect(Object.keys(outputs)).toEqual(expect.arrayContaining(Object.keys(run.outputs)));
    for (const [key, { shape, stride }] of Object.entries(run.outputs)) {
      const actual = outputs[key];
      if (!actual) throw new Error(`no output ${key}`);
      expectClose(actual, recorded.float(`${i}/${key}`), { within: NETWORK, what: key, shape, stride });
    }
  });
});

function fingerprint(golden: ComponentGolden): { sum: number; squares: number } {
  let [sum, squares] = [0, 0];
  for (const { dtype, bytes } of fileTensors(golden)) {
    if (dtype === "I64") continue;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const size = dtype === "F32" ? 4 : 2;
    for (let at = 0; at < bytes.length; at += size) {
      const v = dtype === "F32" ? view.getFloat32(at, true) : wide(view.getUint16(at, true), dtype);
      sum += v;
      squares += v * v;
    }
  }
  return { sum, squares };
}

const scratch = new DataView(new ArrayBuffer(4));
/** float16 or bfloat16 bits → number. */
function wide(bits: number, dtype: "F16" | "BF16"): number {
  if (dtype === "BF16") {
    scratch.setUint32(0, bits << 16);
    return scratch.getFloat32(0);
  }
  const exponent = (bits >> 10) & 31;
  const size = exponent === 0 ? (bits & 1023) * 2 ** -24 : (1024 + (bits & 1023)) * 2 ** (exponent - 25);
  return bits & 0x8000 ? -size : size;
}
