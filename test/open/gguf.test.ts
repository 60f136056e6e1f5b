import { existsSync, readdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { readFloats, safetensors } from "../../src/checkpoint/index.js";
import { derivedFolder, openCheckpoint, openWeights } from "../../src/checkpoint/node/index.js";
import { formIn, generate, memoryUses } from "../../src/generate/index.js";
import { checkReference } from "../../src/inspect/index.js";
import type { Preparing } from "../../src/networks/index.js";
import { memoryNeedsOfFiles, type OpenOptions, openPair, type PairReference, readFiles } from "../../src/open/index.js";
import { count, createRng, type FloatTensor, float } from "../../src/tensor/index.js";
import { temporaryFolder } from "../support/folder.js";
import { type Stored, writeGguf } from "../support/gguf.js";
import { singleGolden, tensorsOf, writeSingle } from "../support/single-file.js";

const root = temporaryFolder();
process.env["XDG_CACHE_HOME"] = root;
const UNET = "model.diffusion_model.";
const all = tensorsOf(singleGolden("sdxl"));
const unet = Object.fromEntries(Object.entries(all).filter(([key]) => key.startsWith(UNET)));
const plain = writeSingle(path.join(root, "plain.safetensors"), all);

/** Loads the base's UNet and nothing else: what was told while its weights were prepared. */
async function prepare(base: string): Promise<Preparing[]> {
  const told: Preparing[] = [];
  const pair = await openPair({ base }, { threads: 1, onPrepare: (p) => told.push(p) });
  try {
    await pair.base.network.load({ height: 4, width: 8, tokens: 77 });
    return told;
  } finally {
    await pair.close();
  }
}

async function imagesOf(
  base: string,
  distilled?: string,
  { upcast, adapters }: Pick<OpenOptions, "upcast"> & Pick<PairReference, "adapters"> = {},
): Promise<Float32Array> {
  const pair = await openPair(
    { base, ...(distilled !== undefined && { distilled }), ...(adapters && { adapters }) },
    { threads: 1, ...(upcast && { upcast }) },
  );
  try {
    const mode = distilled === undefined ? ("base" as const) : ("distilled" as const);
    const size = { width: 16, height: 24 };
    const request = { prompts: ["a fox, of all things!"], steps: 2, mode, size, guidance: 3 };
    for await (const e of generate(pair, request)) if (e.type === "image") return e.latents.data;
    throw new Error("no picture");
  } finally {
    await pair.close();
  }
}

/** A safetensors file with the very values that a GGUF file unpacks to. */
async function unpacked(gguf: string): Promise<string> {
  const tensors: Record<string, FloatTensor> = {};
  for (const [name, weight] of (await openWeights(gguf)).weights) {
    tensors[name] = float(all[name]?.shape ?? weight.shape, await readFloats(weight));
  }
  const file = gguf.replace(/gguf$/, "safetensors");
  writeFileSync(file, safetensors(tensors));
  return file;
}

/** Root mean square of the difference over that of what is expected. */
function error(actual: Float32Array, expected: Float32Array): number {
  const squares = (values: Float32Array) => values.reduce((n, v) => n + v * v, 0);
  return Math.sqrt(squares(actual.map((v, i) => v - (expected[i] ?? Number.NaN))) / squares(expected));
}

const generated = new Map<string, Promise<Float32Array>>();
/** The picture of a whole checkpoint, generated once. */
function picture(base: string): Promise<Float32Array> {
  const found = generated.get(base) ?? imagesOf(base);
  generated.set(base, found);
  return found;
}
const whole = (stored: Stored) => path.join(root, `whole-${stored}.gguf`);

describe.each<[Stored, number]>([
  ["float16", 0.005],
  ["q8_0", 0.05],
  ["q4_k", 0.5],
])("a whole checkpoint in GGUF, %s", (stored, within) => {
  const file = whole(stored);
  // stable-diffusion.cpp keeps embeddings as they are, ComfyUI-GGUF everything but the UNet.
  writeGguf(file, all, (name) => (name.startsWith(UNET) ? stored : "float32"));

  it(`is within ${within} of the float32 picture, and not the same`, async () => {
    const off = error(await picture(file), await picture(plain));
    expect(off).toBeLessThan(within);
    expect(off).toBeGreaterThan(within / 100);
  });

  it("says in check what it is stored as", async () => {
    const { about, components, notes } = await checkReference(file);
    expect(about).toMatch(/Stable Diffusion XL/);
    expect(components.find((c) => c.name === "unet")?.dtypes).toEqual(["float32", stored].sort());
    expect(components.find((c) => c.name === "vae")?.dtypes).toEqual(["float32"]);
    const unpacked = notes.filter((n) =>
      /^unet: .* MB of quantised blocks .* MB of float32.*--upcast per-call, matrices stay packed on the CPU: .* MB$/.test(
        n,
      ),
    );
    expect(unpacked).toHaveLength(stored === "float16" ? 0 : 1);
  });
});

it.each(["q8_0", "q4_k"] as const)(
  "%s generates what a file with its values generates, to the bit",
  { timeout: 60_000 },
  async (stored) => {
    expect([...(await picture(whole(stored)))]).toEqual([...(await imagesOf(await unpacked(whole(stored))))]);
  },
);

describe("a UNet in GGUF", { timeout: 240_000 }, () => {
  const bare = Object.fromEntries(Object.entries(unet).map(([key, t]) => [key.slice(UNET.length), t]));

  const stored = (name: string, tensors: Readonly<Record<string, FloatTensor>>) =>
    writeGguf(path.join(root, name), tensors, () => "q8_0", { "general.architecture": "sdxl" });

  it("is the distilled model of another, rearranged kernels and all", async () => {
    const file = stored("bare.gguf", bare);
    const kernel = (await openWeights(file)).weights.get("input_blocks.5.0.in_layers.2.weight");
    expect(kernel?.shape).toHaveLength(4);
    expect(kernel?.bytes.in).toBe("blocks");
    expect([...(await imagesOf(plain, file))]).toEqual([...(await picture(whole("q8_0")))]);
  });

  it("is the same with the prefix, and with diffusers' names", async () => {
    const tensors: Record<string, FloatTensor> = {};
    const index = await (await openCheckpoint(plain)).components.get("unet")?.weights();
    for (const [name, weight] of index?.weights ?? []) tensors[name] = float(weight.shape, await readFloats(weight));
    const [first, ...others] = await Promise.all(
      [stored("bare.gguf", bare), stored("prefixed.gguf", unet), stored("diffusers.gguf", tensors)].map(
        async (file) => {
          const pair = await openPair({ base: plain, distilled: file });
          await pair.close();
          const values = new Map<string, number>();
          for (const [name, weight] of (await pair.distilled?.weights())?.weights ?? []) {
            // What is large takes long: every bias, norm and small matrix is enough.
            const read = count(weight.shape) < 10_000 ? await readFloats(weight) : new Float32Array();
            values.set(
              name,
              read.reduce((n, v, i) => n + v * ((i % 7) + 1), 0),
            );
          }
          return values;
        },
      ),
    );
    expect(first?.size).toBe(index?.weights.size);
    for (const other of others) expect(new Map([...other].sort())).toEqual(new Map([...(first ?? [])].sort()));
  });

  it("alone as the base is told where it belongs", async () => {
    for (const name of ["bare.gguf", "diffusers.gguf"]) {
      const base = path.join(root, name);
      await expect(openPair({ base })).rejects.toThrow(/a UNet without text encoders: give it as --distilled/);
    }
  });
});

describe.each(["q4_0", "q8_0", "q4_k"] as const)("a whole checkpoint in %s that stays packed", (stored) => {
  const file = path.join(root, `packed-${stored}.gguf`);
  writeGguf(file, all, (name) => (name.startsWith(UNET) ? stored : "float32"));

  /** A LoRA of the queries, beside their matrices. */
  async function loraOf(base: string): Promise<string> {
    const { weights = new Map() } = (await (await openCheckpoint(base)).components.get("unet")?.weights()) ?? {};
    const tensors: Record<string, FloatTensor> = {};
    for (const [name, { shape }] of weights) {
      const layer = /^(.*attn[12]\.to_q)\.weight$/.exec(name)?.[1];
      if (layer === undefined) continue;
      tensors[`unet.${layer}.lora_A.weight`] = createRng(1).randn([2, shape[1] ?? 0]);
      tensors[`unet.${layer}.lora_B.weight`] = createRng(2).randn([shape[0] ?? 0, 2]);
    }
    const lora = path.join(root, "queries.safetensors");
    writeFileSync(lora, safetensors(tensors));
    return lora;
  }

  it("generates what its unpacked blocks generate, with a LoRA too", { timeout: 240_000 }, async () => {
    const adapters = [{ ref: await loraOf(file), scale: 0.5 }];
    const of = (upcast: "at-load" | "per-call", more = {}) => imagesOf(file, undefined, { upcast, ...more });
    const [unpacked, packed] = [await of("at-load"), await of("per-call")];
    expect(error(packed, unpacked)).toBeLessThan(1e-4);
    const [adapted, both] = [await of("at-load", { adapters }), await of("per-call", { adapters })];
    expect(error(both, adapted)).toBeLessThan(1e-4);
    expect(error(adapted, unpacked)).toBeGreaterThan(1e-2);
  });

  it("is packed where the memory budget asks for it", async () => {
    const told: Preparing[] = [];
    const open = async (memoryBudget?: number) => {
      const pair = await openPair(
        { base: file },
        { threads: 1, onPrepare: (p) => told.push(p), ...(memoryBudget !== undefined && { memoryBudget }) },
      );
      await pair.base.network.load({ height: 4, width: 8, tokens: 77 });
      await pair.close();
      return [pair.engine.unpack, told.splice(0).at(-1)?.total ?? 0] as const;
    };
    // Another file of the same blocks, so that nothing is there yet.
    utimesSync(file, new Date(), new Date(2002, 1, 1));
    const [unpacked, packed] = [await open(), await open(1)];
    expect([unpacked[0], packed[0]]).toEqual(["at-load", "per-call"]);
    expect(packed[1]).toBeLessThan(unpacked[1]);
  });
});

describe("unpacked weights", { timeout: 240_000 }, () => {
  const file = path.join(root, "kept.gguf");
  writeGguf(file, all, (name) => (name.startsWith(UNET) ? "q8_0" : "float32"));
  const files = () => readdirSync(derivedFolder()).sort();

  it("are made once, tell how far they are, and are made again when the file changes", async () => {
    const before = files();
    const told = await prepare(file);
    expect(told.at(-1)?.done).toBe(told.at(-1)?.total);
    expect(new Set(told.map((p) => p.network))).toEqual(new Set(["base"]));
    const made = files().filter((f) => !before.includes(f));
    expect(made).toHaveLength(1);
    expect(await prepare(file)).toEqual([]);
    utimesSync(file, new Date(), new Date(2000, 1, 1));
    expect((await prepare(file)).length).toBeGreaterThan(0);
    expect(files().filter((f) => f.startsWith(".") || f.endsWith(".lock"))).toEqual([]);
  });

  it("are made again where what was kept is not whole", async () => {
    for (const name of files()) writeFileSync(path.join(derivedFolder(), name), "cut short");
    expect([...(await imagesOf(file))]).toEqual([...(await picture(whole("q8_0")))]);
  });

  it("go when nobody has asked for them in a month", async () => {
    const old = path.join(derivedFolder(), "old.safetensors");
    writeFileSync(old, "");
    utimesSync(old, new Date(2000, 1, 1), new Date(2000, 1, 1));
    utimesSync(file, new Date(), new Date(2001, 1, 1));
    await prepare(file);
    expect(existsSync(old)).toBe(false);
  });

  it("count as float32 in what memory is needed, and less where they stay packed", async () => {
    const needs = async (base: string, device?: "webgpu") => {
      return memoryNeedsOfFiles(await readFiles({ base }), "float32", device);
    };
    const parameters = Object.values(unet).reduce((n, t) => n + count(t.shape), 0);
    const [packed, whole] = [await needs(file), await needs(plain)];
    const weightsOf = (all: typeof packed) => all.map(({ offload, bytes, stored }) => ({ offload, bytes, stored }));
    expect(weightsOf(packed)).toEqual(weightsOf(whole));
    expect(await needs(file, "webgpu")).toEqual(await needs(plain, "webgpu"));
    for (const need of packed) expect(need.packed).toBeLessThan(need.bytes);
    // The file itself is a quarter of it.
    expect(statSync(plain).size - statSync(file).size).toBeGreaterThan(2 * parameters);

    // What a budget decides: packed only where no strategy fits otherwise.
    const least = Math.min(...packed.map(({ stored }) => stored));
    const enough = (4 / 3) * least + 1;
    expect(formIn(packed, enough)).toEqual({ upcast: "per-call", unpack: "at-load" });
    expect(formIn(packed, enough - 2)).toEqual({ upcast: "per-call", unpack: "per-call" });
    expect(formIn(packed, 1, "at-load")).toEqual({ upcast: "at-load", unpack: "at-load" });
    expect(formIn(packed, 1e12, "per-call")).toEqual({ upcast: "per-call", unpack: "per-call" });
    const uses = (budget: number) => memoryUses(packed, budget).map(({ bytes }) => bytes);
    expect(uses(enough)).toEqual(packed.map(({ stored }) => stored));
    expect(uses(enough - 2)).toEqual(packed.map((need) => need.packed));
  });

  it("cannot be made where the cache cannot be written, and says so", async () => {
    process.env["XDG_CACHE_HOME"] = path.join(plain, "is-a-file");
    await expect(prepare(file)).rejects.toThrow(/\(ENOTDIR\); set XDG_CACHE_HOME/);
    process.env["XDG_CACHE_HOME"] = root;
  });
});
