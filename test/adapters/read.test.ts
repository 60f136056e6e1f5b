import { describe, expect, it } from "vitest";
import { type Layers, readAdapter } from "../../src/adapters/index.js";
import { FileError, RequestError } from "../../src/errors.js";
import { createRng, type FloatTensor, float } from "../../src/tensor/index.js";

const TEXT = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k";
const layers: Layers = new Map([
  [
    "unet",
    new Map([
      [TEXT, [8, 768]],
      ["down_blocks.0.resnets.0.conv1", [6, 4, 3, 3]],
      ["conv_out", [4, 6, 3, 3]],
    ]),
  ],
]);
const draw = createRng(1);
const pair = (key: string, down: readonly number[], up: readonly number[]): [string, FloatTensor][] => [
  [`${key}.lora_A.weight`, draw.randn(down)],
  [`${key}.lora_B.weight`, draw.randn(up)],
];
const read = (tensors: [string, FloatTensor][], options = {}) =>
  readAdapter("some.safetensors", new Map(tensors), layers, options);

describe("reading an adapter", () => {
  it("accounts for every key and every layer", () => {
    const adapter = read([...pair(`unet.${TEXT}`, [2, 768], [8, 2]), ["what.ever", float([1])]], {
      allowUnmatched: true,
    });
    expect(adapter.targets.map((t) => [t.part, t.layer, t.delta.kind])).toEqual([["unet", TEXT, "low-rank"]]);
    expect(adapter.unmatched).toEqual(["what.ever"]);
    expect(adapter.untouched).toBe(2);
    expect(adapter.dialects).toEqual(["PEFT"]);
  });

  it("takes alpha from the file, else from the metadata, else from nowhere", () => {
    const alpha = (...args: Parameters<typeof read>) => {
      const delta = read(...args).targets[0]?.delta;
      return delta && "alpha" in delta ? delta.alpha : undefined;
    };
    const lora = pair(`unet.${TEXT}`, [2, 768], [8, 2]);
    const metadata = { lora_adapter_metadata: '{"unet.lora_alpha": 5, "unet.alpha_pattern": {"attn2.to_q": 7}}' };
    expect(alpha(lora)).toBeNull();
    expect(alpha(lora, { metadata })).toBe(5);
    const kohya = `lora_unet_${TEXT.replaceAll(".", "_")}`;
    const old: [string, FloatTensor][] = [
      [`${kohya}.lora_down.weight`, draw.randn([2, 768])],
      [`${kohya}.lora_up.weight`, draw.randn([8, 2])],
      [`${kohya}.alpha`, float([], Float32Array.of(3))],
    ];
    expect(alpha(old)).toBe(3);
  });

  it.each<[string, RegExp, new (...args: never[]) => Error, [string, FloatTensor][]]>([
    ["nothing", /holds no tensors/, FileError, []],
    ["no adapter", /is no adapter/, FileError, [["conv.weight", float([2, 2])]]],
    [
      "keys of another model",
      /none of its 2 keys belong.*unet\.nowhere/,
      RequestError,
      pair("unet.nowhere", [1, 2], [2, 1]),
    ],
    [
      "keys left over",
      /2 of its 3 keys belong.*what\.ever/,
      RequestError,
      [...pair("unet.conv_out", [2, 6, 3, 3], [4, 2, 1, 1]), ["what.ever", float([1])]],
    ],
    [
      "a factor of another width",
      /down is \[2, 700\].*\[rank, 768\]/,
      FileError,
      pair(`unet.${TEXT}`, [2, 700], [8, 2]),
    ],
    ["factors that do not meet", /up is \[8, 3\].*\[8, 2\]/, FileError, pair(`unet.${TEXT}`, [2, 768], [8, 3])],
    [
      "another kernel",
      /down is \[2, 4, 1, 1\]/,
      FileError,
      pair("unet.down_blocks.0.resnets.0.conv1", [2, 4, 1, 1], [6, 2, 1, 1]),
    ],
    [
      "a LoRA of another family",
      /made for SDXL.*this model is Stable Diffusion 1\.x/,
      RequestError,
      pair(`unet.${TEXT}`, [2, 2048], [8, 2]),
    ],
    ["rank 0", /rank 0/, FileError, pair(`unet.${TEXT}`, [0, 768], [8, 0])],
    ["half a pair", /has down but no up/, FileError, pair(`unet.${TEXT}`, [2, 768], [8, 2]).slice(0, 1)],
    [
      "what is no number",
      /holds NaN/,
      FileError,
      [
        [`unet.${TEXT}.lora_A.weight`, float([2, 768], new Float32Array(1536).fill(Number.NaN))],
        [`unet.${TEXT}.lora_B.weight`, float([8, 2])],
      ],
    ],
    ["a layer twice", /twice/, FileError, [...pair(`unet.${TEXT}`, [2, 768], [8, 2]), ...pair(TEXT, [2, 768], [8, 2])]],
  ])("refuses %s, naming it", (_, message, kind, tensors) => {
    expect(() => read(tensors)).toThrow(message);
    expect(() => read(tensors)).toThrow(kind);
  });
});
