import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { safetensors } from "../../src/checkpoint/index.js";
import { inspectModelFolders } from "../../src/inspect/index.js";
import { float } from "../../src/tensor/index.js";
import { temporaryFolder } from "../support/folder.js";

it("reports each model of a model folder, or its problem", async () => {
  const root = temporaryFolder();
  mkdirSync(path.join(root, "models/loras"), { recursive: true });
  writeFileSync(path.join(root, "models/loras/empty.safetensors"), "");
  const put = (name: string, tensors: Parameters<typeof safetensors>[0]) =>
    writeFileSync(path.join(root, "models/loras", name), safetensors(tensors));
  put("xl.safetensors", {
    "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.lora_A.weight": float(
      [1, 2048],
      new Float32Array(2048),
    ),
  });
  put("flux.safetensors", {
    "lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight": float([1, 2], new Float32Array(2)),
  });
  const items = [];
  for await (const { name, about, runs, parameters } of inspectModelFolders([{ kind: "comfy", path: root }]))
    items.push({ name, about, runs, parameters });
  expect(items).toEqual([
    { name: "empty.safetensors", about: expect.stringMatching(/^is empty/), runs: false, parameters: null },
    { name: "flux.safetensors", about: "an adapter for FLUX.1, FLUX.2 or Chroma", runs: true, parameters: 2 },
    { name: "xl.safetensors", about: "an adapter for Stable Diffusion XL", runs: true, parameters: 2048 },
  ]);
});
