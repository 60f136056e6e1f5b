import { describe, expect, it } from "vitest";
import { denoiserLayerNames, ownTensors } from "../../src/families/index.js";
import { Z_IMAGE_NAMES } from "../../src/families/names/z-image.js";

const OWN = [
  "all_x_embedder.2-1",
  "layers.0.adaLN_modulation.0",
  "context_refiner.1.attention.to_q",
  "context_refiner.1.attention.to_v",
  "context_refiner.1.attention.to_out.0",
  "layers.12.feed_forward.w1",
];

describe("names of Z-Image's layers in its own code", () => {
  it("are found for diffusers' names, with the rows of a fused layer", () => {
    expect(Object.fromEntries(denoiserLayerNames(OWN))).toEqual({
      "all_x_embedder.2-1": { name: "x_embedder" },
      "context_refiner.1.attention.to_q": { name: "context_refiner.1.attention.qkv", share: [0, 3] },
      "context_refiner.1.attention.to_v": { name: "context_refiner.1.attention.qkv", share: [2, 3] },
      "context_refiner.1.attention.to_out.0": { name: "context_refiner.1.attention.out" },
    });
  });

  it("lead back to diffusers' tensors", () => {
    const keys = [
      "x_embedder.bias",
      "layers.3.attention.qkv.weight",
      "layers.3.attention.q_norm.weight",
      "cap_pad_token",
    ];
    expect(Object.fromEntries(ownTensors(Z_IMAGE_NAMES, keys))).toEqual({
      "all_x_embedder.2-1.bias": { key: "x_embedder.bias" },
      "layers.3.attention.to_q.weight": { key: "layers.3.attention.qkv.weight", share: [0, 3] },
      "layers.3.attention.to_k.weight": { key: "layers.3.attention.qkv.weight", share: [1, 3] },
      "layers.3.attention.to_v.weight": { key: "layers.3.attention.qkv.weight", share: [2, 3] },
      "layers.3.attention.norm_q.weight": { key: "layers.3.attention.q_norm.weight" },
      cap_pad_token: { key: "cap_pad_token" },
    });
  });
});
