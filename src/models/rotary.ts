/** Tables of rotary position embeddings (Su et al. 2021) for positions with one or more axes. */
import { FileError } from "../errors.js";
import type { Builder, Value } from "../graph/index.js";
import type { ConfigFile } from "./config.js";

/** Angles of a rotary embedding. */
export interface RotaryConfig {
  /** Features of a head that each axis of a position turns; their sum is the features of a head. */
  readonly axes: readonly number[];
  /** Base of the frequencies, θ. */
  readonly theta: number;
  /** Precision in which position and frequency are multiplied. */
  readonly product: "float32" | "float64";
}

/** @throws FileError where the axes of a config do not turn whole pairs of all features of a head */
export function checkRotaryAxes({ file }: ConfigFile, axes: readonly number[], head: number): void {
  if (axes.reduce((n, d) => n + d, 0) === head && axes.every((d) => d % 2 === 0)) return;
  throw new FileError(
    file,
    `axes_dims_rope ${JSON.stringify(axes)} must be even numbers that add up to attention_head_dim, ${head}`,
  );
}

/** Cosines and sines [L, d / 2], as graph values. */
export interface Rotary {
  readonly cos: Value;
  readonly sin: Value;
}

/** Angle of position p in pair i of an axis with d features: p θ^(−2i / d), rounded to float32. */
function angle({ theta, product }: RotaryConfig, p: number, i: number, d: number): number {
  const frequency = theta ** (-(2 * i) / d);
  return Math.fround(p * (product === "float32" ? Math.fround(frequency) : frequency));
}

/** Tables of positions [L], each a list of coordinates, one for each axis of the config; the axes follow each other along the head. */
export function rotary(g: Builder, config: RotaryConfig, positions: readonly (readonly number[])[]): Rotary {
  const angles = positions.flatMap((position) =>
    config.axes.flatMap((d, axis) => Array.from({ length: d / 2 }, (_, i) => angle(config, position[axis] ?? 0, i, d))),
  );
  const shape = [positions.length, config.axes.reduce((n, d) => n + d, 0) / 2];
  const table = (f: (x: number) => number) => g.constant(shape, Float32Array.from(angles, f));
  return { cos: table(Math.cos), sin: table(Math.sin) };
}
