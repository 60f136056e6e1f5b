/** Figures of a benchmark, printed one per line, as text or JSON, and their comparison with those of an earlier run. */
import { readFileSync } from "node:fs";
import { FileError } from "../src/errors.js";

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: "ms" | "s" | "GFLOP/s" | "share" | "ratio" | "MB" | "GB" | "of 255" | "dB" | "per s";
  /** Target value. */
  readonly aim?: string;
  readonly note?: string;
}

export type Report = (figure: Figure) => void;

/** Median of several times, with their range as a note. */
export function middle(times: readonly number[]): { median: number; note: string } {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (i: number) => sorted[i] ?? Number.NaN;
  const median = at(Math.floor(sorted.length / 2));
  return { median, note: `${sorted.length} runs, ${at(0).toFixed(1)} … ${at(sorted.length - 1).toFixed(1)} ms` };
}

/** Formats a figure as a line of text. */
export function lineOf({ name, value, unit, aim, note }: Figure): string {
  const digits = Math.abs(value) < 10 ? 3 : Math.abs(value) < 1000 ? 1 : 0;
  const extra = [aim && `aim ${aim}`, note].filter(Boolean).join("; ");
  return `${name.padEnd(44)} ${value.toFixed(digits).padStart(9)} ${unit.padEnd(8)}${extra && ` ${extra}`}`;
}

/** Name of the figure that all speeds are compared with. */
export const PEAK = "MatMul peak, 2048³ float32";

/** Figures of an earlier run by name. @throws FileError for a file that is not the output of `bench --json` */
export function readFigures(file: string): ReadonlyMap<string, Figure> {
  try {
    const lines = readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => line.trim() !== "");
    const figures = lines.map((line): Figure => JSON.parse(line));
    return new Map(figures.map((figure) => [figure.name, figure]));
  } catch (error) {
    throw new FileError(
      file,
      `is not the output of npm run bench -- --json: ${error instanceof Error ? error.message : error}`,
    );
  }
}

const TIMES = { ms: 1, s: 1000 } as const;

/**
 * Ratio of a figure to an earlier one. Times are multiplied by the MatMul peak of their run, so that runs on other machines can be compared:
 * above 1, what is measured takes a larger share of the machine than before. Null for a figure that the earlier run lacks.
 */
export function comparedWith(
  earlier: ReadonlyMap<string, Figure>,
  { name, value, unit }: Figure,
  peak: number,
): Figure | null {
  const before = earlier.get(name);
  if (!before || before.unit !== unit || name === PEAK) return null;
  const timed = unit in TIMES;
  const old = earlier.get(PEAK)?.value;
  if (timed && old === undefined) return null;
  const scale = timed ? peak / (old ?? peak) : 1;
  return {
    name: `${name}: now / before`,
    value: (value / before.value) * scale,
    unit: "ratio",
    ...(timed && { note: "of each run's MatMul peak" }),
  };
}

/** Mean and largest difference of images from others, of 255, and their mean peak signal-to-noise ratio. NaN where one is missing or smaller. */
export function differenceOf(images: readonly Uint8Array[], reference: readonly Uint8Array[]) {
  let [sum, count, largest, ratios] = [0, 0, 0, 0];
  for (const [i, image] of images.entries()) {
    let squares = 0;
    for (const [j, v] of image.entries()) {
      const off = Math.abs(v - (reference[i]?.[j] ?? Number.NaN));
      sum += off;
      squares += off * off;
      largest = Math.max(largest, off);
    }
    count += image.length;
    ratios += 10 * Math.log10((255 * 255 * image.length) / Math.max(squares, 1));
  }
  return { mean: sum / count, largest, ratio: ratios / images.length };
}
