/** Vendi score, effective rank and conditional entropy: diversity from the eigenvalues of a similarity matrix. */
import { centred, eigenvalues, type Matrix, matrix, product, rowsOf, transpose, unitRows } from "../tensor/index.js";

/** Order of the Vendi score: 1 weighs all kinds by how frequent they are, 2 (RKE) and ∞ see the frequent ones most. */
export type VendiOrder = 1 | 2 | typeof Number.POSITIVE_INFINITY;

const scaled = (a: Matrix, by: number): Matrix =>
  matrix(
    a.rows,
    a.columns,
    a.data.map((v) => v * by),
  );

/** Non-zero eigenvalues of x xᵀ, from xᵀ x where that is smaller: both have the same. x [n, d] */
function spectrumOf(x: Matrix, by: number): number[] {
  const wide = x.columns >= x.rows ? x : transpose(x);
  return eigenvalues(scaled(product(wide, wide), by)).filter((v) => v > 0);
}

/** exp of the Rényi entropy of `shares`, which add to 1. */
function effectiveNumber(shares: readonly number[], order: VendiOrder): number {
  const positive = shares.filter((p) => p > 0);
  if (order === 1) return Math.exp(-positive.reduce((s, p) => s + p * Math.log(p), 0));
  if (order === 2) return 1 / positive.reduce((s, p) => s + p * p, 0);
  return 1 / Math.max(...positive);
}

/**
 * Vendi score (Friedman & Dieng 2022, eq. 1; orders: Pasarkar & Dieng 2024) of features [n][d] under cosine similarity:
 * 1 when all are alike, n when all are at right angles. Order 2 is RKE (Jalali et al. 2023).
 */
export function vendi(features: readonly Float32Array[], order: VendiOrder = 1): number {
  return effectiveNumber(spectrumOf(unitRows(rowsOf(features)), 1 / features.length), order);
}

/** Mean pairwise similarity: mean cosine over all pairs of different pictures, −1…1; lower is more varied. NaN below two. */
export function meanSimilarity(features: readonly Float32Array[]): number {
  const n = features.length;
  const x = unitRows(rowsOf(features));
  const sum = product(x, x).data.reduce((s, v) => s + v, 0);
  return n < 2 ? Number.NaN : (sum - n) / (n * (n - 1));
}

/** Eigenvalues of the covariance of features, as shares of their sum, falling. [min(n − 1, d)] */
export function varianceSpectrum(features: readonly Float32Array[]): number[] {
  const values = spectrumOf(centred(rowsOf(features)), 1).toReversed();
  const sum = values.reduce((s, v) => s + v, 0);
  return values.map((v) => v / sum).filter((v) => v > 1e-12);
}

/** exp of the entropy of the variance spectrum (Roy & Vetterli 2007): in how many directions features vary. NaN when they do not. */
export function effectiveRank(features: readonly Float32Array[]): number {
  const spectrum = varianceSpectrum(features);
  return spectrum.length === 0 ? Number.NaN : effectiveNumber(spectrum, 1);
}

/** Parts of the diversity, in nats of order-2 entropy. */
export interface ConditionalRke {
  /** ln RKE of all pictures together. */
  readonly total: number;
  /** The part of the seeds: entropy when the prompt is known. */
  readonly seeds: number;
  /** total − seeds. */
  readonly prompts: number;
}

/**
 * Conditional RKE (Jalali et al. 2025, SPARKE, eq. 5): H₂(x | prompt) = ln ‖K_p‖² − ln ‖K_x ∘ K_p‖². features[p][i]; prompts are
 * compared by `promptFeatures` [p][d] under squared cosine, or by being the same one.
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
