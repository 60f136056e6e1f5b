/** Names of a denoiser's layers in files of other tools, by the layers that it has. */
import { FAMILY_NAMES, factsOf } from "./families.js";
import type { TransformerFacts } from "./family.js";
import { type OtherLayer, otherLayers } from "./names/transformer.js";
import { stabilityNames } from "./names/unet.js";

/** The transformer whose layers these are; undefined for a UNet. @param layers names in diffusers, without "weight" */
function transformerOf(layers: readonly string[]): TransformerFacts | undefined {
  const own = new Set(layers.map((name) => `${name}.weight`));
  return FAMILY_NAMES.map((family) => factsOf(family).denoiser.transformer).find((facts) =>
    facts?.marks.diffusers.every((mark) => own.has(mark)),
  );
}

/** The layers that have another name, or are part of a fused layer, in files of other tools. @param layers names in diffusers, without "weight" */
export function denoiserLayerNames(layers: readonly string[]): Map<string, OtherLayer> {
  const facts = transformerOf(layers);
  if (facts) return otherLayers(facts.names, layers);
  return new Map([...stabilityNames(layers)].map(([layer, name]) => [layer, { name }]));
}

/** The layers that have a name which only adapters use. @param layers names in diffusers, without "weight" */
export const adapterLayerNames = (layers: readonly string[]): Map<string, OtherLayer> =>
  otherLayers(transformerOf(layers)?.adapterNames ?? [], layers);
