import { existsSync, openAsBlob, readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { blobSource, openUrl, readWeights, tensorsOf } from "../../src/checkpoint/index.js";
import { derivedFolder, deriveInFile, openFile, openWeights } from "../../src/checkpoint/node/index.js";
import { FileError } from "../../src/errors.js";
import { drawUNet, parseUNetConfig } from "../../src/models/index.js";
import { floats, network, type Precision } from "../../src/networks/index.js";
import { openRuntime } from "../../src/runtime/node/index.js";
import { type ByteSource, createRng, float, type WeightIndex } from "../../src/tensor/index.js";
import { temporaryFolder } from "../support/folder.js";
import { writeGguf } from "../support/gguf.js";
import { EMBEDDED, farthest } from "../support/parity.js";
import { webServer } from "../support/web.js";

process.env["XDG_CACHE_HOME"] = temporaryFolder();
const FOLDER = `${EMBEDDED}base/unet`;
const FILE = `${FOLDER}/diffusion_pytorch_model.safetensors`;
const file = `${FOLDER}/config.json`;
const config = parseUNetConfig({ file, config: JSON.parse(readFileSync(file, "utf8")) });

const runtime = openRuntime({ threads: 1 });
afterAll(() => runtime.close());

const rng = createRng(7);
const feeds = {
  sample: rng.randn([2, 4, 8, 12]),
  timestep: float([2], Float32Array.of(749, 749)),
  encoder_hidden_states: rng.randn([2, 8, 160]),
  text_embeds: rng.randn([2, 64]),
  time_ids: float([2, 6], Float32Array.of(64, 96, 0, 0, 64, 96, 64, 96, 0, 0, 64, 96)),
};

/** The UNet's prediction with the weights of an index. */
async function predict(index: WeightIndex, precision: Precision = { compute: "float32" }): Promise<Float32Array> {
  const shape = { height: 8, width: 12, tokens: 8 };
  const draw = (_: "unet", weights: Parameters<typeof drawUNet>[1]) => drawUNet(config, weights, shape);
  const unet = network("unet", runtime, draw, async () => index, { precision });
  const { prediction } = (await unet.run("unet", feeds)).outputs;
  await unet.release();
  return floats(prediction).data;
}
const read = async (source: ByteSource) => readWeights(source);

describe("a network whose weights are in no file", () => {
  it("gives what it gives with mapped weights", async () => {
    const mapped = await predict(await openWeights(FILE));
    expect(mapped.some((v) => Math.abs(v) > 0.1)).toBe(true);
    const server = await webServer({ unet: readFileSync(FILE) });
    const url = await predict(await read(await openUrl(server.url("unet"))));
    expect(farthest(url, mapped)).toBe(0);
    // One request for the header, one for all weights.
    expect(server.asked.length).toBe(2);
    const blob = await predict(await read(blobSource(await openAsBlob(FILE), "unet")), {
      compute: "float32",
      upcast: "per-call",
    });
    expect(farthest(blob, mapped)).toBeLessThan(1e-5);
  });

  it("gives the same where some are and some are not", async () => {
    const mapped = await openWeights(FILE);
    const blob = await read(blobSource(await openAsBlob(FILE)));
    const mixed = new Map([...mapped.weights].map(([name, w], i) => [name, (i % 3 && blob.weights.get(name)) || w]));
    expect(farthest(await predict({ source: "both", weights: mixed }), await predict(mapped))).toBe(0);
  });

  it("says what is wrong with the file where one cannot be read", async () => {
    const source = await openFile(FILE);
    const broken = {
      name: "far away",
      size: source.size,
      // The header only.
      read: async (from: number, length: number) => {
        if (from > 0 && length > 1e5) throw new FileError("far away", "is gone");
        return source.read(from, length);
      },
    };
    await expect(predict(await read(broken))).rejects.toMatchObject({ name: "FileError", file: "far away" });
  });
});

describe("weights that are made anew without a cache folder", () => {
  const gguf = path.join(temporaryFolder(), "unet.gguf");
  /** The UNet in GGUF: matrices whose rows are whole blocks in q8_0. */
  const quantised = async () => {
    const tensors = Object.fromEntries(await tensorsOf(await openWeights(FILE)));
    writeGguf(gguf, tensors, (name) =>
      (tensors[name]?.shape[1] ?? 1) % 32 === 0 && tensors[name]?.shape.length === 2 ? "q8_0" : "float32",
    );
    return openWeights(gguf);
  };
  const told: number[] = [];
  const onPrepare = ({ done, total }: { done: number; total: number }) => void told.push(done / total);

  it.each<[string, () => Promise<WeightIndex>, Precision["compute"]]>([
    ["int8 matrices", () => openWeights(FILE), "int8"],
    ["GGUF blocks", quantised, "float32"],
  ])("%s are what they are with one", async (_, open, compute) => {
    told.length = 0;
    const index = await open();
    const inMemory = await predict(index, { compute, onPrepare });
    expect(told.at(-1)).toBe(1);
    expect(existsSync(derivedFolder())).toBe(false);
    const source = index.weights.values().next().value?.bytes.source;
    const far = await read(blobSource(await openAsBlob(source?.path ?? ""), "unet"));
    // No local file that a file in the cache could be kept by.
    expect(farthest(await predict(far, { compute, derive: deriveInFile }), inMemory)).toBe(0);
    expect(existsSync(derivedFolder())).toBe(false);
    const plain = await predict(await openWeights(FILE));
    const error = farthest(inMemory, plain);
    expect(error).toBeGreaterThan(1e-4);
    expect(error).toBeLessThan(0.2);
  });

  it("are the same as those of the cache folder", async () => {
    for (const [index, compute] of [
      [await openWeights(FILE), "int8"],
      [await quantised(), "float32"],
    ] as const) {
      const inMemory = await predict(index, { compute });
      expect(farthest(await predict(index, { compute, derive: deriveInFile }), inMemory)).toBe(0);
    }
    expect(existsSync(derivedFolder())).toBe(true);
  });
});
