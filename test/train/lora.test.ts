import { describe, expect, it } from "vitest";
import { layersOf } from "../../src/adapters/index.js";
import { chooseLayers, type LoraOptions } from "../../src/train/index.js";
import { componentGolden } from "../support/checkpoint.js";

const chosen = (component: string, options: LoraOptions) =>
  chooseLayers(layersOf(componentGolden(component).weights.tensors), options).layers.map(({ name }) => name);
const inBlock = (component: string, options: LoraOptions) =>
  chosen(component, options).flatMap((name) => /(?:^|_)transformer_blocks\.0\.(.*)$/.exec(name)?.[1] ?? []);

describe("layers of a transformer with two streams", () => {
  const image = ["to_k", "to_out.0", "to_q", "to_v"].map((name) => `attn.${name}`);
  const text = ["add_k_proj", "add_q_proj", "add_v_proj", "to_add_out"].map((name) => `attn.${name}`);

  it("are attention of both, or of one", () => {
    expect(inBlock("qwen-image", { layers: "full", type: "lierla" })).toEqual([...text, ...image]);
    expect(inBlock("qwen-image", { layers: "noxattn", type: "lierla" })).toEqual(image);
    expect(inBlock("qwen-image", { layers: "xattn", type: "lierla" })).toEqual(text);
    expect(inBlock("qwen-image", { layers: "xattn-strict", type: "lierla" })).toEqual(text.slice(0, 3));
  });

  it("are feed-forward networks too with c3lier, of the same stream", () => {
    const networks = (stream: string) => ["0.proj", "2"].map((n) => `${stream}_mlp.net.${n}`);
    expect(inBlock("qwen-image", { layers: "noxattn", type: "c3lier" })).toEqual([...image, ...networks("img")]);
    expect(inBlock("qwen-image", { layers: "xattn", type: "c3lier" })).toEqual([...text, ...networks("txt")]);
    expect(inBlock("qwen-image", { layers: "selfattn", type: "c3lier" })).toEqual(image);
  });

  it("hold the second attention of SD3's image stream, which is no cross-attention", () => {
    expect(inBlock("sd3", { layers: "noxattn", type: "lierla" })).toContain("attn2.to_q");
    expect(inBlock("sd3", { layers: "xattn", type: "lierla" })).toEqual(text);
  });

  it("hold blocks with one stream, as parts of the image's", () => {
    const single = chosen("flux2", { layers: "selfattn" }).filter((name) =>
      name.startsWith("single_transformer_blocks.1."),
    );
    expect(single.map((name) => name.split("attn.")[1])).toEqual(["to_out", "to_qkv_mlp_proj"]);
  });
});

describe("layers of other transformers", () => {
  it("are cross-attention in SANA, but not its convolutions by channel", () => {
    expect(inBlock("sana", { layers: "xattn", type: "c3lier" }).every((name) => name.startsWith("attn2."))).toBe(true);
    const all = inBlock("sana", { layers: "noxattn", type: "c3lier" });
    expect(all.filter((name) => name.startsWith("ff."))).toEqual(["ff.conv_inverted", "ff.conv_point"]);
  });

  it("are blocks of text alone in Z-Image", () => {
    const blocks = (options: LoraOptions) => new Set(chosen("z-image", options).map((name) => name.split(".")[0]));
    expect(blocks({ layers: "xattn" })).toEqual(new Set(["context_refiner"]));
    expect(blocks({ layers: "noxattn" })).toEqual(new Set(["layers", "noise_refiner"]));
  });
});
