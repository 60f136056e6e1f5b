/** Measures a folder of pictures with the instruments that are there: every number with its interval, its sample and what to beware of. */
import type {
  ClipScorer,
  InceptionInstrument,
  Instrument,
  InstrumentFacts,
  JudgeReader,
} from "../instruments/index.js";
import type { Product, RgbImage } from "../tensor/index.js";
import type { OpenAttribute } from "./attributes.js";
import { classScore, closeness, frechet, kernel } from "./fidelity.js";
import type { Group, PictureFolder } from "./folder.js";
import { lookAt, type MeasureOptions } from "./look.js";
import { type Measure, sampleOf } from "./number.js";
import { adherence, semanticVariety, truth } from "./semantic.js";
import { meanSpectrum, squaredVariety, varietyOf } from "./variety.js";

export interface Measured {
  readonly folder: string;
  readonly prompts: readonly {
    readonly prompt: string;
    readonly told: Group["told"];
    readonly files: readonly string[];
  }[];
  readonly skipped: PictureFolder["skipped"];
  readonly measures: readonly Measure[];
  /** Shares of the variance of features, mean over prompts, by instrument: the first 16. */
  readonly spectra: Readonly<Record<string, readonly number[]>>;
  /** How often each value of an attribute is shown, over the prompts that leave it open. */
  readonly attributes: readonly { readonly name: string; readonly shown: Readonly<Record<string, number>> }[];
}

/** What to measure with; what is not there is not measured. */
export interface Instruments {
  readonly clip?: { readonly facts: InstrumentFacts; readonly scorer: ClipScorer };
  readonly judge?: { readonly facts: InstrumentFacts; readonly reader: JudgeReader };
  readonly others: readonly Instrument[];
  readonly inception?: InceptionInstrument;
  readonly inceptionClean?: InceptionInstrument;
  readonly attributes: readonly OpenAttribute[];
  /** Fast products for large sets. */
  readonly multiply: Product;
}

/** How many times pictures are looked at: for telling how much is left. */
export const looksOf = (i: Instruments, groups: readonly Group[], reference?: PictureFolder): number => {
  const count = (g: readonly Group[]) => g.reduce((n, { pictures }) => n + pictures.length, 0);
  const own = Number(i.clip !== undefined) + Number(i.judge !== undefined) + i.others.length;
  const inceptions = Number(i.inception !== undefined) + Number(i.inceptionClean !== undefined);
  const compared = Number(i.clip !== undefined) + i.others.filter((x) => x.distance === "cosine").length + inceptions;
  return count(groups) * (own + inceptions) + (reference ? count(reference.groups) * compared : 0);
};

/** Measures one folder. */
export async function measureFolder(
  { folder, groups, skipped }: PictureFolder,
  instruments: Instruments,
  o: MeasureOptions = {},
): Promise<Measured> {
  const measures: Measure[] = [];
  const spectra: Record<string, readonly number[]> = {};
  const sample = sampleOf(groups);
  const reference = o.reference?.groups;

  const compare = async (name: string, look: (images: readonly RgbImage[]) => Promise<Float32Array[]>) => {
    const features = await lookAt(groups, name, look, o);
    measures.push(...(await varietyOf(name, features, sample)));
    const spectrum = meanSpectrum(features);
    if (spectrum.length > 0) spectra[name] = spectrum;
    if (reference) {
      const real = (await lookAt(reference, `${name}, reference`, look, o)).flat();
      measures.push(...(await closeness(name, features.flat(), real, sample, instruments.multiply, o.neighbours ?? 5)));
    }
    return features;
  };

  const { clip, judge, inception, inceptionClean } = instruments;
  let attributes: Measured["attributes"] = [];
  if (clip) {
    const features = await compare("clip", (images) => clip.scorer.images(images));
    measures.push(...(await adherence(clip.scorer, features, groups, sample)));
    const semantic = await semanticVariety(clip.scorer, features, groups, instruments.attributes, sample);
    measures.push(...semantic.measures);
    attributes = semantic.shown;
  }
  for (const instrument of instruments.others) {
    const { name } = instrument.facts;
    if (instrument.distance === "cosine") await compare(name, (images) => instrument.features(images));
    else measures.push(await squaredVariety(instrument, groups, sample, o));
  }
  if (judge) measures.push(...(await truth(judge.reader, groups, sample, instruments.attributes, o)));
  if (inception) {
    const read = (await lookAt(groups, "inception", (i) => inception.read(i), o)).flat();
    measures.push(
      await classScore(
        read.map((r) => r.logits),
        sample,
      ),
    );
    if (reference) {
      const real = (await lookAt(reference, "inception, reference", (i) => inception.read(i), o)).flat();
      const [a, b] = [read.map((r) => r.features), real.map((r) => r.features)];
      measures.push(await frechet("inception", a, b, sample, instruments.multiply));
      measures.push(await kernel("inception", a, b, sample, instruments.multiply));
      measures.push(...(await closeness("inception", a, b, sample, instruments.multiply, o.neighbours ?? 5)));
    }
  }
  if (inceptionClean && reference) {
    const look = (images: readonly RgbImage[]) => inceptionClean.read(images);
    const a = (await lookAt(groups, "inception, clean", look, o)).flat().map((r) => r.features);
    const b = (await lookAt(reference, "inception, clean, reference", look, o)).flat().map((r) => r.features);
    measures.push(await frechet("inception-clean", a, b, sample, instruments.multiply));
    measures.push(await kernel("inception-clean", a, b, sample, instruments.multiply));
  }
  const prompts = groups.map(({ prompt, told, pictures }) => ({ prompt, told, files: pictures.map((p) => p.file) }));
  return { folder, prompts, skipped, measures, spectra, attributes };
}
