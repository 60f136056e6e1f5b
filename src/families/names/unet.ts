/** Layer names of UNets: diffusers (nested blocks) ↔ Stability ("SGM", "LDM": blocks numbered consecutively). */

/** Layers of a residual block: diffusers → Stability. */
const RESNET: Readonly<Record<string, string>> = {
  norm1: "in_layers.0",
  conv1: "in_layers.2",
  time_emb_proj: "emb_layers.1",
  norm2: "out_layers.0",
  conv2: "out_layers.3",
  conv_shortcut: "skip_connection",
};

/** Layers outside of blocks: diffusers → Stability. */
const ENDS: Readonly<Record<string, string>> = {
  conv_in: "input_blocks.0.0",
  conv_norm_out: "out.0",
  conv_out: "out.2",
  "time_embedding.linear_1": "time_embed.0",
  "time_embedding.linear_2": "time_embed.2",
  "time_embedding.cond_proj": "time_embed.cond_proj",
  "add_embedding.linear_1": "label_emb.0.0",
  "add_embedding.linear_2": "label_emb.0.2",
};

const inverted = (table: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(table).map(([a, b]) => [b, a]));
const RESNET_BACK = inverted(RESNET);
const ENDS_BACK = inverted(ENDS);

/** diffusers' names → Stability's names, for the layers of one UNet. Other names are ignored. */
export function stabilityNames(names: readonly string[]): Map<string, string> {
  const layers = (side: string, block: number) =>
    new Set(names.flatMap((n) => new RegExp(`^${side}_blocks\\.${block}\\.resnets\\.(\\d+)\\.`).exec(n)?.[1] ?? []))
      .size;
  const has = (start: string) => names.some((n) => n.startsWith(start));
  const starts = { down: [1], up: [0] };
  for (let i = 0; has(`down_blocks.${i}.`); i++) {
    const resamples = has(`down_blocks.${i}.downsamplers.`) ? 1 : 0;
    starts.down.push((starts.down[i] ?? 0) + layers("down", i) + resamples);
  }
  for (let i = 0; has(`up_blocks.${i}.`); i++) starts.up.push((starts.up[i] ?? 0) + layers("up", i));

  const found = new Map<string, string>();
  for (const name of names) {
    const other = ENDS[name] ?? inBlocks(name);
    if (other) found.set(name, other);
  }
  return found;

  function inBlocks(name: string): string | undefined {
    const middle = /^mid_block\.(resnets|attentions)\.(\d)\.(.+)$/.exec(name);
    if (middle) {
      const [, kind, j, rest = ""] = middle;
      return kind === "resnets" ? `middle_block.${2 * Number(j)}.${RESNET[rest] ?? rest}` : `middle_block.1.${rest}`;
    }
    const [, side, block, kind, layer, rest = ""] =
      /^(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.+)$/.exec(name) ?? [];
    if (side !== "down" && side !== "up") return undefined;
    const [i, j] = [Number(block), Number(layer)];
    const start = starts[side][i] ?? 0;
    const where = side === "down" ? "input_blocks" : "output_blocks";
    if (kind === "resnets") return `${where}.${start + j}.0.${RESNET[rest] ?? rest}`;
    if (kind === "attentions") return `${where}.${start + j}.1.${rest}`;
    if (kind === "downsamplers") return `${where}.${start + layers("down", i)}.0.op`;
    const last = start + layers("up", i) - 1;
    return `${where}.${last}.${has(`up_blocks.${i}.attentions.`) ? 2 : 1}.conv`;
  }
}

/** One resolution of a UNet in Stability's names. */
export interface Level {
  /** Numbers of the blocks of its residual layers. */
  readonly layers: readonly number[];
  /** Number of transformer blocks in each layer; null without a transformer. */
  readonly depths: readonly (number | null)[];
  /** The level ends with a down- or upsampler. */
  readonly resamples: boolean;
}

/** Structure of a UNet. */
export interface UNetOutline {
  readonly down: readonly Level[];
  /** Middle block: number of transformer blocks, or null without a transformer; null when absent. */
  readonly mid: { readonly depth: number | null } | null;
  readonly up: readonly Level[];
}

