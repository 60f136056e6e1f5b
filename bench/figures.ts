/** Figures of a benchmark, printed one per line, as text or JSON. */

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: "ms" | "s" | "GFLOP/s" | "share" | "ratio" | "MB" | "GB" | "of 255" | "dB";
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
