/** What the page measures of images: their diversity, and x0 at every step of one. The numbers are those of the studio's server. */
import {
  cosineDistance,
  decodeLatents,
  type FloatTensor,
  type GenerateCache,
  type GenerateRequest,
  generate,
  jackknifeEstimate,
  meanPairwise,
  pairwise,
  RequestError,
  type RgbImage,
  rootMeanSquare,
  type StepEvent,
  stack,
  type WebPair,
  watch,
} from "../../../src/browser/index.js";
import type { Diversity, Estimate, Trace } from "../backend.js";
import { pictureUrl } from "./png.js";

type Features = Float32Array;

const pixelsOf = ({ data }: RgbImage): Features => Float32Array.from(data, (v) => v / 255);

/** Mean pairwise distance with a jackknife interval over images. */
function overImages(features: readonly Features[], of: (a: Features, b: Features) => number): Estimate {
  const distances = pairwise(features, of);
  const without = features.map((_, i) =>
    meanPairwise(distances.filter((_row, a) => a !== i).map((row) => row.filter((_value, b) => b !== i))),
  );
  return jackknifeEstimate(meanPairwise(distances), without);
}

/** Mean pairwise distances of images with equal sizes. */
export async function diversityOf(pair: WebPair, images: readonly RgbImage[]): Promise<Diversity> {
  const features = await (await pair.clip())?.images(images);
  return {
    pixels: overImages(images.map(pixelsOf), rootMeanSquare),
    clip: features ? overImages(features, cosineDistance) : null,
  };
}

/** Samples an image again, from the kept states of its rows where there are some, and looks at each x0. */
export async function traceOf(
  pair: WebPair,
  request: GenerateRequest,
  final: RgbImage,
  phrases: readonly string[],
  cache: GenerateCache,
): Promise<Trace> {
  const steps: StepEvent[] = [];
  let latents: FloatTensor | null = null;
  for await (const event of generate(pair, request, undefined, cache)) {
    if (event.type === "step") steps.push(event);
    if (event.type === "image") latents = event.latents;
  }
  const x0 = await decodeLatents(pair.decoder, stack(steps.map((step) => step.x0)), pair.engine);
  const clip = await pair.clip();
  if (phrases.length > 0 && !clip) throw new RequestError("phrases need a CLIP, which these models do not have");
  const features = await clip?.images([...x0, final]);
  const end = features?.at(-1);
  const looks = features?.slice(0, -1) ?? [];
  const distances = steps.map((step, i) => {
    const look = looks[i];
    return look && end ? cosineDistance(look, end) : rootMeanSquare(step.x0.data, (latents ?? step.x0).data);
  });
  const concepts = [];
  for (const phrase of clip ? phrases : []) {
    const text = await clip?.text(phrase);
    const similarity = looks.map((look) => (text ? 1 - cosineDistance(look, text) : 0));
    const { threshold, findings } = watch(phrase, [0], [similarity], similarity);
    const [found] = findings;
    concepts.push({ phrase, similarity, threshold, finding: found ? { kind: found.finding, step: found.step } : null });
  }
  return {
    frames: steps.map(({ timestep, model }, i) => ({
      ...{ timestep, model, distance: distances[i] ?? 0 },
      image: x0[i] ? pictureUrl(x0[i]) : "",
    })),
    concepts,
  };
}
