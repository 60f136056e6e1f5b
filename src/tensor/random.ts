/**
 * Random numbers equal to PyTorch's CPU generator: mt19937 (Matsumoto and Nishimura 1998) and the two methods by
 * which ATen turns its output into normals (DistributionTemplates.h, DistributionsHelper.h). Independent of latents.
 */
import { RequestError } from "../errors.js";
import { count, type FloatTensor, float } from "./tensor.js";

/** Random number generator. Its output depends on the seed and on all earlier draws, as with torch.Generator. */
export interface Rng {
  /** Standard normals, float32 [shape], equal to `torch.randn(shape, generator=g)` except for the last bits of log and cos. */
  randn(shape: readonly number[]): FloatTensor;
  /** Uniform numbers in [0, 1), float32 [shape], equal to `torch.rand(shape, generator=g)`. */
  rand(shape: readonly number[]): FloatTensor;
  /** An independent generator in the same state. */
  clone(): Rng;
}

/** State of a generator. `kept` is the second normal of a Box–Muller pair, until a call returns it. */
interface State {
  readonly words: Uint32Array;
  next: number;
  kept: number | null;
}

const N = 624;
const M = 397;
/** ATen fills tensors in blocks of 16; fewer than 16 values are drawn one by one in double precision. */
const BLOCK = 16;
const { fround } = Math;
const TWO_PI = fround(2 * Math.PI);

/**
 * Generator in the state of `torch.Generator().manual_seed(seed)`. Only the low 32 bits of the seed have an effect.
 * @param seed integer from −2^63 to 2^64 − 1; a bigint beyond 2^53
 * @throws RequestError when the seed is not an integer, or out of range
 */
export function createRng(seed: number | bigint): Rng {
  if (typeof seed === "number" && !Number.isInteger(seed)) {
    throw new RequestError(`the seed is ${seed}; expected an integer`);
  }
  const whole = BigInt(seed);
  if (whole < -(2n ** 63n) || whole >= 2n ** 64n) {
    throw new RequestError(`the seed is ${seed}; expected an integer from -2^63 to 2^64 - 1`);
  }
  const words = new Uint32Array(N);
  words[0] = Number(BigInt.asUintN(32, whole));
  for (let i = 1; i < N; i++) {
    const before = word(words, i - 1);
    words[i] = Math.imul(1812433253, before ^ (before >>> 30)) + i;
  }
  return rngOf({ words, next: N, kept: null });
}

function rngOf(state: State): Rng {
  return {
    randn(shape) {
      const data = new Float32Array(count(shape));
      if (data.length >= BLOCK) fillBlocks(state, data);
      else for (let i = 0; i < data.length; i++) data[i] = oneNormal(state);
      return float(shape, data);
    },
    rand: (shape) =>
      float(
        shape,
        Float32Array.from({ length: count(shape) }, () => uniform24(state)),
      ),
    clone: () => rngOf({ ...state, words: state.words.slice() }),
  };
}

/** Uniforms for the whole tensor, then Box–Muller per block of 16. A partial last block redraws the last 16 values. */
function fillBlocks(state: State, data: Float32Array): void {
  for (let i = 0; i < data.length; i++) data[i] = uniform24(state);
  for (let i = 0; i + BLOCK <= data.length; i += BLOCK) boxMuller(data.subarray(i, i + BLOCK));
  if (data.length % BLOCK !== 0) {
    const tail = data.subarray(data.length - BLOCK);
    for (let i = 0; i < BLOCK; i++) tail[i] = uniform24(state);
    boxMuller(tail);
  }
}

/**
 * Turns 16 uniforms into normals in place; elements j and j + 8 are a pair (Box and Muller 1958). Logarithm, radius and
 * angle are rounded to float32 as in ATen's vectorised fill; the rounding of the angle has the largest effect.
 */
function boxMuller(block: Float32Array): void {
  const half = BLOCK / 2;
  for (let j = 0; j < half; j++) {
    const radius = fround(Math.sqrt(fround(-2 * fround(Math.log(1 - word(block, j))))));
    const angle = fround(TWO_PI * word(block, j + half));
    block[j] = radius * fround(Math.cos(angle));
    block[j + half] = radius * fround(Math.sin(angle));
  }
}

/** One normal in double precision; every second call returns the kept value. */
function oneNormal(state: State): number {
  if (state.kept !== null) {
    const kept = state.kept;
    state.kept = null;
    return kept;
  }
  const angle = 2 * Math.PI * uniform53(state);
  const radius = Math.sqrt(-2 * Math.log1p(-uniform53(state)));
  state.kept = radius * Math.sin(angle);
  return radius * Math.cos(angle);
}

/** [0, 1) on a grid of 2^-24, from the low bits of one word. */
const uniform24 = (state: State): number => (nextWord(state) & 0xffffff) / 2 ** 24;

/** [0, 1) on a grid of 2^-53, from two words, the high one first; the top 11 bits are dropped. */
function uniform53(state: State): number {
  const high = nextWord(state) & 0x1fffff;
  return (high * 2 ** 32 + nextWord(state)) / 2 ** 53;
}

/** The next 32 bits, tempered. */
function nextWord(state: State): number {
  if (state.next === N) {
    twist(state.words);
    state.next = 0;
  }
  let y = word(state.words, state.next++);
  y ^= y >>> 11;
  y ^= (y << 7) & 0x9d2c5680;
  y ^= (y << 15) & 0xefc60000;
  y ^= y >>> 18;
  return y >>> 0;
}

function twist(words: Uint32Array): void {
  for (let i = 0; i < N; i++) {
    const y = (word(words, i) & 0x80000000) | (word(words, (i + 1) % N) & 0x7fffffff);
    words[i] = word(words, (i + M) % N) ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
  }
}

/** Element at a valid index. */
const word = (from: Uint32Array | Float32Array, i: number): number => from[i] ?? 0;
