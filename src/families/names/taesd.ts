/** A tiny autoencoder's tensors by diffusers' names, from TAESD's own files, which hold one half as numbered layers. */

/** TAESD's names of the tensors of one half → diffusers'. A key that is no numbered layer is left out. */
export function tinyNames(keys: readonly string[], half: "encoder" | "decoder"): Map<string, string> {
  // The decoder's first layer bends its input and has no weights; diffusers does not count it.
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
