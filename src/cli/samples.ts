/** Images of samples on disk: what a run that goes on has written, what is left to make, and how an image is written and logged. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { pixelHash } from "../convert/index.js";
import { decodePng } from "../files/index.js";
import type { SampleKey } from "../generate/index.js";
import { type Mode, madeAgain, type Plan } from "../sampling/index.js";
import type { FloatTensor, RgbImage } from "../tensor/index.js";
import type { RunFile, RunFolder } from "./run-folder.js";

/** Name of a row of images: a mode, or the hybrid with chosen seeds. */
export type RowName = Mode | "chosen";

/** Image of a sample in one mode, and its file. */
export interface SampleImage<N extends RowName = Mode> extends SampleKey {
  readonly mode: N;
  readonly image: RgbImage;
  /** Final latents, [1, C, h, w]; absent where the image was read from its file. */
  readonly latents?: FloatTensor;
  readonly file: RunFile & { readonly pixels: string };
}

/** Name of a sample's file in a comparison: `mode/seed.png`, or `mode/prompt-seed.png` with several prompts. */
export const nameOf = (mode: RowName, { prompt, seed }: SampleKey, prompts: number): string =>
  prompts > 1 ? `${mode}/${prompt}-${seed}.png` : `${mode}/${seed}.png`;

/**
 * Images of a run's samples that an interrupted run has written, and the samples that are to be made.
 * @param name path of a sample's file
 */
export async function resumed<N extends RowName>(
  folder: RunFolder,
  { mode, plan, samples }: { readonly mode: N; readonly plan: Plan; readonly samples: readonly SampleKey[] },
  name: (sample: SampleKey) => string,
): Promise<{ readonly kept: readonly SampleImage<N>[]; readonly left: readonly SampleKey[] }> {
  const found = await keptImages(folder, mode, samples, name);
  const isIn = (list: readonly SampleKey[], s: SampleKey) =>
    list.some((k) => k.prompt === s.prompt && k.seed === s.seed);
  const left = madeAgain(
    plan,
    samples,
    samples.filter((s) => !isIn(found, s)),
  );
  return { kept: found.filter((k) => !isIn(left, k)), left };
}

async function keptImages<N extends RowName>(
  folder: RunFolder,
  mode: N,
  samples: readonly SampleKey[],
  name: (sample: SampleKey) => string,
): Promise<SampleImage<N>[]> {
  const found: SampleImage<N>[] = [];
  for (const { prompt, seed } of samples) {
    const file = folder.kept.get(name({ prompt, seed }));
    if (!file) continue;
    const image = await decodePng(await readFile(path.join(folder.dir, file.file)));
    found.push({ mode, prompt, seed, image, file: { ...file, pixels: pixelHash(image) } });
  }
  return found;
}

/** Writes and logs the image of a sample, encoded as `png`. */
export async function writeImage<N extends RowName>(
  folder: RunFolder,
  name: string,
  { mode, prompt, seed, image, latents }: Omit<SampleImage<N>, "file">,
  png: Uint8Array,
): Promise<SampleImage<N>> {
  const file = { ...(await folder.write(name, png)), pixels: pixelHash(image) };
  folder.log({ type: "image", mode, prompt, seed, ...file });
  return { mode, prompt, seed, image, ...(latents && { latents }), file };
}
