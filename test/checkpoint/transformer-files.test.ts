import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { safetensors, tensorsOf } from "../../src/checkpoint/index.js";
import { openWeights } from "../../src/checkpoint/node/index.js";
import { transformerConfig } from "../../src/checkpoint/transformer-configs.js";
import { FAMILIES, ownTensors, recognise } from "../../src/families/index.js";
import { generate } from "../../src/generate/index.js";
import { parseSd3Config } from "../../src/models/sd3-config.js";
import { type OpenOptions, openPair } from "../../src/open/index.js";
import { count, type FloatTensor, float } from "../../src/tensor/index.js";
import { checkpointFolder, componentFolder } from "../support/checkpoint.js";
import { temporaryFolder } from "../support/folder.js";
import { writeGguf } from "../support/gguf.js";
import { description, farthest } from "../support/parity.js";

const schema = z.object({
  tensors: z.array(z.tuple([z.string(), z.array(z.number())])),
  /** diffusers' tensor → tensor of the file, and its rows there. */
  places: z.record(z.string(), z.tuple([z.string(), z.array(z.number())])),
});
const FILES = [
  { name: "z-image", family: "zimage", component: "z-image-fast", base: "zimage", architecture: "lumina2" },
  { name: "flux1", family: "flux1", component: "flux1-fast", base: "flux1", architecture: "flux" },
  { name: "chroma", family: "chroma", component: "chroma-fast", base: "chroma", architecture: "flux" },
  { name: "sd3", family: "sd3", component: "sd3", base: "sd3", architecture: "sd3" },
  { name: "flux2", family: "flux2", component: "flux2-fast", base: "klein", architecture: "flux" },
] as const;

it("takes heads of 64 features for a Stable Diffusion 3 without norms of heads, as SD3 medium has", () => {
  const sizes = { layers: 24, features: 1536, positions: 192 ** 2 };
  const shapes = new Map<string, number[]>([
    ["pos_embed.pos_embed", [1, sizes.positions, sizes.features]],
    ["pos_embed.proj.weight", [sizes.features, 16, 2, 2]],
    ["context_embedder.weight", [sizes.features, 4096]],
    ["time_text_embed.text_embedder.linear_1.weight", [sizes.features, 2048]],
    ["proj_out.weight", [64, sizes.features]],
    ...Array.from({ length: sizes.layers }, (_, i): [string, number[]] => {
      return [`transformer_blocks.${i}.attn.to_q.weight`, [sizes.features, sizes.features]];
    }),
  ]);
  const config = transformerConfig("SD3Transformer2DModel", "sd3_medium.safetensors", shapes);
  expect(parseSd3Config({ file: "sd3_medium.safetensors", config })).toMatchObject({
    layers: 24,
    heads: 24,
    features: 1536,
    positions: 192,
    pooledFeatures: 2048,
    textFeatures: 4096,
    predicted: 16,
    normsHeads: false,
    dualLayers: [],
  });
});

describe.each(FILES)(
  "a transformer file of $name with its authors' names",
  ({ name, family, component, base, architecture }) => {
    const { tensors, places } = description(`single/transformer-${name}`, schema);
    const rules = FAMILIES[family].denoiser.transformer?.names ?? [];

    it("has each tensor where diffusers' converter finds it", () => {
      const found = ownTensors(
        rules,
        tensors.map(([key]) => key),
      );
      expect(new Set(found.keys())).toEqual(new Set(Object.keys(places)));
      const shapes = new Map(tensors);
      for (const [own, { key, share, swapped }] of found) {
        const [rows = 0] = shapes.get(key) ?? [];
        const all = Array.from({ length: rows }, (_, i) => i);
        const [index, of, parts = 1] = share ?? [0, 1];
        const part = all.slice((index * rows) / of, ((index + parts) * rows) / of);
        const half = part.length / 2;
        const expected = swapped ? [...part.slice(half), ...part.slice(0, half)] : part;
        expect(places[own], own).toEqual([key, expected]);
      }
    });

    it("is recognised, and not taken for another family", () => {
      const prefixed = new Map(tensors.map(([key, shape]) => [`model.diffusion_model.${key}`, shape] as const));
      for (const shapes of [new Map(tensors), prefixed]) {
        expect(recognise(shapes)).toMatchObject({ kind: "unet", family, names: "stability" });
      }
    });

    it("gives what the folder gives, in safetensors and in GGUF", { timeout: 240_000 }, async () => {
      const folder = temporaryFolder();
      const own = await tensorsOf(
        await openWeights(path.join(componentFolder(component), "diffusion_pytorch_model.safetensors")),
      );
      const inFile: Record<string, FloatTensor> = Object.fromEntries(
        tensors.map(([key, shape]) => [key, float(shape)]),
      );
      for (const [ownName, [key, rows]] of Object.entries(places)) {
        const { data = new Float32Array(), shape = [] } = own.get(ownName) ?? {};
        const row = count(shape.slice(1));
        for (const [i, to] of rows.entries()) inFile[key]?.data.set(data.subarray(i * row, (i + 1) * row), to * row);
      }
      const file = path.join(folder, "own-names.safetensors");
      writeFileSync(file, safetensors(inFile));
      const gguf = path.join(folder, "own-names.gguf");
      writeGguf(gguf, inFile, () => "float32", { "general.architecture": architecture });
      const latentsOf = async (distilled: string, options: OpenOptions = {}) => {
        const pair = await openPair({ base: checkpointFolder(base), distilled }, { threads: 1, ...options });
        try {
          const request = { prompts: ["a hat"], steps: 1, mode: "distilled" as const, size: { width: 40, height: 24 } };
          for await (const e of generate(pair, request)) if (e.type === "image") return e.latents.data;
          throw new Error("no picture");
        } finally {
          await pair.close();
        }
      };
      const expected = await latentsOf(componentFolder(component));
      for (const distilled of [file, gguf]) expect(farthest(await latentsOf(distilled), expected)).toBeLessThan(1e-5);

      // Rows of fused matrices in blocks, packed and unpacked.
      const blocks = path.join(folder, "blocks.gguf");
      writeGguf(blocks, inFile, () => "q8_0", { "general.architecture": architecture });
      const unpacked = await latentsOf(blocks, { upcast: "at-load" });
      expect(farthest(await latentsOf(blocks, { upcast: "per-call" }), unpacked)).toBeLessThan(1e-4);
      expect(farthest(unpacked, expected)).toBeLessThan(0.2);
    });
  },
);
