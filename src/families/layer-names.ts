/** Names of a denoiser's layers in files of other tools, by the layers that it has. */
import { FAMILY_NAMES, factsOf } from "./families.js";
import { type OtherLayer, otherLayers } from "./names/transformer.js";
import { stabilityNames } from "./names/unet.js";

/** The layers that have another name, or are part of a fused layer, in files of other tools. @param layers names in diffusers, without "weight" */
export function denoiserLayerNames(layers: readonly string[]): Map<string, OtherLayer> {
  const own = new Set(layers.map((name) => `${name}.weight`));
  for (const family of FAMILY_NAMES) {
    const facts = factsOf(family).denoiser.transformer;
    if (facts?.marks.diffusers.every((mark) => own.has(mark))) return otherLayers(facts.names, layers);
  }
  return new Map([...stabilityNames(layers)].map(([layer, name]) => [layer, { name }]));
}
