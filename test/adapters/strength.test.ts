import { describe, expect, it } from "vitest";
import { alphasIn } from "../../src/adapters/strength.js";
import { FileError } from "../../src/errors.js";

const LAYER = { part: "unet", name: "mid_block.attentions.0.transformer_blocks.0.attn1.to_q" } as const;
const alpha = (fields: unknown, rank = 4) => alphasIn("a", {}, { file: "adapter_config.json", fields })(LAYER, rank);
const plain = { peft_type: "LORA", r: 4, lora_alpha: 8 };

describe("a config of PEFT", () => {
  it("may have fields without an effect on the strength, and unset ones of later versions", () => {
    expect(alpha({ ...plain, lora_dropout: 0.1, target_modules: ["to_q"], bias: "none" })).toBe(8);
    expect(alpha({ ...plain, use_something_new: false, new_config: null, new_list: [] })).toBe(8);
  });

  it.each<[string, unknown, RegExp]>([
    ["is no object", "lora", /it: /],
    ["lacks the strength", { peft_type: "LORA" }, /no lora_alpha and r/],
    ["has an alpha that is no number", { ...plain, lora_alpha: "8" }, /lora_alpha: /],
    ["has another kind", { ...plain, peft_type: "OFT" }, /peft_type is OFT/],
    ["asks for something unknown", { ...plain, use_something_new: 3 }, /use_something_new = 3 is not known/],
    ["changed the base", { ...plain, init_lora_weights: "pissa" }, /"pissa", which changes the base's weights/],
    ["has another rank than the tensors", { ...plain, r: 8 }, /rank 8 by the config and 4 in the tensors/],
    ["has a pattern that is no expression", { ...plain, alpha_pattern: { "to_(q": 1 } }, /no regular expression/],
    ["has a pattern that takes long", { ...plain, alpha_pattern: { "(a+)+": 1 } }, /repeats groups/],
  ])("is refused where it %s", (_, fields, message) => {
    expect(() => alpha(fields)).toThrow(FileError);
    expect(() => alpha(fields)).toThrow(message);
  });

  it("is read for each part from a file's metadata", () => {
    const metadata = {
      lora_adapter_metadata: JSON.stringify({ "unet.lora_alpha": 5, "text_encoder_2.lora_alpha": 3 }),
    };
    const alphas = alphasIn("a.safetensors", metadata);
    expect(alphas(LAYER, 4)).toBe(5);
    expect(alphas({ part: "text_encoder_2", name: "encoder.layers.0.mlp.fc1" }, 4)).toBe(3);
    expect(alphas({ part: "text_encoder", name: "encoder.layers.0.mlp.fc1" }, 4)).toBeNull();
  });

  it("names layers of a text encoder with or without text_model", () => {
    const fields = {
      ...plain,
      alpha_pattern: { "text_model.encoder.layers.0.mlp.fc1": 2, "^encoder.layers.1.mlp.fc1": 3 },
    };
    const alphas = alphasIn("a", {}, { file: "adapter_config.json", fields });
    for (const prefix of ["", "text_model."]) {
      expect(alphas({ part: "text_encoder", name: `${prefix}encoder.layers.0.mlp.fc1` }, 4)).toBe(2);
      expect(alphas({ part: "text_encoder", name: `${prefix}encoder.layers.1.mlp.fc1` }, 4)).toBe(3);
    }
  });
});
