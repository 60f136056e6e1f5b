/** Tensor names of AutoencoderKL: Stability, whose decoder numbers its levels from the highest resolution → diffusers. */

const ATTENTION: Readonly<Record<string, string>> = {
  norm: "group_norm",
  q: "to_q",
  k: "to_k",
  v: "to_v",
  proj_out: "to_out.0",
};

/** Stability's names → diffusers' names, for the tensors of an AutoencoderKL. Other keys are ignored. */
export function vaeNames(keys: readonly string[]): Map<string, string> {
  const levels = new Set(keys.flatMap((k) => /^decoder\.up\.(\d+)\./.exec(k)?.[1] ?? [])).size;
  const found = new Map<string, string>();
  for (const key of keys) {
    // FLUX.2's own code has these convolutions in the halves, and statistics of its folded latents.
    const outside = /^(?:encoder\.|decoder\.)?((?:post_)?quant_conv\..+)$/.exec(key)?.[1];
    const name = outside ?? (key.startsWith("bn.") ? key : inHalf(key, levels));
    if (name) found.set(key, name);
  }
  return found;
}

function inHalf(key: string, levels: number): string | undefined {
  const [, half = "", rest = ""] = /^(encoder|decoder)\.(.+)$/.exec(key) ?? [];
  if (/^conv_(in|out)\./.test(rest)) return key;
  const out = /^norm_out\.(.+)$/.exec(rest);
  if (out) return `${half}.conv_norm_out.${out[1]}`;
  const attention = /^mid\.attn_1\.(\w+)\.(weight|bias)$/.exec(rest);
  if (attention)
    return `${half}.mid_block.attentions.0.${ATTENTION[attention[1] ?? ""] ?? attention[1]}.${attention[2]}`;
  const middle = /^mid\.block_([12])\.(.+)$/.exec(rest);
  if (middle) return `${half}.mid_block.resnets.${Number(middle[1]) - 1}.${shortcut(middle[2] ?? "")}`;
  const [, side, level = "", inner = ""] = /^(down|up)\.(\d+)\.(.+)$/.exec(rest) ?? [];
  if (side === undefined) return undefined;
  const block = `${half}.${side}_blocks.${side === "up" ? levels - 1 - Number(level) : level}`;
  const resnet = /^block\.(\d+)\.(.+)$/.exec(inner);
  if (resnet) return `${block}.resnets.${resnet[1]}.${shortcut(resnet[2] ?? "")}`;
  const sampler = /^(down|up)sample\.conv\.(.+)$/.exec(inner);
  return sampler ? `${block}.${sampler[1]}samplers.0.conv.${sampler[2]}` : undefined;
}

const shortcut = (rest: string): string => rest.replace(/^nin_shortcut\./, "conv_shortcut.");
