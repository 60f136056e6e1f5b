/** SANA's text encoder and autoencoder in files of their own, as ComfyUI has them: names, and configs that are told from shapes. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { DC_NAMES } from "../../src/checkpoint/autoencoder-dc-file.js";
import { readAutoencoder, readTextEncoder, safetensors, tensorsOf } from "../../src/checkpoint/index.js";
import { disk, openWeights } from "../../src/checkpoint/node/index.js";
import { GEMMA2_NAMES, otherLayers, ownTensors, recognise } from "../../src/families/index.js";
import { generate } from "../../src/generate/index.js";
import { dcAutoencoder } from "../../src/models/autoencoder-dc.js";
import { parseGemma2Config } from "../../src/models/gemma2.js";
import { openPair } from "../../src/open/index.js";
import { count, type FloatTensor, float } from "../../src/tensor/index.js";
import { checkpointFolder, componentFolder, componentGolden } from "../support/checkpoint.js";
import { temporaryFolder } from "../support/folder.js";
import { description, farthest } from "../support/parity.js";

const { tensors, places } = description(
  "single/autoencoder-dc",
  z.object({
    tensors: z.array(z.tuple([z.string(), z.array(z.number())])),
    /** diffusers' tensor → tensor of the file, and its rows there. */
    places: z.record(z.string(), z.tuple([z.string(), z.array(z.number())])),
  }),
);
const weightsIn = async (folder: string, file = "diffusion_pytorch_model.safetensors") =>
  tensorsOf(await openWeights(path.join(folder, file)));
const written = (name: string, values: Readonly<Record<string, FloatTensor>>): string => {
  const file = path.join(temporaryFolder(), name);
  writeFileSync(file, safetensors(values));
  return file;
};

describe("SANA's autoencoder in a file", () => {
  const folder = componentFolder("vae-dc");

  it("has each tensor where diffusers' converter finds it", () => {
    const found = ownTensors(
      DC_NAMES,
      tensors.map(([key]) => key),
    );
    expect(new Set(found.keys())).toEqual(new Set(Object.keys(places)));
    const shapes = new Map(tensors);
    for (const [own, { key, share }] of found) {
      const [rows = 0] = shapes.get(key) ?? [];
      const [index, of] = share ?? [0, 1];
      const part = Array.from({ length: rows / of }, (_, i) => (index * rows) / of + i);
      expect(places[own], own).toEqual([key, part]);
    }
  });

  it("gives what its folder gives, with the names of its authors and of diffusers", { timeout: 240_000 }, async () => {
    const own = await weightsIn(folder);
    const inFile = Object.fromEntries(tensors.map(([key, shape]) => [key, float(shape)]));
    for (const [name, [key, rows]] of Object.entries(places)) {
      const { data = new Float32Array(), shape = [] } = own.get(name) ?? {};
      const row = count(shape.slice(1));
      for (const [i, to] of rows.entries()) inFile[key]?.data.set(data.subarray(i * row, (i + 1) * row), to * row);
    }
    const wanted = { file: "", config: componentGolden("vae-dc").config };
    const pixels = async (decoder: string) => {
      const pair = await openPair({ base: checkpointFolder("sana"), decoder }, { threads: 1 });
      try {
        const request = { prompts: ["a hat"], steps: 1, size: { width: 64, height: 32 } };
        for await (const e of generate(pair, request)) if (e.type === "image") return Float32Array.from(e.image.data);
        throw new Error("no picture");
      } finally {
        await pair.close();
      }
    };
    const expected = await pixels(folder);
    for (const [name, values] of [
      ["dc-ae-f32c32-sana.safetensors", inFile],
      ["sana_vae.safetensors", Object.fromEntries(own)],
    ] as const) {
      const file = written(name, values);
      const component = await readAutoencoder(await disk.open(file));
      expect(component.className).toBe("AutoencoderDC");
      const { drawDecoder: _, drawEncoder: __, ...facts } = dcAutoencoder({ file, config: component.config });
      expect(facts).toMatchObject(JSON.parse(JSON.stringify(dcAutoencoder(wanted))));
      const { weights } = await component.weights();
      expect([...weights.keys()].toSorted()).toEqual([...own.keys()].toSorted());
      for (const [key, { shape }] of weights) expect({ key, shape }).toEqual({ key, shape: own.get(key)?.shape });
      expect(farthest(await pixels(file), expected)).toBeLessThan(1e-5);
    }
  });
});

