/** Tensor names of Wan's autoencoder, which is Qwen-Image's: those of its own code, which numbers all layers of a half → diffusers. */

/** Numbers of the layers of a residual block, and names of its norms and convolutions. */
const RESIDUAL: Readonly<Record<string, string>> = { 0: "norm1", 2: "conv1", 3: "norm2", 6: "conv2" };

/** Wan's names → diffusers' names. Other keys are ignored. */
export function wanVaeNames(keys: readonly string[]): Map<string, string> {
  /** Numbers of the decoder's layers that end a level. */
  const ends = [...new Set(keys.flatMap((k) => /^decoder\.upsamples\.(\d+)\.resample\./.exec(k)?.[1] ?? []))].map(
    Number,
  );
  const found = new Map<string, string>();
  for (const key of keys) {
    const name = nameOf(key, ends);
    if (name !== undefined) found.set(key, name);
  }
  return found;
}

function nameOf(key: string, ends: readonly number[]): string | undefined {
  const [, whole, rest = ""] = /^conv([12])\.(.+)$/.exec(key) ?? [];
  if (whole) return `${whole === "1" ? "quant_conv" : "post_quant_conv"}.${rest}`;
  const [, half = "", inner = ""] = /^(encoder|decoder)\.(.+)$/.exec(key) ?? [];
  const [, head, tail] = /^(conv1|head\.0|head\.2)\.(.+)$/.exec(inner) ?? [];
  if (head) return `${half}.${{ conv1: "conv_in", "head.0": "norm_out" }[head] ?? "conv_out"}.${tail}`;
  const [, part, number = "", layer = ""] = /^(middle|downsamples|upsamples)\.(\d+)\.(.+)$/.exec(inner) ?? [];
  const at = Number(number);
  if (part === "middle") {
    return `${half}.mid_block.${at === 1 ? `attentions.0.${layer}` : `resnets.${at / 2}.${inResidual(layer)}`}`;
  }
  if (part === "downsamples") return `${half}.down_blocks.${number}.${inResidual(layer)}`;
  if (part !== "upsamples") return undefined;
  const level = ends.filter((end) => end < at).length;
  const place = at - (ends.toSorted((a, b) => a - b)[level - 1] ?? -1) - 1;
  const block = `${half}.up_blocks.${level}`;
  return ends.includes(at) ? `${block}.upsamplers.0.${layer}` : `${block}.resnets.${place}.${inResidual(layer)}`;
}

/** A layer of a residual block; other layers have the same name in both. */
function inResidual(layer: string): string {
  const [, number = "", rest] = /^residual\.(\d)\.(.+)$/.exec(layer) ?? [];
  const name = RESIDUAL[number];
  return name === undefined ? layer.replace(/^shortcut\./, "conv_shortcut.") : `${name}.${rest}`;
}
