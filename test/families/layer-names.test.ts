import { describe, expect, it } from "vitest";
import { adapterLayerNames, denoiserLayerNames, ownTensors } from "../../src/families/index.js";
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

describe("names of FLUX.1's layers in adapters of XLabs", () => {
  const marks = ["time_text_embed.text_embedder.linear_1", "single_transformer_blocks.0.proj_mlp", "context_embedder"];

  it("are those of attention processors, 1 for the image and 2 for the text", () => {
    const layers = [
      "transformer_blocks.3.attn.to_k",
      "transformer_blocks.3.attn.add_v_proj",
      "transformer_blocks.3.attn.to_out.0",
      "transformer_blocks.3.attn.to_add_out",
      "single_transformer_blocks.11.attn.to_q",
      "single_transformer_blocks.11.proj_out",
    ];
    expect(Object.fromEntries(adapterLayerNames([...marks, ...layers]))).toEqual({
      "transformer_blocks.3.attn.to_k": { name: "double_blocks.3.processor.qkv_lora1", share: [1, 3] },
      "transformer_blocks.3.attn.add_v_proj": { name: "double_blocks.3.processor.qkv_lora2", share: [2, 3] },
      "transformer_blocks.3.attn.to_out.0": { name: "double_blocks.3.processor.proj_lora1" },
      "transformer_blocks.3.attn.to_add_out": { name: "double_blocks.3.processor.proj_lora2" },
      "single_transformer_blocks.11.attn.to_q": { name: "single_blocks.11.processor.qkv_lora", share: [0, 3] },
      "single_transformer_blocks.11.proj_out": { name: "single_blocks.11.processor.proj_lora" },
    });
  });

  it("are none for other models", () => {
    expect(adapterLayerNames(OWN).size).toBe(0);
  });
});
