/** Vendi score, effective rank and conditional entropy: diversity from the eigenvalues of a similarity matrix. */
import { eigenvalues } from "../linalg/index.js";
import { centred, type Matrix, matrix, product, rowsOf, transpose, unitRows } from "../tensor/index.js";

/** Order of the Rényi entropy in the Vendi score: 1 is Shannon entropy; 2 (RKE) and ∞ are dominated by frequent modes. */
export type VendiOrder = 1 | 2 | typeof Number.POSITIVE_INFINITY;

const scaled = (a: Matrix, by: number): Matrix =>
  matrix(
    a.rows,
    a.columns,
    a.data.map((v) => v * by),
  );

/** Positive eigenvalues of by · x xᵀ, ascending, computed from xᵀ x where that is smaller. x [n, d] */
function spectrumOf(x: Matrix, by: number): number[] {
  const wide = x.columns >= x.rows ? x : transpose(x);
  return eigenvalues(scaled(product(wide, wide), by)).filter((v) => v > 0);
}

/** exp of the Rényi entropy of a distribution `shares`, which sums to 1: its effective number of elements. */
function effectiveNumber(shares: readonly number[], order: VendiOrder): number {
  const positive = shares.filter((p) => p > 0);
  if (order === 1) return Math.exp(-positive.reduce((s, p) => s + p * Math.log(p), 0));
  if (order === 2) return 1 / positive.reduce((s, p) => s + p * p, 0);
  return 1 / Math.max(...positive);
}

/**
 * Vendi score (Friedman & Dieng 2022, eq. 1; orders: Pasarkar & Dieng 2024) of features [n][d] with cosine similarity: 1 when all
 * features are equal, n when they are orthogonal. Order 2 is RKE (Jalali et al. 2023).
 * @throws RangeError when both n and d exceed 512
 */
export function vendi(features: readonly Float32Array[], order: VendiOrder = 1): number {
  return effectiveNumber(spectrumOf(unitRows(rowsOf(features)), 1 / features.length), order);
}

/** Mean pairwise similarity: mean cosine over all pairs of features [n][d], −1…1; lower is more diverse. NaN for n < 2. */
export function meanSimilarity(features: readonly Float32Array[]): number {
  const n = features.length;
  const x = unitRows(rowsOf(features));
  const sum = product(x, x).data.reduce((s, v) => s + v, 0);
  return n < 2 ? Number.NaN : (sum - n) / (n * (n - 1));
}

/** Eigenvalues of the covariance of features [n][d], divided by their sum, descending: [min(n − 1, d)]. */
export function varianceSpectrum(features: readonly Float32Array[]): number[] {
  const values = spectrumOf(centred(rowsOf(features)), 1).toReversed();
  const sum = values.reduce((s, v) => s + v, 0);
  return values.map((v) => v / sum).filter((v) => v > 1e-12);
}

/** Effective rank of the covariance of features [n][d]: exp of the entropy of its spectrum (Roy & Vetterli 2007). NaN without variance. */
export function effectiveRank(features: readonly Float32Array[]): number {
  const spectrum = varianceSpectrum(features);
  return spectrum.length === 0 ? Number.NaN : effectiveNumber(spectrum, 1);
}

/** Decomposition of diversity by source, in nats of order-2 Rényi entropy. */
export interface ConditionalRke {
  /** ln RKE of all images. */
  readonly total: number;
  /** Conditional entropy given the prompt: diversity due to seeds. */
  readonly seeds: number;
  /** total − seeds: diversity due to prompts. */
  readonly prompts: number;
}

/**
 * Conditional RKE (Jalali et al. 2025, SPARKE, eq. 5): H₂(x | prompt) = ln ‖K_p‖² − ln ‖K_x ∘ K_p‖². features[p][i] is image i of prompt
 * p. K_p is the squared cosine similarity of `promptFeatures` [p][d] or, without them, 1 for images of the same prompt and 0 for others.
 */
export function conditionalRke(
  features: readonly (readonly Float32Array[])[],
  promptFeatures?: readonly Float32Array[],
): ConditionalRke {
  const owner = features.flatMap((own, p) => own.map(() => p));
  const x = unitRows(rowsOf(features.flat()));
  const kx = product(x, x);
  const t = promptFeatures && unitRows(rowsOf(promptFeatures));
  const kp = t ? product(t, t) : null;
  const n = owner.length;
  let [all, joint, prompts] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const [a = 0, b = 0] = [owner[i], owner[j]];
      const alike = kp ? (kp.data[a * kp.columns + b] ?? 0) ** 2 : Number(a === b);
      const k = kx.data[i * n + j] ?? 0;
      all += k * k;
      prompts += alike * alike;
      joint += k * k * alike * alike;
    }
  }
  const total = Math.log((n * n) / all);
  const seeds = Math.log(prompts / joint);
  return { total, seeds, prompts: total - seeds };
}
