import { afterAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { readFloats } from "../../src/checkpoint/index.js";
import { openComponentWeights } from "../../src/checkpoint/node/index.js";
import {
  bindDimensions,
  createBuilder,
  encodeGraph,
  type Graph,
  gradientOf,
  rebuild,
  withGradients,
} from "../../src/graph/index.js";
import {
  type DrawingWeights,
  drawDecoder,
  drawImageEncoder,
  drawTextEncoder,
  drawUNet,
  parseAutoencoderConfig,
  parseClipConfig,
  parseTextEncoderConfig,
  parseUNetConfig,
  pooledIndex,
} from "../../src/models/index.js";
import { openRuntime } from "../../src/runtime/node/index.js";
import { count, createRng, float, int, type Tensor, type Weight } from "../../src/tensor/index.js";
import { type ComponentGolden, componentFolder, componentGolden, stemOf } from "../support/checkpoint.js";
import { type Input, inputSchema, tensorOf } from "../support/inputs.js";
import { description, namesIn, tensors } from "../support/parity.js";

const schema = z.object({
  component: z.string(),
  inputs: z.record(z.string(), inputSchema),
  output: z.string(),
  seed: z.number(),
  gradients: z.record(z.string(), z.object({ shape: z.array(z.number()), stride: z.number() })),
});
type Inputs = Readonly<Record<string, Input>>;

/** Largest difference over the root mean square of a gradient; of gradients that are zero but for rounding, over a share of all. */
const WITHIN = 1e-4;
const SMALLEST = 1e-2;

const runtime = openRuntime({ threads: 1 });
afterAll(() => runtime.close());

interface Drawn {
  readonly graph: Graph;
  readonly output: string;
  readonly feeds: Readonly<Record<string, Tensor>>;
}

const shapeOf = (input: Input | undefined): readonly number[] => (input ? tensorOf(input).shape : []);
const floats = (inputs: Inputs, names: readonly string[]) =>
  Object.fromEntries(names.map((name) => [name, tensorOf(inputs[name] ?? { values: [] })]));

const DRAW: Readonly<Record<string, (golden: ComponentGolden, index: DrawingWeights, inputs: Inputs) => Drawn>> = {
  UNet2DConditionModel({ config }, index, inputs) {
    const [, , height = 0, width = 0] = shapeOf(inputs["sample"]);
    const shape = { height, width, tokens: shapeOf(inputs["encoder_hidden_states"])[1] ?? 0 };
    const graph = drawUNet(parseUNetConfig({ file: "config.json", config }), index, shape);
    return { graph, output: "prediction", feeds: floats(inputs, Object.keys(inputs)) };
  },
  CLIPTextModel: (golden, index, inputs) => text(golden, index, inputs, false),
  CLIPTextModelWithProjection: (golden, index, inputs) => text(golden, index, inputs, true),
  CLIPModel({ config }, index, inputs) {
    const c = parseClipConfig({ file: "config.json", config });
    return { graph: drawImageEncoder(c.image, index), output: "image_embeds", feeds: floats(inputs, ["image"]) };
  },
  AutoencoderKL({ config }, index, inputs) {
    const [, , height = 0, width = 0] = shapeOf(inputs["latents"]);
    const graph = drawDecoder(parseAutoencoderConfig({ file: "config.json", config }), index, height, width);
    return { graph, output: "image", feeds: floats(inputs, ["latents"]) };
  },
};

function text({ config }: ComponentGolden, index: DrawingWeights, inputs: Inputs, projects: boolean): Drawn {
  const c = parseTextEncoderConfig({ file: "config.json", config });
  const ids = tensorOf(inputs["input_ids"] ?? { values: [] }, true);
  const [batch = 0, tokens = 0] = ids.shape;
  const prompts = Array.from({ length: batch }, (_, i) =>
    Array.from(ids.data.slice(i * tokens, (i + 1) * tokens), Number),
  );
  const rows = prompts.map((p) => pooledIndex(p, c.eosToken));
  const graph = drawTextEncoder(c, index, { tokens, state: { back: 0, finalNorm: true }, pooled: projects });
  return {
    graph,
    output: projects ? "text_embeds" : "hidden_state",
    feeds: { input_ids: ids, ...(projects && { pooled_index: int([batch], rows) }) },
  };
}

/** The loss of the goldens: the sum of an output times noise. */
function withLoss(graph: Graph, output: string, seed: number): Graph {
  const g = createBuilder();
  const now = rebuild(graph, g);
  const value = graph.outputs.get(output);
  if (!value) throw new Error(`no output ${output}`);
  const y = now(value);
  const shape = y.shape.map(Number);
  const noise = g.constant(shape, createRng(seed).randn(shape).data);
  return g.finish({
    loss: g.sum(
      g.mul(y, noise),
      shape.map((_, i) => i),
    ),
  });
}

describe.each(namesIn("gradients"))("gradients of %s equal PyTorch's", { timeout: 240_000 }, (name) => {
  it("with respect to every weight and input", async () => {
    const { component, inputs, seed, gradients } = description(`gradients/${name}`, schema);
    const golden = componentGolden(component);
    const recorded = await tensors(`gradients/${name}`);
    const opened = await openComponentWeights(componentFolder(component), stemOf(golden));
    const index = { ...opened, inputs: new Set(Object.keys(gradients)) };
    const drawn = DRAW[golden.class]?.(golden, index, inputs);
    if (!drawn) throw new Error(`no graph for ${golden.class}`);
    const { graph, output, feeds } = drawn;
    const batch = Object.values(feeds)[0]?.shape[0] ?? 1;
    const names = [...graph.inputs.values()].flatMap((v) => v.shape.filter((d) => typeof d === "string"));
    const bound = bindDimensions(graph, Object.fromEntries(names.map((dim) => [dim, batch])));
    const to = Object.keys(gradients);
    const session = await runtime.load(encodeGraph(withGradients(withLoss(bound, output, seed), { of: "loss", to })));
    const weights = to.flatMap((key) => opened.weights.get(key) ?? []);
    // A 1×1 convolution of a file may be a matrix of the graph.
    const shapeIn = (w: Weight) => bound.inputs.get(w.name)?.shape.map(Number) ?? w.shape;
    const values = weights.map(async (w) => [w.name, float(shapeIn(w), await readFloats(w))] as const);
    const { outputs } = await session.run({ ...feeds, ...Object.fromEntries(await Promise.all(values)) });
    await session.release();

    const rms = (values: Float32Array) => Math.sqrt(values.reduce((n, v) => n + v * v, 0) / values.length);
    const floor = SMALLEST * rms(Float32Array.from(to, (key) => rms(recorded.float(key).data)));
    const wrong = Object.entries(gradients).flatMap(([key, { shape, stride }]) => {
      const expected = recorded.float(key).data;
      const actual = outputs[gradientOf(key)];
      expect(count(actual?.shape ?? []), key).toBe(count(shape));
      const worst = Math.max(...expected.map((e, i) => Math.abs(e - Number(actual?.data[i * stride]))));
      const relative = worst / Math.max(rms(expected), floor);
      return relative <= WITHIN ? [] : [`${key} ${relative.toExponential(2)}`];
    });
    expect(wrong).toEqual([]);
  });
});
