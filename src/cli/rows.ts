/** Rows of images that are generated: their events are followed one row after the other, and their images written. */
import { type RecordedRun, recordedPng } from "../convert/index.js";
import { eventJson, type GenerateEvent, type GenerateRequest, generate, type SampleKey } from "../generate/index.js";
import type { OpenedPair } from "../open/index.js";
import type { Mode } from "../sampling/index.js";
import { warnOf, warnOfDecoding } from "./notices.js";
import type { RunFolder } from "./run-folder.js";
import { type RowName, type SampleImage, writeImage } from "./samples.js";
import type { Terminal } from "./terminal.js";
import { tileOf } from "./units.js";

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
  const spent = { denoise: 0, decode: 0 };
  return {
    async follow({ name, run, fileOf }, event) {
      terminal.emit({ mode: name, ...eventJson(event) });
      warnOf(terminal, event);
      if (event.type === "step") progress.update(++done, `${name}: ${event.model} at ${event.timestep}`);
      if (event.type === "tile") progress.update(done + event.done / event.total, `${name}: ${tileOf(event)}`);
      if (event.type === "done") {
        spent.denoise += event.milliseconds.denoise;
        spent.decode += event.milliseconds.decode;
      }
      if (event.type !== "image") return null;
      const file = fileOf(event);
      const made = await writeImage(folder, file, { ...event, mode: name }, await recordedPng(pair, run, event));
      progress.update(++done, `${name}: ${file}`);
      return made;
    },
    end() {
      progress.update(done, "measuring");
      progress.stop();
      warnOfDecoding(terminal, pair, spent);
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
