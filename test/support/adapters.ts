/** Adapters of every kind on one layer as a file's tensors, with the weight and bias they should make, worked out by plain loops. */
import fc from "fast-check";
import type { Layers } from "../../src/adapters/index.js";
import { count, createRng, type FloatTensor, float } from "../../src/tensor/index.js";

/** A layer: [O, I], [O, I, k, k] or [D], and whether it has a bias. */
export interface LayerCase {
  readonly weight: readonly number[];
  readonly bias: readonly number[] | null;
}

/** What an adapter stores for one layer, by the ends of its keys, and what it does at scale 1. */
export interface AdapterCase {
  readonly tensors: Readonly<Record<string, FloatTensor>>;
  /** W′ from W at an index [o, i, tap]; null where W stays. */
  readonly weight: ((w: At) => At) | null;
  /** Δb; null where the bias stays. */
  readonly bias: FloatTensor | null;
}

type At = (o: number, i: number, tap: number) => number;

/** Values of a tensor by index; a tensor with fewer axes than indices is read at 0 on the rest. */
const at =
  ({ shape, data }: FloatTensor) =>
  (...index: readonly number[]): number =>
    data[shape.reduce((n, size, axis) => n * size + (index[axis] ?? 0), 0)] ?? Number.NaN;

const sum = (n: number, term: (i: number) => number): number => {
  let total = 0;
  for (let i = 0; i < n; i++) total += term(i);
  return total;
};

/** Divisors of a number, so that Kronecker factors can be chosen. */
const divisors = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1).filter((d) => n % d === 0);

type Make = (layer: LayerCase, seed: number) => AdapterCase;

interface Draw {
  readonly O: number;
  readonly I: number;
  readonly kernel: readonly number[];
  readonly taps: number;
  readonly rank: number;
  readonly ones: readonly number[];
  readonly alpha: number;
  pick(list: readonly number[]): number;
  tensor(...shape: readonly number[]): FloatTensor;
}

function drawing({ weight: [O = 1, I = 1, ...kernel] }: LayerCase, seed: number): Draw {
  const rng = createRng(seed);
  let state = seed;
  const pick = (list: readonly number[]) => {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    return list[Math.floor(state / 65536) % list.length] ?? 1;
  };
  const taps = count(kernel);
  return {
    O,
    I,
    kernel,
    taps,
    rank: pick([1, 2, 3]),
    ones: kernel.map(() => 1),
    alpha: pick([0.5, 1, 3]),
    pick,
    tensor: (...shape) => rng.randn(shape),
  };
}

const scalar = (value: number): FloatTensor => float([], Float32Array.of(value));

/** W + strength · ΔW. */
const plus =
  (change: At, strength: number) =>
  (w: At): At =>
  (o, i, t) =>
    w(o, i, t) + strength * change(o, i, t);

function lora(d: Draw): { down: FloatTensor; up: FloatTensor; change: At } {
  const { O, I, kernel, taps, rank, ones } = d;
  const [down, up] = [d.tensor(rank, I, ...kernel), d.tensor(O, rank, ...ones)];
  const flat = at(float([rank, I, taps], down.data));
  return { down, up, change: (o, i, t) => sum(rank, (r) => at(up)(o, r) * flat(r, i, t)) };
}

/** One factor of a LoHa: a · b, or Tucker's core between them. */
function hadamard(d: Draw, n: 1 | 2, tucker: boolean): { tensors: Record<string, FloatTensor>; product: At } {
  const { O, I, kernel, taps, rank } = d;
  if (tucker) {
    const [a, b, core] = [d.tensor(rank, O), d.tensor(rank, I), d.tensor(rank, rank, ...kernel)];
    const t = at(float([rank, rank, taps], core.data));
    return {
      tensors: { [`.hada_w${n}_a`]: a, [`.hada_w${n}_b`]: b, [`.hada_t${n}`]: core },
      product: (o, i, tap) => sum(rank, (p) => sum(rank, (q) => t(p, q, tap) * at(a)(p, o) * at(b)(q, i))),
    };
  }
  const [a, b] = [d.tensor(O, rank), d.tensor(rank, I * taps)];
  return {
    tensors: { [`.hada_w${n}_a`]: a, [`.hada_w${n}_b`]: b },
    product: (o, i, tap) => sum(rank, (r) => at(a)(o, r) * at(b)(r, i * taps + tap)),
  };
}

const loha =
  (tucker: boolean): ((d: Draw) => { tensors: Record<string, FloatTensor>; change: At }) =>
  (d) => {
    const [one, two] = [hadamard(d, 1, tucker), hadamard(d, 2, tucker)];
    return {
      tensors: { ...one.tensors, ...two.tensors },
      change: (o, i, t) => one.product(o, i, t) * two.product(o, i, t),
    };
  };

