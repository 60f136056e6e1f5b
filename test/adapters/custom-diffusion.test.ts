import { describe, expect, it } from "vitest";
import { customDiffusionTensors, fitting, type Layers, readAdapter } from "../../src/adapters/index.js";
import { createRng } from "../../src/tensor/index.js";

const names = [1, 2].flatMap((n) => ["to_q", "to_k", "to_v", "to_out.0"].map((to) => `mid_block.attn${n}.${to}`));
const layers: Layers = new Map([
  ["unet", new Map([...names, "conv_in"].map((name) => [name, { weight: [6, 4], bias: null }]))],
]);
const weight = (seed: number) => createRng(seed).randn([6, 4]);
const targets = ["to_k", "to_v"].map((to, i) => {
  return { part: "unet", layer: `mid_block.attn2.${to}`, delta: { kind: "replacement", weight: weight(i) } } as const;
});

describe("files of Custom Diffusion", () => {
  const tensors = new Map(Object.entries(customDiffusionTensors(targets, names)));

  it("have diffusers' names, and an empty tensor for each unchanged attention layer", () => {
    expect([...tensors].map(([key, { shape }]) => [key, shape])).toEqual([
      ["mid_block.attn2.processor.to_k_custom_diffusion.weight", [6, 4]],
      ["mid_block.attn2.processor.to_v_custom_diffusion.weight", [6, 4]],
      ["mid_block.attn1.processor", [0]],
    ]);
  });

  it("are read as they were written, with every key accounted for", () => {
    const read = readAdapter("cat.safetensors", tensors, layers);
    expect(read.targets).toMatchObject(targets);
    expect(read.unmatched).toEqual([]);
    expect(fitting(layers)(new Map([...tensors].map(([key, { shape }]) => [key, shape])))).toMatchObject({
      fits: true,
    });
  });
});