describe("Qwen3 in a file with other parts", () => {
  it.each(["qwen3_4b", "qwen3_8b"])("is read by ComfyUI's name %s", async (name) => {
    const own = await weightsIn(componentFolder("qwen3"), "model.safetensors");
    const prefix = `text_encoders.${name}.transformer.model.`;
    const values = Object.fromEntries([...own].map(([key, value]) => [`${prefix}${key}`, value]));
    const component = await readTextEncoder(
      await disk.open(written(`${name}.safetensors`, values)),
      "text_encoder",
      "flux2",
    );
    expect(component.className).toBe("Qwen3Model");
    const { weights } = await component.weights();
    expect([...weights.keys()].toSorted()).toEqual([...own.keys()].toSorted());
  });
});

describe("Gemma 2 in a file", () => {
  it.each(["model.", "", "text_encoders.gemma2_2b.transformer.model."])(
    "is read, with the prefix '%s'",
    async (prefix) => {
      const own = await weightsIn(componentFolder("gemma2-wide"), "model.safetensors");
      const values = Object.fromEntries([...own].map(([key, value]) => [`${prefix}${key}`, value]));
      // ComfyUI's files hold a tokenizer too, beside names that begin with "model.".
      const file = written("gemma_2_2b_it_elm_bf16.safetensors", {
        ...values,
        ...(prefix !== "" && { spiece_model: float([4]) }),
      });
      const component = await readTextEncoder(await disk.open(file), "text_encoder", "sana");
      expect(component.className).toBe("Gemma2Model");
      const wanted = parseGemma2Config({ file, config: componentGolden("gemma2-wide").config });
      expect(parseGemma2Config({ file, config: component.config })).toEqual(wanted);
      const { weights } = await component.weights();
      expect([...weights.keys()].toSorted()).toEqual([...own.keys()].toSorted());
    },
  );

  /** Names and values of llama.cpp, whose converter adds 1 to the weights of norms. */
  const llama = (own: ReadonlyMap<string, FloatTensor>) => {
    const names = otherLayers(GEMMA2_NAMES, [...own.keys()]);
    return [...own].map(
      ([key, value]) =>
        [
          names.get(key)?.name ?? key,
          key.endsWith("norm.weight")
            ? float(
                value.shape,
                value.data.map((v) => v + 1),
              )
            : value,
        ] as const,
    );
  };

  it.each([
    [
      "ComfyUI's",
      (own: ReadonlyMap<string, FloatTensor>) => [...own].map(([key, value]) => [`model.${key}`, value] as const),
    ],
    ["llama.cpp's", llama],
  ])("takes the place of the folder's, with %s names", { timeout: 240_000 }, async (_, renamed) => {
    const folder = componentFolder("gemma2-wide");
    const own = await weightsIn(folder, "model.safetensors");
    const file = written("gemma.safetensors", Object.fromEntries(renamed(own)));
    const encoded = async (encoder: string) => {
      const pair = await openPair({ base: checkpointFolder("sana"), textEncoders: [encoder] }, { threads: 1 });
      try {
        return (await pair.text.encode("a hat", 0)).streams["text"]?.data ?? new Float32Array();
      } finally {
        await pair.close();
      }
    };
    expect(farthest(await encoded(file), await encoded(folder))).toBeLessThan(2e-6);
  });

  it("is not taken for Qwen's or for Gemma 3", () => {
    const layer = "model.layers.0";
    const shapes = new Map<string, number[]>([
      ["model.embed_tokens.weight", [520, 24]],
      [`${layer}.pre_feedforward_layernorm.weight`, [24]],
      [`${layer}.self_attn.q_proj.weight`, [512, 24]],
      [`${layer}.mlp.gate_proj.weight`, [40, 24]],
    ]);
    expect(recognise(shapes)).toMatchObject({ kind: "text encoder", about: expect.stringContaining("Gemma 2") });
    const third = recognise(new Map([...shapes, [`${layer}.self_attn.q_norm.weight`, [256]]]));
    expect(third).toMatchObject({ kind: "other", about: "a language model" });
    const gguf: [string, number[]][] = [
      ["token_embd.weight", [520, 24]],
      ["blk.0.attn_norm.weight", [24]],
      ["blk.0.post_ffw_norm.weight", [24]],
    ];
    expect(recognise(new Map(gguf))).toMatchObject({ about: expect.stringContaining("Gemma 2"), names: "llama.cpp" });
    expect(recognise(new Map([...gguf, ["blk.0.attn_q_norm.weight", [256]]])).kind).toBe("other");
  });
});
