import { describe, expect, it } from "vitest";
import { z } from "zod";
import { openComponentFolder } from "../../src/checkpoint/node/index.js";
import { type Graph, printGraph } from "../../src/graph/index.js";
import { resolveReference } from "../../src/lookup/index.js";
import {
  drawDreamSim,
  drawInception,
  drawLpips,
  drawUNet,
  drawVit,
  dreamSimBranches,
  parseUNetConfig,
  parseVitConfig,
  vitConfigOf,
} from "../../src/models/index.js";
import { drawingOf } from "../../src/networks/index.js";
import { count, type Weight } from "../../src/tensor/index.js";
import { componentFolder } from "../support/checkpoint.js";
import { description } from "../support/parity.js";

/** A printed network is a file of its own under graphs/: a change of the drawing shows as a change of lines. */
const snapshot = (graph: Graph, name: string) =>
  expect(`${printGraph(graph)}\n`).toMatchFileSnapshot(`graphs/${name}.txt`);

const visionSchema = z.object({
  config: z.record(z.string(), z.unknown()).nullish(),
  weights: z.object({ tensors: z.array(z.tuple([z.string(), z.array(z.number())])) }),
});

/** A weight whose values a drawing does not read. */
const shapeOnly = (name: string, shape: readonly number[]): Weight => ({
  name,
  dtype: "float32",
  shape,
  bytes: { in: "memory", source: { name: "no file" }, bytes: new Uint8Array(4 * count(shape)) },
});

async function drawn(folder: string): Promise<readonly Graph[]> {
  const component = await openComponentFolder(folder);
  const draw = drawingOf(component);
  if (!draw) throw new Error(`${component.className} is not drawn`);
  return draw(await component.weights());
}

describe("networks as they are drawn", () => {
  it.each([
    ["unet-two-levels", "UNet2DConditionModel, Stable Diffusion"],
    ["unet-sdxl-fast", "UNet2DConditionModel, SDXL"],
    ["vae-sdxl", "AutoencoderKL"],
    ["taesd", "AutoencoderTiny"],
    ["text-sd1", "CLIPTextModel"],
    ["text-sdxl-2", "CLIPTextModelWithProjection"],
    ["clip", "CLIPModel"],
    ["z-image", "ZImageTransformer2DModel"],
    ["qwen3-causal", "Qwen3ForCausalLM"],
  ])("%s: %s", async (name) => {
    for (const [i, graph] of (await drawn(componentFolder(name))).entries()) await snapshot(graph, `${name}-${i}`);
  });

  it("are not drawn of integers, whose scales are unknown", async () => {
    const component = await openComponentFolder(componentFolder("unet-two-levels"));
    const { source, weights } = await component.weights();
    const codes = new Map(
      [...weights].map(([name, w]) => [name, name === "conv_in.bias" ? { ...w, dtype: "int8" as const } : w]),
    );
    await expect(drawingOf(component)?.({ source, weights: codes })).rejects.toThrow(
      "conv_in.bias is int8; floating point was expected",
    );
  });

  it("the attribute classifier", async () => {
    const [graph] = await drawn(resolveReference("embedded:judge"));
    if (graph) await snapshot(graph, "classifier");
    expect(graph?.outputs.size).toBe(2);
  });

  it.each(["dinov2", "dreamsim-dino", "lpips-alex", "inception"] as const)("%s", async (name) => {
    const { weights, config } = description(`vision/${name}`, visionSchema);
    const tensors = weights.tensors.map(([tensor, shape]) => [tensor, shapeOnly(tensor, shape)] as const);
    const index = { source: name, weights: new Map(tensors) };
    const draw = {
      dinov2: () => drawVit(config ? parseVitConfig({ file: "config.json", config }) : vitConfigOf(index), index),
      "dreamsim-dino": () => drawDreamSim(dreamSimBranches(index)),
      "lpips-alex": () => drawLpips(index, index, 64, 96),
      inception: () => drawInception(index),
    };
    await snapshot(draw[name](), name);
  });

  it("a layer with a LoRA and a weight with an adapter merged in are inputs, on a map that is not square", async () => {
    const { config, configFile: file, weights } = await openComponentFolder(componentFolder("unet-two-levels"));
    const graph = drawUNet(
      parseUNetConfig({ file, config }),
      { ...(await weights()), loraLayers: new Set(["conv_in"]), inputs: new Set(["conv_out.bias"]) },
      { height: 8, width: 12, tokens: 5 },
    );
    expect([...graph.inputs.keys()]).toEqual(
      expect.arrayContaining(["conv_in.down", "conv_in.up", "conv_in.scale_index", "adapter_scales", "conv_out.bias"]),
    );
    expect([...graph.weights.values()].map((w) => w.name)).not.toContain("conv_out.bias");
    expect(graph.outputs.get("prediction")?.shape).toEqual(["B", 4, 8, 12]);
  });
});
