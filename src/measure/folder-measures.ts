/** Measures a folder of images with opened instruments. */

import type { AttributePredictors } from "../evaluation/index.js";
import type {
  AttributeClassifier,
  ClipScorer,
  InceptionInstrument,
  Instrument,
  InstrumentFacts,
} from "../instruments/index.js";
import type { Product, RgbImage } from "../tensor/index.js";
import { diversityMeasures, meanSpectrum, squaredDistanceMeasure } from "./diversity.js";
import { extractFeatures, type MeasureOptions } from "./features.js";
import { classScore, fidelity, frechet, kernel } from "./fidelity.js";
import type { Group, ImageFolder } from "./folder.js";
import { type FolderMeasures, type Measure, sampleOf } from "./result.js";
import { adherence, classifierMeasures, coverageMeasures, zeroShotEntropy } from "./semantic.js";

/** Opened instruments. Measures without their instrument are skipped. */
export interface Instruments extends AttributePredictors {
  readonly clip?: { readonly facts: InstrumentFacts; readonly network: ClipScorer };
  readonly classifier?: { readonly facts: InstrumentFacts; readonly network: AttributeClassifier };
  readonly others: readonly Instrument[];
  readonly inception?: InceptionInstrument;
  readonly inceptionClean?: InceptionInstrument;
  /** Matrix product for large sets. */
  readonly multiply: Product;
}

/** Number of images times the number of instruments that read them, for progress. */
export const workOf = (i: Instruments, groups: readonly Group[], reference?: ImageFolder): number => {
  const count = (g: readonly Group[]) => g.reduce((n, { images }) => n + images.length, 0);
  const own = Number(i.clip !== undefined) + Number(i.classifier !== undefined) + i.others.length;
  const inceptions = Number(i.inception !== undefined) + Number(i.inceptionClean !== undefined);
  const compared = Number(i.clip !== undefined) + i.others.filter((x) => x.distance === "cosine").length + inceptions;
  return count(groups) * (own + inceptions) + (reference ? count(reference.groups) * compared : 0);
};

/** Measures one folder. */
export async function measureFolder(
  { folder, groups, skipped }: ImageFolder,
  instruments: Instruments,
  o: MeasureOptions = {},
): Promise<FolderMeasures> {
  const measures: Measure[] = [];
  const spectra: Record<string, readonly number[]> = {};
  const sample = sampleOf(groups);
  const reference = o.reference?.groups;

  const compare = async (name: string, extract: (images: readonly RgbImage[]) => Promise<Float32Array[]>) => {
    const features = await extractFeatures(groups, name, extract, o);
    measures.push(...(await diversityMeasures(name, features, sample)));
    const spectrum = meanSpectrum(features);
    if (spectrum.length > 0) spectra[name] = spectrum;
    const real = reference ? await extractFeatures(reference, `${name}, reference`, extract, o) : [];
    if (reference) {
      const [a, b] = [features.flat(), real.flat()];
      measures.push(...(await fidelity(name, a, b, sample, instruments.multiply, o.neighbours ?? 5)));
    }
    return { own: features, real };
  };

  const { clip, classifier, inception, inceptionClean } = instruments;
  let attributes: FolderMeasures["attributes"] = [];
  if (clip) {
    const features = await compare("clip", (images) => clip.network.images(images));
    measures.push(...(await adherence(clip.network, features.own, groups, sample)));
    const semantic = zeroShotEntropy(features.own, groups, instruments, sample);
    measures.push(...semantic.measures);
    if (reference) measures.push(...coverageMeasures(features, { own: groups, real: reference }, instruments, sample));
    attributes = semantic.counts;
  }
  for (const instrument of instruments.others) {
    const { name } = instrument.facts;
    if (instrument.distance === "cosine") await compare(name, (images) => instrument.features(images));
    else measures.push(await squaredDistanceMeasure(instrument, groups, sample, o));
  }
  if (classifier) measures.push(...(await classifierMeasures(classifier.network, groups, sample, o)));
  if (inception) {
    const read = (await extractFeatures(groups, "inception", (i) => inception.read(i), o)).flat();
    measures.push(
      await classScore(
        read.map((r) => r.logits),
        sample,
      ),
    );
    if (reference) {
      const real = (await extractFeatures(reference, "inception, reference", (i) => inception.read(i), o)).flat();
      const [a, b] = [read.map((r) => r.features), real.map((r) => r.features)];
      measures.push(await frechet("inception", a, b, sample, instruments.multiply));
      measures.push(await kernel("inception", a, b, sample, instruments.multiply));
      measures.push(...(await fidelity("inception", a, b, sample, instruments.multiply, o.neighbours ?? 5)));
    }
  }
  if (inceptionClean && reference) {
    const read = (images: readonly RgbImage[]) => inceptionClean.read(images);
    const a = (await extractFeatures(groups, "inception, clean", read, o)).flat().map((r) => r.features);
    const b = (await extractFeatures(reference, "inception, clean, reference", read, o)).flat().map((r) => r.features);
    measures.push(await frechet("inception-clean", a, b, sample, instruments.multiply));
    measures.push(await kernel("inception-clean", a, b, sample, instruments.multiply));
  }
  const prompts = groups.map(({ prompt, promptSource, images }) => ({
    prompt,
    told: promptSource,
    files: images.map((i) => i.file),
  }));
  return { folder, prompts, skipped, measures, spectra, attributes };
}