/** w₁ [a, b] ⊗ w₂ [c, d, taps]; either as a product of two, w₂ also as Tucker's. */
function kronecker(d: Draw, left: "full" | "product", right: "full" | "flat" | "product" | "tucker") {
  const { O, I, kernel, taps, rank } = d;
  const [a, b] = [d.pick(divisors(O)), d.pick(divisors(I))];
  const [c, e] = [O / a, I / b];
  const tensors: Record<string, FloatTensor> = {};
  const add = (name: string, ...shape: number[]) => {
    const made = d.tensor(...shape);
    tensors[`.lokr_${name}`] = made;
    return made;
  };
  const first = (() => {
    if (left === "full") return at(add("w1", a, b));
    const [x, y] = [add("w1_a", a, rank), add("w1_b", rank, b)];
    return (p: number, q: number) => sum(rank, (r) => at(x)(p, r) * at(y)(r, q));
  })();
  const second = ((): At => {
    if (right === "full") return at(float([c, e, taps], add("w2", c, e, ...kernel).data));
    if (right === "flat") return at(float([c, e, taps], add("w2", c, e * taps).data));
    if (right === "product") {
      const [x, y] = [add("w2_a", c, rank), add("w2_b", rank, e * taps)];
      return (p, q, t) => sum(rank, (r) => at(x)(p, r) * at(y)(r, q * taps + t));
    }
    const [x, y, core] = [add("w2_a", rank, c), add("w2_b", rank, e), add("t2", rank, rank, ...kernel)];
    const z = at(float([rank, rank, taps], core.data));
    return (p, q, t) => sum(rank, (r) => sum(rank, (s) => z(r, s, t) * at(x)(r, p) * at(y)(s, q)));
  })();
  const change: At = (o, i, t) => first(Math.floor(o / c), Math.floor(i / e)) * second(o % c, i % e, t);
  return {
    tensors,
    change,
    strength: left === "full" && right !== "product" && right !== "tucker" ? 1 : d.alpha / rank,
  };
}

/** (W + ΔW) with rows, or columns, brought to the given lengths. */
const rescaled =
  ({ O, I, taps }: Draw, axis: "output" | "input", lengths: FloatTensor, moved: (w: At) => At) =>
  (w: At): At => {
    const m = moved(w);
    const norm = (n: number) =>
      Math.sqrt(
        axis === "output"
          ? sum(I, (i) => sum(taps, (t) => m(n, i, t) ** 2))
          : sum(O, (o) => sum(taps, (t) => m(o, n, t) ** 2)),
      );
    return (o, i, t) => {
      const n = axis === "output" ? o : i;
      return (m(o, i, t) * (lengths.data[n] ?? Number.NaN)) / norm(n);
    };
  };

/** A LoRA, LoHa or LoKr with DoRA's lengths beside it, as `ending` stores them. */
const dora =
  (
    made: (d: Draw) => { tensors: Record<string, FloatTensor>; change: At; strength?: number },
    axis: "output" | "input",
    ending: ".dora_scale" | ".lora_magnitude_vector",
  ): Make =>
  (layer, seed) => {
    const d = drawing(layer, seed);
    const { tensors, change, strength = d.alpha / d.rank } = made(d);
    const shape =
      ending === ".lora_magnitude_vector"
        ? d.kernel.length > 0
          ? [1, d.O, ...d.ones]
          : [d.O]
        : axis === "output"
          ? [d.O, 1, ...d.ones]
          : [1, d.I, ...d.ones];
    const lengths = d.tensor(...shape);
    return {
      tensors: { ...tensors, ".alpha": scalar(d.alpha), [ending]: lengths },
      weight: rescaled(d, axis, lengths, plus(change, strength)),
      bias: null,
    };
  };

const kohya = (d: Draw) => {
  const { down, up, change } = lora(d);
  return { tensors: { ".lora_down.weight": down, ".lora_up.weight": up }, change };
};

const withAlpha =
  (made: (d: Draw) => { tensors: Record<string, FloatTensor>; change: At; strength?: number }): Make =>
  (layer, seed) => {
    const d = drawing(layer, seed);
    const { tensors, change, strength = d.alpha / d.rank } = made(d);
    return { tensors: { ...tensors, ".alpha": scalar(d.alpha) }, weight: plus(change, strength), bias: null };
  };

const flat = (d: Draw, t: FloatTensor) => at(float([d.O, d.I, d.taps], t.data));

function difference(layer: LayerCase, seed: number, [w, b]: readonly [string, string]): AdapterCase {
  const rng = createRng(seed);
  const weight = rng.randn(layer.weight);
  const bias = layer.bias && rng.randn(layer.bias);
  const change = flat(drawing(layer, seed), weight);
  return { tensors: { [w]: weight, ...(bias && { [b]: bias }) }, weight: plus(change, 1), bias };
}

