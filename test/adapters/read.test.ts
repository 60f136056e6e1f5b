import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Layers, readAdapter } from "../../src/adapters/index.js";
import type { LayerShape } from "../../src/adapters/names.js";
import { FileError, RequestError } from "../../src/errors.js";
import { createRng, type FloatTensor, float } from "../../src/tensor/index.js";
import { fileOf, layersWith, MATRIX_KINDS } from "../support/adapters.js";

const TEXT = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k";
const layers: Layers = new Map([
  [
    "unet",
    new Map([
      [TEXT, { weight: [8, 768], bias: [8] }],
      ["down_blocks.0.resnets.0.conv1", { weight: [6, 4, 3, 3], bias: [6] }],
      ["conv_out", { weight: [4, 6, 3, 3], bias: [4] }],
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

  it("reads a change of a bias only where the layer has one", () => {
    const change: [string, FloatTensor][] = [["lora_unet_conv_out.diff_b", draw.randn([4])]];
    expect(read(change).targets.map((t) => t.delta.kind)).toEqual(["difference"]);
    const none = new Map([["unet", new Map([["conv_out", { weight: [4, 6, 3, 3], bias: null }]])]] as const);
    expect(() => readAdapter("some.safetensors", new Map(change), none)).toThrow(RequestError);
  });

  it("reads PEFT's DoRA lengths of a convolution as lengths of outputs", () => {
    const [down, up] = pair("unet.conv_out", [2, 6, 3, 3], [4, 2, 1, 1]);
    const lengths: [string, FloatTensor] = ["unet.conv_out.lora_magnitude_vector", draw.randn([1, 4, 1, 1])];
    const [target] = down && up ? read([down, up, lengths]).targets : [];
    expect(target?.delta).toMatchObject({ magnitude: { axis: "output", lengths: { shape: [4] } } });
  });

  it.each<[string, new (...args: never[]) => Error, [string, FloatTensor][]]>([
    ["nothing", FileError, []],
    ["no adapter", FileError, [["conv.weight", float([2, 2])]]],
    ["keys of another model", RequestError, pair("unet.nowhere", [1, 2], [2, 1])],
    ["keys left over", RequestError, [...pair("unet.conv_out", [2, 6, 3, 3], [4, 2, 1, 1]), ["what.ever", float([1])]]],
    ["a LoRA of another family", RequestError, pair(`unet.${TEXT}`, [2, 2048], [8, 2])],
    ["half a pair", FileError, pair(`unet.${TEXT}`, [2, 768], [8, 2]).slice(0, 1)],
    ["a layer twice", FileError, [...pair(`unet.${TEXT}`, [2, 768], [8, 2]), ...pair(TEXT, [2, 768], [8, 2])]],
    [
      "two kinds on one layer",
      FileError,
      [
        ...pair(`unet.${TEXT}`, [2, 768], [8, 2]),
        [`unet.${TEXT}.lokr_w1`, draw.randn([2, 2])],
        [`unet.${TEXT}.lokr_w2`, draw.randn([4, 384])],
      ],
    ],
    [
      "DoRA lengths beside a difference",
      FileError,
      [
        [`unet.${TEXT}.diff`, draw.randn([8, 768])],
        [`unet.${TEXT}.dora_scale`, draw.randn([8, 1])],
      ],
    ],
    [
      "a core for one factor of two",
      FileError,
      [
        ...(["w1_a", "w2_a"] as const).map((f): [string, FloatTensor] => [
          `unet.${TEXT}.hada_${f}`,
          draw.randn([8, 8]),
        ]),
        ...(["w1_b", "w2_b"] as const).map((f): [string, FloatTensor] => [
          `unet.${TEXT}.hada_${f}`,
          draw.randn([8, 768]),
        ]),
        [`unet.${TEXT}.hada_t1`, draw.randn([8, 8])],
      ],
    ],
  ])("refuses %s", (_, kind, tensors) => {
    expect(() => read(tensors)).toThrow(kind);
  });

  it("reads keys with an adapter's own name in them", () => {
    const tensors = pair(`unet.${TEXT}`, [2, 768], [8, 2]).map(([key, tensor]): [string, FloatTensor] => [
      key.replace(/(lora_.)/, "$1.default_0"),
      tensor,
    ]);
    expect(read(tensors).targets.map((t) => [t.layer, t.delta.kind])).toEqual([[TEXT, "low-rank"]]);
  });

  it.each([
    ["GLoRA", ".a1.weight"],
    ["OFT", ".oft_blocks"],
    ["OFT", ".oft_r.weight"],
    ["BOFT", ".boft_R"],
    ["(IA)³", ".on_input"],
    ["VeRA", ".vera_lambda_b"],
    ["LoRA with trained biases (lora_bias)", ".lora_B.bias"],
  ])("names the kind of what it does not support: %s", (kind, ending) => {
    const tensors = [...pair(`unet.${TEXT}`, [2, 768], [8, 2]), [`unet.${TEXT}${ending}`, float([8])]] as [
      string,
      FloatTensor,
    ][];
    for (const allowUnmatched of [false, true]) {
      expect(() => read(tensors, { allowUnmatched })).toThrow(FileError);
      expect(() => read(tensors, { allowUnmatched })).toThrow(`is a change of kind ${kind}; supported: LoRA`);
    }
  });

  it("refuses an adapter for another family by both names", () => {
    const other = pair(`lora_unet_${TEXT.replaceAll(".", "_")}`, [2, 2048], [8, 2]);
    expect(() => read(other, { allowUnmatched: true })).toThrow(
      /an adapter for Stable Diffusion XL; the model is Stable Diffusion 1\.x/,
    );
    expect(() => read(other, { family: "sd2" })).toThrow(/the model is Stable Diffusion 2\.x/);
    const flux = pair("lora_unet_double_blocks_0_img_attn_qkv", [2, 3072], [9216, 2]);
    expect(() => read(flux, { allowUnmatched: true })).toThrow(
      /an adapter for FLUX\.1, FLUX\.2 or Chroma; the model is Stable Diffusion 1\.x/,
    );
  });

  it("refuses a file of which no key matches, also where unmatched keys are allowed", () => {
    const tensors = pair("unet.nowhere.to_q", [1, 2], [2, 1]);
    for (const allowUnmatched of [false, true]) {
      expect(() => read(tensors, { allowUnmatched })).toThrow(RequestError);
      expect(() => read(tensors, { allowUnmatched })).toThrow(/none of its 2 keys/);
      expect(() => read(tensors, { allowUnmatched })).not.toThrow(/--allow-unmatched/);
    }
    expect(() => read([...tensors, ...pair("unet.conv_out", [2, 6, 3, 3], [4, 2, 1, 1])])).toThrow(
      /2 of its 4 keys .* --allow-unmatched/,
    );
  });

  it("refuses metadata that cannot be read, which may hold alpha", () => {
    const metadata = { lora_adapter_metadata: "{lora_alpha: 4" };
    expect(() => read(pair(`unet.${TEXT}`, [2, 768], [8, 2]), { metadata })).toThrow(FileError);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])("refuses %s in any tensor, naming file and tensor", (value) => {
    fc.assert(
      fc.property(fc.constantFrom(...Object.values(MATRIX_KINDS)), fc.nat(99), fc.nat(99), (make, n, at) => {
        const layer = { weight: [4, 6, 3, 3], bias: [4] };
        const tensors = fileOf(make(layer, n).tensors);
        const [key, tensor] = [...tensors][n % tensors.size] ?? ["", float([])];
        tensor.data[at % tensor.data.length] = value;
        expect(() => readAdapter("some.safetensors", tensors, layersWith(layer))).toThrow(
          expect.objectContaining({ name: "NonFiniteTensorError", file: "some.safetensors", tensor: key, value }),
        );
      }),
    );
  });
});

describe("an adapter of XLabs", () => {
  const D = 2;
  const square = { weight: [D, D], bias: [D] };
  const block = "single_transformer_blocks.0";
  const flux: Layers = new Map([
    [
      "unet",
      new Map<string, LayerShape>([
        ["time_text_embed.text_embedder.linear_1", square],
        ["context_embedder", square],
        ...["to_q", "to_k", "to_v"].map((to) => [`${block}.attn.${to}`, square] as const),
        [`${block}.proj_mlp`, { weight: [4 * D, D], bias: [4 * D] }],
        [`${block}.proj_out`, { weight: [D, 5 * D], bias: [D] }],
      ]),
    ],
  ]);
  const tensor = (...shape: number[]) =>
    float(
      shape,
      Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i + 1),
    );
  const matrices = (layer: string, outputs: number) =>
    [
      [`${layer}.down.weight`, tensor(1, D)],
      [`${layer}.up.weight`, tensor(outputs, 1)],
    ] as const;
  const qkv = matrices("single_blocks.0.processor.qkv_lora", 3 * D);

  it("changes queries, keys and values by their rows, without alpha", () => {
    const { dialects, targets, unmatched } = readAdapter("x", new Map(qkv), flux);
    expect({ dialects, unmatched }).toEqual({ dialects: ["XLabs"], unmatched: [] });
    const changes = targets.map(({ layer, delta }) => [
      layer,
      delta.kind === "low-rank" && { up: [...delta.up.data], down: [...delta.down.data], alpha: delta.alpha },
    ]);
    expect(changes).toEqual([
      [`${block}.attn.to_q`, { up: [1, 2], down: [1, 2], alpha: null }],
      [`${block}.attn.to_k`, { up: [3, 4], down: [1, 2], alpha: null }],
      [`${block}.attn.to_v`, { up: [5, 6], down: [1, 2], alpha: null }],
    ]);
  });

  it("is refused with keys of no layer, and with a layer that it changes under two names", () => {
    const stray = new Map([...qkv, ...matrices("single_blocks.0.processor.qkv_lora1", 3 * D)]);
    expect(() => readAdapter("x", stray, flux)).toThrow(
      /2 of its 4 keys belong to this model; unmatched: single_blocks/,
    );
    const fused = [
      ["single_blocks.0.linear1.lora_down.weight", tensor(1, D)],
      ["single_blocks.0.linear1.lora_up.weight", tensor(7 * D, 1)],
    ] as const;
    expect(() => readAdapter("x", new Map([...qkv, ...fused]), flux)).toThrow(/attn\.to_q twice/);
  });
});
