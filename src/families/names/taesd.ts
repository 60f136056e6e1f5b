/** Tensor names of AutoencoderTiny: TAESD's own files, which contain the encoder or the decoder as numbered layers → diffusers. */

/** TAESD's names → diffusers' names, of the encoder or decoder. Keys that are not numbered layers are ignored. */
export function tinyNames(keys: readonly string[], half: "encoder" | "decoder"): Map<string, string> {
  // The decoder's first layer, a clamp without weights, is not numbered in diffusers.
  const first = half === "decoder" ? 1 : 0;
  return new Map(
    keys.flatMap((key) => {
      const [, layer = "", rest = ""] = /^(\d+)\.(.+)$/.exec(key) ?? [];
      return layer === "" || Number(layer) < first
        ? []
        : [[key, `${half}.layers.${Number(layer) - first}.${rest}`] as const];
    }),
  );
}