/** Structure of a UNet from tensor names in Stability's scheme. */
export function unetOutline(keys: readonly string[]): UNetOutline {
  const all = new Set(keys);
  const has = (start: string) => keys.some((k) => k.startsWith(start));
  const depthOf = (block: string): number | null => {
    if (!all.has(`${block}.proj_in.weight`)) return null;
    const pattern = new RegExp(`^${block.replaceAll(".", "\\.")}\\.transformer_blocks\\.(\\d+)\\.`);
    return new Set(keys.flatMap((k) => pattern.exec(k)?.[1] ?? [])).size;
  };
  const levels = (side: "input_blocks" | "output_blocks", first: number): Level[] => {
    const found: { layers: number[]; depths: (number | null)[]; resamples: boolean }[] = [];
    let open: (typeof found)[number] = { layers: [], depths: [], resamples: false };
    for (let n = first; has(`${side}.${n}.`); n++) {
      const down = all.has(`${side}.${n}.0.op.weight`);
      if (!down) {
        open.layers.push(n);
        open.depths.push(depthOf(`${side}.${n}.1`));
      }
      const up = all.has(`${side}.${n}.1.conv.weight`) || all.has(`${side}.${n}.2.conv.weight`);
      if (!down && !up) continue;
      found.push({ ...open, resamples: true });
      open = { layers: [], depths: [], resamples: false };
    }
    if (open.layers.length > 0) found.push(open);
    return found;
  };
  return {
    down: levels("input_blocks", 1),
    mid: has("middle_block.0.") ? { depth: depthOf("middle_block.1") } : null,
    up: levels("output_blocks", 0),
  };
}

/** Stability's names → diffusers' names, for the tensors of one UNet. Other keys are ignored. */
export function diffusersNames(keys: readonly string[]): Map<string, string> {
  const { down, up } = unetOutline(keys);
  const places = (levels: readonly Level[]) =>
    new Map(levels.flatMap(({ layers }, i) => layers.map((n, j) => [n, { i, j }] as const)));
  const sides = {
    input: { name: "down_blocks", at: places(down), sampler: "downsamplers", levels: down },
    output: { name: "up_blocks", at: places(up), sampler: "upsamplers", levels: up },
  };
  const found = new Map<string, string>();
  for (const key of keys) {
    const [, layer = "", end = ""] = /^(.+)\.(weight|bias)$/.exec(key) ?? [];
    const other = ENDS_BACK[layer] ?? middle(layer) ?? counted(layer);
    if (other) found.set(key, `${other}.${end}`);
  }
  return found;

  function middle(layer: string): string | undefined {
    const [, j, rest = ""] = /^middle_block\.(\d)\.(.+)$/.exec(layer) ?? [];
    if (j === undefined) return undefined;
    return j === "1"
      ? `mid_block.attentions.0.${rest}`
      : `mid_block.resnets.${Number(j) / 2}.${RESNET_BACK[rest] ?? rest}`;
  }

  function counted(layer: string): string | undefined {
    const [, side, block, part, rest = ""] = /^(input|output)_blocks\.(\d+)\.(\d)\.(.+)$/.exec(layer) ?? [];
    if (side !== "input" && side !== "output") return undefined;
    const { name, at, sampler, levels } = sides[side];
    const n = Number(block);
    if (rest === "op" || rest === "conv") {
      // A downsampler has a block number of its own after its level; an upsampler belongs to the block of the last layer.
      const i = side === "input" ? levels.findIndex((l) => (l.layers.at(-1) ?? 0) + 1 === n) : at.get(n)?.i;
      return i === undefined || i < 0 ? undefined : `${name}.${i}.${sampler}.0.conv`;
    }
    const place = at.get(n);
    if (!place) return undefined;
    return part === "0"
      ? `${name}.${place.i}.resnets.${place.j}.${RESNET_BACK[rest] ?? rest}`
      : `${name}.${place.i}.attentions.${place.j}.${rest}`;
  }
}
