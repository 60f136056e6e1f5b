/** Attributes of images, such as the colour of a hat: accuracy of the named ones, and diversity of those that a prompt leaves free. */
import type { AttributeClassifier, AttributeProbabilities, AttributeValues } from "../instruments/index.js";
import { indices, mutualInformation } from "../metrics/index.js";
import { type Attribute, phrasesOf } from "./phrases.js";

/** Attributes of a classifier. */
export const attributesOf = ({ config }: Pick<AttributeClassifier, "config">): Attribute[] =>
  Object.entries(config.factors).map(([name, values]) => ({
    name,
    values,
    phrases: values.map((v) => phrasesOf(name, v, config.words[name]?.[String(v)])),
  }));

/** Attributes of `all` that are not named. */
export const freeAttributes = (all: readonly string[], named: AttributeValues): string[] =>
  all.filter((name) => !(name in named));

/**
 * Mutual information between the images of one prompt and their attributes, summed over the attributes `free`, in nats: the entropy of the
 * values where every image is certain. NaN for fewer than two images.
 * @param drawn indices of images, such as a resample; default: all
 */
export const freeInformation = (
  images: readonly AttributeProbabilities[],
  free: readonly string[],
  drawn: readonly number[] = indices(images.length),
): number =>
  drawn.length < 2
    ? Number.NaN
    : free.reduce(
        (sum, name) =>
          sum +
          mutualInformation(
            images.map((values) => values[name] ?? []),
            drawn,
          ),
        0,
      );

/** Maximum of the information, reached when all values are certain and equally frequent, in nats. */
export const largestInformation = (attributes: readonly Pick<Attribute, "values">[]): number =>
  attributes.reduce((sum, { values }) => sum + Math.log(values.length), 0);

/** 1 where an image has the named value of an attribute, else 0 [images × named]. Their mean is the attribute accuracy. */
export const attributeAccuracy = (images: readonly AttributeValues[], named: AttributeValues): number[] =>
  images.flatMap((shown) => Object.entries(named).map(([name, value]) => Number(shown[name] === value)));

/** Most likely value of each attribute. */
export const likeliestValues = (p: AttributeProbabilities, attributes: readonly Attribute[]): AttributeValues =>
  Object.fromEntries(
    attributes.map(({ name, values }) => {
      const own = p[name] ?? [];
      return [name, values[own.indexOf(Math.max(...own))] ?? ""];
    }),
  );
