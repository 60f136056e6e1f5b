/** Fidelity: precision, recall, density, coverage, FID and KID against a reference, and the Inception score. */
import {
  frechetDistance,
  inceptionScore,
  kernelDistance,
  neighbours,
  pooledEstimate,
  within01,
} from "../metrics/index.js";
import { counted, type Product } from "../tensor/index.js";
import { halves, type Measure, measured, noInterval, pick, type Sample } from "./result.js";

/** Precision, density, recall and coverage of features a against reference features b. */
export async function fidelity(
  name: string,
  a: readonly Float32Array[],
  b: readonly Float32Array[],
  sample: Sample,
  multiply: Product,
  k: number,
): Promise<Measure[]> {
  const least = Math.min(a.length, b.length);
  if (least <= k) return [];
  const cost = 3 * a.length * b.length * (a[0]?.length ?? 1);
  const resamples = least < 2 * (k + 1) ? 0 : halves(cost);
  const kinds = [
    ["precision", "share of images in a neighbourhood of the reference", "fidelity"],
    ["density", "number of reference neighbourhoods that contain an image, divided by k", "fidelity"],
    ["recall", "share of the reference in a neighbourhood of the images", "diversity"],
    ["coverage", "share of reference images with an image in their neighbourhood", "diversity"],
  ] as const;
  const found: Measure[] = [];
  for (const [id, about, kind] of kinds) {
    const estimate = await pooledEstimate(
      [a.length, b.length],
      async (i, j) => (await neighbours(pick(b, j), pick(a, i), k, multiply))[id],
      resamples,
    );
    // Density may exceed 1; the other three are shares.
    const value = id === "density" ? estimate : within01(estimate);
    found.push(
      measured(sample, {
        id: `${name}.${id}`,
        about: `${about} (k = ${k})`,
        kind,
        better: "higher",
        value,
        reference: b.length,
        warnings: [
          least < 1000 && `${counted(least, "image")} in the smaller set: neighbourhoods are wide below a few thousand`,
          noInterval(resamples),
        ],
      }),
    );
  }
  return found;
}

export const FID_LEAST = 2048;

export async function frechet(
  name: string,
  a: readonly Float32Array[],
  b: readonly Float32Array[],
  sample: Sample,
  multiply: Product,
): Promise<Measure> {
  const least = Math.min(a.length, b.length);
  const side = Math.min(least, 2048);
  const resamples = halves(side * side * 2048 + 10 * side ** 3);
  const value = await pooledEstimate(
    [a.length, b.length],
    (i, j) => frechetDistance(pick(a, i), pick(b, j), multiply),
    least < 4 ? 0 : resamples,
  );
  return measured(sample, {
    id: `${name}.fid`,
    about: "Fréchet Inception distance to the reference",
    kind: "fidelity",
    better: "lower",
    value,
    reference: b.length,
    warnings: [
      least < FID_LEAST &&
        `FID needs ${FID_LEAST.toLocaleString("en")} images in both sets; with ${least} it is biased upwards: compare it only between sets of the same size, or use KID`,
      noInterval(resamples),
    ],
  });
}

export async function kernel(
  name: string,
  a: readonly Float32Array[],
  b: readonly Float32Array[],
  sample: Sample,
  multiply: Product,
): Promise<Measure> {
  const least = Math.min(a.length, b.length);
  const resamples = halves(3 * a.length * b.length * 2048);
  return measured(sample, {
    id: `${name}.kid`,
    about: "Kernel Inception distance to the reference, of all images, unbiased",
    kind: "fidelity",
    better: "lower",
    value: await pooledEstimate(
      [a.length, b.length],
      (i, j) => kernelDistance(pick(a, i), pick(b, j), multiply),
      least < 4 ? 0 : resamples,
    ),
    reference: b.length,
    warnings: [
      least < 100 && `${counted(least, "image")} in the smaller set: unbiased, but noisy`,
      noInterval(resamples),
    ],
  });
}

export async function classScore(logits: readonly Float32Array[], sample: Sample): Promise<Measure> {
  const resamples = logits.length < 4 ? 0 : halves(logits.length * 4000);
  return measured(sample, {
    id: "inception.score",
    about: "Inception score: confident and diverse ImageNet classes",
    kind: "fidelity",
    better: "higher",
    value: await pooledEstimate([logits.length, 1], async (i) => inceptionScore(pick(logits, i)), resamples),
    warnings: [
      logits.length < 5000 && `${counted(logits.length, "image")}; the score grows with their number up to about 5,000`,
    ],
  });
}
