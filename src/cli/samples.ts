/** Rows of images that may be resumed: those on disk are read, the others are generated, followed, written and logged. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { pixelHash, type RecordedRun, recordedPng } from "../convert/index.js";
import { decodePng } from "../files/index.js";
import { eventJson, type GenerateEvent, type GenerateRequest, generate, type SampleKey } from "../generate/index.js";
import type { OpenedPair } from "../open/index.js";
import { type Mode, madeAgain, type Plan } from "../sampling/index.js";
import type { FloatTensor, RgbImage } from "../tensor/index.js";
import { warnOf } from "./notices.js";
import type { RunFile, RunFolder } from "./run-folder.js";
import type { Terminal } from "./terminal.js";
import { tileOf } from "./units.js";

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
async function writeImage<N extends RowName>(
  folder: RunFolder,
  name: string,
  { mode, prompt, seed, image, latents }: Omit<SampleImage<N>, "file">,
  png: Uint8Array,
): Promise<SampleImage<N>> {
  const file = { ...(await folder.write(name, png)), pixels: pixelHash(image) };
  folder.log({ type: "image", mode, prompt, seed, ...file });
  return { mode, prompt, seed, image, ...(latents && { latents }), file };
}

/** Where rows are shown and written. */
export interface Output {
  readonly terminal: Terminal;
  readonly folder: RunFolder;
  readonly signal: AbortSignal;
}

/** A row that is generated: its name, its record, and where its images go. */
export interface Row<N extends RowName = Mode> {
  readonly name: N;
  readonly run: RecordedRun;
  /** Path of a sample's file. */
  readonly fileOf: (sample: SampleKey) => string;
}

/** Follows the events of rows, one row after the other. */
export interface Follower {
  /** Prints an event, shows the progress, and writes the image that the event may have. */
  follow<N extends RowName>(row: Row<N>, event: GenerateEvent): Promise<SampleImage<N> | null>;
  /** Ends the progress. */
  end(): void;
}

/** @param ticks steps and images of all rows that are to be made */
export function followRows(pair: OpenedPair, { terminal, folder }: Output, ticks: number): Follower {
  const progress = terminal.progress(ticks, "loading");
  let done = 0;
  return {
    async follow({ name, run, fileOf }, event) {
      terminal.emit({ mode: name, ...eventJson(event) });
      warnOf(terminal, event);
      if (event.type === "step") progress.update(++done, `${name}: ${event.model} at ${event.timestep}`);
      if (event.type === "tile") progress.update(done + event.done / event.total, `${name}: ${tileOf(event)}`);
      if (event.type !== "image") return null;
      const file = fileOf(event);
      const made = await writeImage(folder, file, { ...event, mode: name }, await recordedPng(pair, run, event));
      progress.update(++done, `${name}: ${file}`);
      return made;
    },
    end() {
      progress.update(done, "measuring");
      progress.stop();
    },
  };
}

/** What of a row is generated, and how its events are followed. */
export interface RowWork {
  readonly request: GenerateRequest;
  readonly samples: readonly SampleKey[];
  readonly follower: Follower;
  readonly signal: AbortSignal;
  readonly onEvent?: (event: GenerateEvent) => void;
}

/** Generates samples of a row. */
export async function generateRow<N extends RowName>(
  pair: OpenedPair,
  row: Row<N>,
  { request, samples, follower, signal, onEvent = () => {} }: RowWork,
): Promise<SampleImage<N>[]> {
  const images: SampleImage<N>[] = [];
  if (samples.length === 0) return images;
  for await (const event of generate(pair, { ...request, samples: [...samples] }, signal)) {
    onEvent(event);
    const made = await follower.follow(row, event);
    if (made) images.push(made);
  }
  return images;
}
