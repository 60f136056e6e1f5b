/** A diffusers folder of a transformer family with random weights of the released sizes, and a few blocks of its transformer apart. */
import { cp, link, mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { clipTokenizer } from "../src/checkpoint/node/index.js";
import { factsOf } from "../src/families/index.js";
import {
  autoencoderOf,
  type Denoiser,
  type DrawingWeights,
  denoiserOf,
  drawDecoder,
  drawEncoder,
  drawTextEncoder,
  drawTextTransformer,
  parseTextEncoderConfig,
  TEXT_TRANSFORMER_CLASSES,
} from "../src/models/index.js";
import { formatBytes } from "../src/tensor/index.js";
import { inFolder, mustHold, type Planned, planned, type Stored, sizeOf, writeRandom } from "./random-weights.js";
import type { FamilyModel, PartConfig } from "./transformers.js";

/** A pair of a family as folders, with a few of the transformer's blocks in a third. */
export interface SyntheticFamily {
  /** Path of a diffusers folder. */
  readonly base: string;
  /** Path of a transformer folder, with the base's weights. */
  readonly distilled: string;
  readonly few: { readonly folder: string; readonly denoiser: Denoiser };
  readonly denoiser: Denoiser;
  /** Folder of all of them. */
  readonly folder: string;
  remove(): Promise<void>;
}

const WEIGHTS = "diffusion_pytorch_model.safetensors";
/** Tokenizers of the small checkpoints of the tests: weights are random, so that ids need not be the released ones. */
const TOKENIZERS = fileURLToPath(new URL("../test/goldens/tokenizers", import.meta.url));
const FOLDERS = { "language model": "qwen", gemma: "gemma", t5: "t5" } as const;

/**
 * Writes a pair. The distilled transformer is a hard link of the base's, which saves a third of the disk.
 * @param say is told what is written where, and how far it is
 * @param stored how the weights of all parts are stored
 * @throws MachineError if the disk is too small
 */
export const makeSyntheticFamily = (
  model: FamilyModel,
  say: (text: string) => void,
  stored: Stored = "bfloat16",
): Promise<SyntheticFamily> =>
  inFolder("family", async (folder, remove) => {
    const { pipeline, index, denoiser, scheduler, textEncoders } = factsOf(model.family);
    const [base, distilled, few] = ["base", "distilled", "few"].map((name) => path.join(folder, name));
    if (!base || !distilled || !few) throw new RangeError("three folders");
    const part = async (dir: string, { className, config }: PartConfig, draw: (index: DrawingWeights) => unknown) => {
      await mkdir(dir, { recursive: true });
      const key = className.startsWith("Auto") || className.endsWith("2DModel") ? "_class_name" : "architectures";
      const named = { [key]: key === "_class_name" ? className : [className], ...config };
      await writeFile(path.join(dir, "config.json"), JSON.stringify(named));
      const file = key === "_class_name" ? WEIGHTS : "model.safetensors";
      return planned(path.join(dir, file), stored, draw);
    };
    const decoder = await autoencoderOf(model.decoder.className, { file: "vae", config: model.decoder.config });
    const network = async (dir: string, config: FamilyModel["transformer"]) => {
      const own = { className: denoiser.className, config };
      const made = await denoiserOf(own.className, { file: dir, config }, decoder.scaleFactor);
      return { denoiser: made, file: await part(dir, own, (weights) => made.draw(made.smallest, weights)) };
    };
    const whole = await network(path.join(base, "transformer"), model.transformer);
    const cut = await network(few, { ...model.transformer, ...model.few });
    const files: Planned[] = [whole.file, cut.file];
    for (const [name, own] of Object.entries(model.text)) {
      files.push(await part(path.join(base, name), own, (weights) => drawText(own, weights)));
    }
    files.push(await part(path.join(base, "vae"), model.decoder, (weights) => drawAutoencoder(decoder, weights)));
    await mustHold(folder, files, model.title);
    const entries = [
      ...Object.entries(model.text).map(([name, { className }]) => [name, ["transformers", className]]),
      ...textEncoders.map(({ tokenizer }) => [tokenizer, ["transformers", "PreTrainedTokenizerFast"]]),
      [denoiser.folder, ["diffusers", denoiser.className]],
      ["vae", ["diffusers", model.decoder.className]],
      ["scheduler", ["diffusers", scheduler["_class_name"]]],
    ];
    const json = { _class_name: pipeline, ...index, ...Object.fromEntries(entries) };
    await writeFile(path.join(base, "model_index.json"), JSON.stringify(json));
    await mkdir(path.join(base, "scheduler"));
    await writeFile(path.join(base, "scheduler", "scheduler_config.json"), JSON.stringify(scheduler));
    for (const { kind, tokenizer, padding } of textEncoders) {
      const to = path.join(base, tokenizer);
      if (kind === "clip") await writeClipTokenizer(to, padding === "!" ? "!" : "<|endoftext|>");
      else await cp(path.join(TOKENIZERS, FOLDERS[kind]), to, { recursive: true });
    }
    const total = sizeOf(files);
    say(`writing ${formatBytes(total)} of random weights of ${model.title} to ${folder}, removed afterwards`);
    const written = progress(total, say);
    for (const file of files) await writeRandom(file, written);
    await mkdir(distilled);
    await cp(path.join(base, "transformer", "config.json"), path.join(distilled, "config.json"));
    await link(whole.file.file, path.join(distilled, WEIGHTS));
    return { base, distilled, few: { folder: few, denoiser: cut.denoiser }, denoiser: whole.denoiser, folder, remove };
  });

/** Says every ten seconds how much was written, and the time that is left at this speed. */
function progress(total: number, say: (text: string) => void): (bytes: number) => void {
  const start = performance.now();
  let [done, said] = [0, start];
  return (bytes) => {
    done += bytes;
    const now = performance.now();
    if (now - said < 10_000) return;
    said = now;
    const left = ((now - start) / done) * (total - done);
    say(`  ${formatBytes(done)} of ${formatBytes(total)}, ${Math.ceil(left / 1000)} s left`);
  };
}

async function drawText({ className, config }: PartConfig, index: DrawingWeights): Promise<unknown> {
  const source = { file: className, config };
  const known = TEXT_TRANSFORMER_CLASSES.find((name) => name === className);
  if (known) return drawTextTransformer(known, source, index);
  const pooled = className === "CLIPTextModelWithProjection" ? true : "unprojected";
  const shape = { tokens: 77, state: { back: 0, finalNorm: true }, pooled } as const;
  return drawTextEncoder(parseTextEncoderConfig(source), index, shape);
}

function drawAutoencoder(config: Awaited<ReturnType<typeof autoencoderOf>>, index: DrawingWeights): void {
  if (config.kind === "tiny") throw new RangeError("a family has a whole autoencoder");
  if (config.kind === "drawn") {
    config.drawEncoder(index, 64, 64);
    config.drawDecoder(index, 8, 8);
    return;
  }
  drawEncoder(config, index, 64, 64);
  drawDecoder(config, index, 8, 8);
}

async function writeClipTokenizer(folder: string, padding: "!" | "<|endoftext|>"): Promise<void> {
  const { vocab, merges, config } = await clipTokenizer(padding);
  await mkdir(folder);
  await writeFile(path.join(folder, "vocab.json"), JSON.stringify(vocab));
  await writeFile(path.join(folder, "merges.txt"), merges ?? "");
  await writeFile(path.join(folder, "tokenizer_config.json"), JSON.stringify(config));
}
