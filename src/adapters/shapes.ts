/** Expected shapes of the tensors of each kind of adapter on a layer. Reads no values. */
import { count } from "../tensor/index.js";
import type { Role } from "./keys.js";
import type { LayerShape } from "./names.js";

/** Key and shape of a tensor. */
export interface NamedShape {
  readonly key: string;
  readonly shape: readonly number[];
}

/** A tensor with a wrong shape, and the expected shape; free dimensions have names. */
export interface ShapeProblem extends NamedShape {
  readonly expected: readonly (number | string)[];
}

/** A dimension that the file may choose, within limits. */
interface Free {
  readonly name: string;
  allows(size: number): boolean;
}
type Dimension = number | Free;

const RANK: Free = { name: "rank", allows: (n) => n > 0 };
const divisorOf = (n: number): Free => ({ name: `divisor of ${n}`, allows: (d) => d > 0 && n % d === 0 });

/** n / d if d divides n; else any divisor of n, as the error is then in the tensor that d is taken from. */
const quotient = (n: number, d: number | undefined): Dimension =>
  d !== undefined && d > 0 && n % d === 0 ? n / d : divisorOf(n);

const times = (d: Dimension, n: number): Dimension =>
  typeof d === "number" ? d * n : { name: `${n} × ${d.name}`, allows: (size) => size % n === 0 && d.allows(size / n) };

/** Sizes in expected shapes. */
interface Sizes extends LayerShape {
  readonly outputs: number;
  readonly inputs: number;
  /** Empty for a linear layer. */
  readonly kernel: readonly number[];
  readonly taps: number;
  readonly rank: Dimension;
  /** Outputs and inputs of the second matrix of LoKr. */
  readonly second: readonly [Dimension, Dimension];
  /** True when the file has a tensor of this role for the layer. */
  has(role: Role): boolean;
}

type Tensors = ReadonlyMap<Role, NamedShape>;

/** The tensor whose first dimension is the rank. */
const rankRole = (tensors: Tensors): Role | undefined =>
  (["down", "hada_w1_b", "lokr_w1_b", "lokr_w2_b"] as const).find((role) => tensors.has(role));

function sizesOf(layer: LayerShape, tensors: Tensors): Sizes {
  const [outputs = 0, inputs = 0, ...kernel] = layer.weight;
  const size = (role: Role | undefined, axis: number) => role && tensors.get(role)?.shape[axis];
  return {
    ...layer,
    outputs,
    inputs,
    kernel,
    taps: count(kernel),
    rank: size(rankRole(tensors), 0) ?? RANK,
    second: [
      quotient(outputs, size("lokr_w1", 0) ?? size("lokr_w1_a", 0)),
      quotient(inputs, size("lokr_w1", 1) ?? size("lokr_w1_b", 1)),
    ],
    has: (role) => tensors.has(role),
  };
}

type Expected = (sizes: Sizes) => readonly (readonly Dimension[])[];

/** Matrix A of LoHa: [O, r], or [r, O] with a Tucker core. */
const hadaA =
  (core: Role): Expected =>
  ({ has, rank, outputs }) => [has(core) ? [rank, outputs] : [outputs, rank]];

/** Matrix B of LoHa: [r, I · taps], or [r, I] with a Tucker core. */
const hadaB =
  (core: Role): Expected =>
  ({ has, rank, inputs, kernel, taps }) =>
    has(core) ? [[rank, inputs]] : flatOr(rank, inputs, kernel, taps);

/** [first, inputs · taps] as in LyCORIS, or [first, inputs, k, k]. */
const flatOr = (first: Dimension, inputs: Dimension, kernel: readonly number[], taps: number) => [
  [first, times(inputs, taps)],
  [first, inputs, ...kernel],
];

const core: Expected = ({ rank, kernel }) => [[rank, rank, ...kernel]];

/** Valid shapes of each role, the most common one first. */
const EXPECTED: { readonly [R in Role]: Expected } = {
  down: ({ has, rank, inputs, kernel }) => [[rank, inputs, ...(has("mid") ? [] : kernel)]],
  up: ({ outputs, rank }) => [[outputs, rank]],
  mid: core,
  alpha: () => [[], [1]],
  // Norms per output [O, 1 …], or per input [1, I, 1 …].
  dora_scale: ({ outputs, inputs }) => [[outputs, 1], [1, inputs], [outputs]],
  // PEFT transposes the norms of a convolution: [1, O, 1, 1].
  magnitude_vector: ({ outputs }) => [[outputs], [1, outputs]],
  hada_w1_a: hadaA("hada_t1"),
  hada_w1_b: hadaB("hada_t1"),
  hada_w2_a: hadaA("hada_t2"),
  hada_w2_b: hadaB("hada_t2"),
  hada_t1: core,
  hada_t2: core,
  lokr_w1: ({ outputs, inputs }) => [[divisorOf(outputs), divisorOf(inputs)]],
  lokr_w1_a: ({ outputs, rank }) => [[divisorOf(outputs), rank]],
  lokr_w1_b: ({ inputs, rank }) => [[rank, divisorOf(inputs)]],
  lokr_w2: ({ second: [c, d], kernel, taps }) => flatOr(c, d, kernel, taps).toReversed(),
  lokr_w2_a: ({ has, second: [c], rank }) => [has("lokr_t2") ? [rank, c] : [c, rank]],
  lokr_w2_b: ({ has, second: [, d], rank, kernel, taps }) =>
    has("lokr_t2") ? [[rank, d]] : flatOr(rank, d, kernel, taps),
  lokr_t2: core,
  diff: ({ weight }) => [weight],
  diff_b: ({ bias }) => (bias ? [bias] : []),
  weight: ({ weight }) => [weight],
};

/** Roles that apply to norm layers, whose weight is a vector. */
const ON_VECTORS: ReadonlySet<Role> = new Set(["diff", "diff_b", "weight", "alpha"]);

const allows = (dimension: Dimension, size: number): boolean =>
  typeof dimension === "number" ? dimension === size : dimension.allows(size);

/** Compares shapes. Trailing axes of size 1 after the second are ignored: a 1×1 convolution is a matrix. */
function fits(shape: readonly number[], expected: readonly Dimension[]): boolean {
  if (Math.min(shape.length, 2) !== Math.min(expected.length, 2)) return false;
  const longer = shape.length > expected.length ? shape : expected;
  return longer.every((_, axis) => allows(expected[axis] ?? 1, shape[axis] ?? 1));
}

/** First tensor of a layer with a wrong shape; null when all are right. */
export function shapeProblem(layer: LayerShape, tensors: Tensors): ShapeProblem | null {
  const sizes = sizesOf(layer, tensors);
  const chooses = rankRole(tensors);
  for (const [role, { key, shape }] of tensors) {
    const applies = layer.weight.length > 1 || ON_VECTORS.has(role);
    const expected = applies ? EXPECTED[role](role === chooses ? { ...sizes, rank: RANK } : sizes) : [];
    if (expected.some((e) => fits(shape, e))) continue;
    const usual = expected[0] ?? layer.weight;
    return { key, shape, expected: usual.map((d) => (typeof d === "number" ? d : d.name)) };
  }
  return null;
}
