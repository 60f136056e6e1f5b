import { describe, expect, it } from "vitest";
import { type LayerShape, layersOf, nameTable, type Part } from "../../src/adapters/names.js";
import { stabilityNames } from "../../src/families/index.js";

/** The blocks of SDXL's UNet, as far as names go: two layers a block, no attention in the first. */
const SDXL = [
  "conv_in",
  "time_embedding.linear_1",
  "add_embedding.linear_2",
  ...[0, 1, 2].flatMap((i) => [0, 1].map((j) => `down_blocks.${i}.resnets.${j}.conv1`)),
  ...[1, 2].flatMap((i) => [0, 1].map((j) => `down_blocks.${i}.attentions.${j}.transformer_blocks.0.attn1.to_q`)),
  "down_blocks.0.downsamplers.0.conv",
  "down_blocks.1.downsamplers.0.conv",
  "mid_block.resnets.0.conv2",
  "mid_block.attentions.0.proj_in",
  "mid_block.resnets.1.time_emb_proj",
  ...[0, 1, 2].flatMap((i) => [0, 1, 2].map((j) => `up_blocks.${i}.resnets.${j}.conv_shortcut`)),
  ...[0, 1].flatMap((i) => [0, 1, 2].map((j) => `up_blocks.${i}.attentions.${j}.proj_out`)),
  "up_blocks.0.upsamplers.0.conv",
  "up_blocks.1.upsamplers.0.conv",
  "conv_out",
];

describe("names of layers", () => {
  it("in Stability's numbering count blocks through (field: input_blocks i is down block (i − 1) / 3)", () => {
    const sgm = stabilityNames(SDXL);
    expect(Object.fromEntries(sgm)).toMatchObject({
      conv_in: "input_blocks.0.0",
      "time_embedding.linear_1": "time_embed.0",
      "add_embedding.linear_2": "label_emb.0.2",
      "down_blocks.0.resnets.1.conv1": "input_blocks.2.0.in_layers.2",
      "down_blocks.0.downsamplers.0.conv": "input_blocks.3.0.op",
      "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q": "input_blocks.4.1.transformer_blocks.0.attn1.to_q",
      "down_blocks.2.resnets.0.conv1": "input_blocks.7.0.in_layers.2",
      "mid_block.resnets.0.conv2": "middle_block.0.out_layers.3",
      "mid_block.attentions.0.proj_in": "middle_block.1.proj_in",
      "mid_block.resnets.1.time_emb_proj": "middle_block.2.emb_layers.1",
      "up_blocks.0.attentions.2.proj_out": "output_blocks.2.1.proj_out",
      "up_blocks.0.upsamplers.0.conv": "output_blocks.2.2.conv",
      "up_blocks.2.resnets.1.conv_shortcut": "output_blocks.7.0.skip_connection",
      conv_out: "out.2",
    });
    expect(sgm.size).toBe(SDXL.length);
    expect(new Set(sgm.values()).size).toBe(SDXL.length);
  });

  it("lead to their layer in every dialect, and no name leads to two", () => {
    const layer = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q";
    const table = nameTable(
      new Map<Part, Map<string, LayerShape>>([
        ["unet", new Map(SDXL.map((n) => [n, { weight: [8, 8], bias: null }]))],
        ["text_encoder", new Map([["encoder.layers.0.mlp.fc1", { weight: [8, 8], bias: [8] }]])],
        ["text_encoder_2", new Map([["text_model.encoder.layers.0.mlp.fc1", { weight: [8, 8], bias: [8] }]])],
      ]),
    );
    for (const key of [
      `unet.${layer}`,
      layer,
      `base_model.model.${layer}`,
      `lora_unet_${layer.replaceAll(".", "_")}`,
      "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q",
      "diffusion_model.input_blocks.4.1.transformer_blocks.0.attn1.to_q",
      "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.processor.to_q",
    ]) {
      expect(table.get(key)?.name, key).toBe(layer);
    }
    for (const [key, part] of [
      ["lora_te1_text_model_encoder_layers_0_mlp_fc1", "text_encoder"],
      ["lora_te_text_model_encoder_layers_0_mlp_fc1", "text_encoder"],
      ["text_encoder.text_model.encoder.layers.0.mlp.fc1", "text_encoder"],
      ["lora_te2_text_model_encoder_layers_0_mlp_fc1", "text_encoder_2"],
    ]) {
      expect(table.get(key ?? "")?.part, key).toBe(part);
    }
  });

  it("lead to their layer with every prefix, both namings, dots or underscores, and from compiled models", () => {
    const layer = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_out.0";
    const table = nameTable(
      new Map<Part, Map<string, LayerShape>>([
        ["unet", new Map([...SDXL, layer].map((n) => [n, { weight: [8, 8], bias: null }]))],
        ["text_encoder", new Map([["text_model.encoder.layers.0.mlp.fc1", { weight: [8, 8], bias: [8] }]])],
        ["text_encoder_2", new Map([["encoder.layers.0.mlp.fc1", { weight: [8, 8], bias: [8] }]])],
      ]),
    );
    const names = {
      unet: [layer, layer.slice(0, -2), "input_blocks.4.1.transformer_blocks.0.attn1.to_out.0"],
      text_encoder: ["text_model.encoder.layers.0.mlp.fc1", "encoder.layers.0.mlp.fc1"],
      text_encoder_2: ["text_model.encoder.layers.0.mlp.fc1", "encoder.layers.0.mlp.fc1"],
    };
    const prefixes = {
      unet: ["", "unet.", "diffusion_model.", "model.diffusion_model.", "base_model.model.", "lora_unet_", "lycoris_"],
      text_encoder: ["text_encoder.", "te1.", "clip_l.", "text_encoders.clip_l.transformer.", "lora_te_", "lora_te1_"],
      text_encoder_2: ["text_encoder_2.", "te2.", "clip_g.", "text_encoders.clip_g.transformer.", "lora_te2_"],
    };
    for (const part of ["unet", "text_encoder", "text_encoder_2"] as const) {
      for (const prefix of prefixes[part]) {
        for (const name of names[part]) {
          const dotted = `${prefix}${name}`;
          const forms = [
            dotted,
            dotted.replaceAll(".", "_"),
            `_orig_mod.${dotted}`,
            `module.${dotted}`,
            `${prefix}_orig_mod.${name}`,
          ];
          for (const form of forms) expect(table.get(form)?.part, form).toBe(part);
        }
      }
    }
    expect(table.get(`unet.${layer.replace("attn1.to_out.0", "attn1.processor.to_out")}`)?.name).toBe(layer);
  });

  it("are those of linear layers, convolutions and norms, with their biases, not of tables", () => {
    const layers = layersOf([
      ["a.weight", [4, 2]],
      ["b.weight", [4, 2, 3, 3]],
      ["norm.weight", [4]],
      ["a.bias", [4]],
      ["text_model.embeddings.token_embedding.weight", [9, 4]],
    ]);
    expect([...layers]).toEqual([
      ["a", { weight: [4, 2], bias: [4] }],
      ["b", { weight: [4, 2, 3, 3], bias: null }],
      ["norm", { weight: [4], bias: null }],
    ]);
  });
});