/** Kinds for linear layers and convolutions. */
export const MATRIX_KINDS: Readonly<Record<string, Make>> = {
  "LoRA (kohya)": withAlpha(kohya),
  "LoRA (PEFT)": (layer, seed) => {
    const { down, up, change } = lora(drawing(layer, seed));
    return { tensors: { ".lora_A.weight": down, ".lora_B.weight": up }, weight: plus(change, 1), bias: null };
  },
  "LoRA with a bias": (layer, seed) => {
    const made = withAlpha(kohya)(layer, seed);
    const bias = layer.bias && createRng(seed + 1).randn(layer.bias);
    return { ...made, tensors: { ...made.tensors, ...(bias && { ".diff_b": bias }) }, bias };
  },
  "LoCon with a Tucker core": withAlpha((d) => {
    const { O, I, kernel, taps, rank, ones } = d;
    const [down, mid, up] = [d.tensor(rank, I, ...ones), d.tensor(rank, rank, ...kernel), d.tensor(O, rank, ...ones)];
    const core = at(float([rank, rank, taps], mid.data));
    return {
      tensors: { ".lora_down.weight": down, ".lora_mid.weight": mid, ".lora_up.weight": up },
      change: (o, i, t) => sum(rank, (p) => sum(rank, (q) => at(up)(o, p) * core(p, q, t) * at(down)(q, i))),
    };
  }),
  LoHa: withAlpha(loha(false)),
  "LoHa with Tucker cores": withAlpha(loha(true)),
  "LoKr, two full factors": withAlpha((d) => kronecker(d, "full", "full")),
  "LoKr, a flat factor": withAlpha((d) => kronecker(d, "full", "flat")),
  "LoKr, full and product": withAlpha((d) => kronecker(d, "full", "product")),
  "LoKr, product and full": withAlpha((d) => kronecker(d, "product", "full")),
  "LoKr, two products": withAlpha((d) => kronecker(d, "product", "product")),
  "LoKr with a Tucker core": withAlpha((d) => kronecker(d, "product", "tucker")),
  "DoRA over outputs": dora(kohya, "output", ".dora_scale"),
  "DoRA over inputs": dora(kohya, "input", ".dora_scale"),
  "DoRA (PEFT)": dora(kohya, "output", ".lora_magnitude_vector"),
  "DoRA of a LoHa": dora(loha(false), "input", ".dora_scale"),
  "DoRA of a LoKr": dora((d) => kronecker(d, "full", "product"), "output", ".dora_scale"),
  difference: (layer, seed) => difference(layer, seed, [".diff", ".diff_b"]),
  "difference of a bias": (layer, seed) => {
    const { tensors, bias } = difference(layer, seed, [".diff", ".diff_b"]);
    return {
      tensors: Object.fromEntries(Object.entries(tensors).filter(([end]) => end === ".diff_b")),
      weight: null,
      bias,
    };
  },
  replacement: (layer, seed) => {
    const weight = createRng(seed).randn(layer.weight);
    return {
      tensors: { "_custom_diffusion.weight": weight },
      weight: () => flat(drawing(layer, seed), weight),
      bias: null,
    };
  },
};

/** Kinds for norms, whose weights have one axis. */
export const NORM_KINDS: Readonly<Record<string, Make>> = {
  "trained norm": (layer, seed) => difference(layer, seed, [".w_norm", ".b_norm"]),
  "difference of a norm": (layer, seed) => difference(layer, seed, [".diff", ".diff_b"]),
};

/** Linear layers and convolutions, never square, so that a transposed tensor is of another shape. */
export const matrixLayer: fc.Arbitrary<LayerCase> = fc
  .tuple(fc.integer({ min: 2, max: 9 }), fc.integer({ min: 2, max: 9 }), fc.constantFrom([], [1, 1], [3, 3], [2, 3]))
  .filter(([outputs, inputs]) => outputs !== inputs)
  .map(([outputs, inputs, kernel]) => ({ weight: [outputs, inputs, ...kernel], bias: [outputs] }));

export const normLayer: fc.Arbitrary<LayerCase> = fc
  .integer({ min: 1, max: 9 })
  .map((features) => ({ weight: [features], bias: [features] }));

/** The layers of a model that has one. */
export const layersWith = (layer: LayerCase): Layers => new Map([["unet", new Map([["conv_in", layer]])]]);

/** A file that changes this layer. */
export const fileOf = (tensors: Readonly<Record<string, FloatTensor>>): Map<string, FloatTensor> =>
  new Map(Object.entries(tensors).map(([end, tensor]) => [`lora_unet_conv_in${end}`, tensor]));
