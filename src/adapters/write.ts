/** Writes adapters as named tensors, in the dialect of diffusers (PEFT) or of kohya's trainer. */
import { RequestError } from "../errors.js";
import { denoiserLayerNames, type OtherLayer } from "../families/index.js";
import { type FloatTensor, float } from "../tensor/index.js";
import { type LowRank, type Magnitude, matricesOf, strengthOf } from "./delta.js";
import { kindOf } from "./facts.js";
import type { DIALECTS } from "./fields.js";
import { fusedLayers, type LayerShape, type Layers, type Part } from "./names.js";
import { joined, type PieceChange } from "./pieces.js";
import type { Adapter, Target } from "./read.js";

export type Dialect = (typeof DIALECTS)[number];

/**
 * Tensors of an adapter in a dialect, by key. PEFT has no alpha tensor: alpha / rank is multiplied into lora_B. kohya's trainer uses the
 * layer names of a transformer's own code, in which queries, keys and values are often one layer: their changes are joined, so that ranks add
 * up. It uses Stability's names for SDXL (recognised by its second text encoder) and diffusers' for Stable Diffusion 1.x and 2.x.
 * @param layers of the model; with kohya's names all of them, changed or not
 * @throws RequestError for a kind that the dialect does not support
 */
export function adapterTensors(adapter: Adapter, dialect: Dialect, layers: Layers): Record<string, FloatTensor> {
  const { file, targets } = adapter;
  const lowRanked = (target: Target): LowRankTarget => {
    const { delta, layer } = target;
    if (delta.kind !== "low-rank") {
      throw new RequestError(
        `${file}: ${layer} has a change of kind ${kindOf(delta)}; only LoRA, LoCon and DoRA can be converted`,
      );
    }
    return { ...target, matrices: matricesOf(delta), magnitude: delta.magnitude, strength: strengthOf(delta) };
  };
  if (dialect === "peft") return Object.fromEntries(targets.flatMap((target) => peft(file, lowRanked(target))));
  return Object.fromEntries(
    kohyaTargets(adapter, layers).flatMap(({ key, target }) => {
      const { delta } = target;
      return delta.kind === "difference"
        ? tensorsOf([`${key}.diff`, delta.weight], [`${key}.diff_b`, delta.bias])
        : kohya(key, lowRanked(target));
    }),
  );
}

/** A change of a layer with kohya's name, where a fused layer is one. */
interface KohyaTarget {
  readonly key: string;
  readonly target: Target;
}

/** @throws RequestError for changes that cannot be joined to one of a fused layer */
function kohyaTargets({ file, targets }: Adapter, layers: Layers): KohyaTarget[] {
  const unet = layers.get("unet") ?? new Map<string, LayerShape>();
  const names = [...unet.keys()];
  const ownNames = layers.has("text_encoder_2") || !names.some((name) => OF_UNET.test(name));
  const others = ownNames ? denoiserLayerNames(names) : new Map<string, OtherLayer>();
  const places = new Map(
    [...fusedLayers("unet", unet, others)].flatMap(({ name, layer: { weight, pieces = [] } }) =>
      pieces.map((piece) => [piece.name, { name, whole: weight, rows: piece.rows }] as const),
    ),
  );
  const alone: KohyaTarget[] = [];
  const fused = new Map<string, { key: string; whole: readonly number[]; changes: (Target & PieceChange)[] }>();
  for (const target of targets) {
    const { part, layer, delta } = target;
    const place = part === "unet" ? places.get(layer) : undefined;
    if (!place) {
      const other = part === "unet" ? others.get(layer) : undefined;
      alone.push({ key: kohyaName(part, layer, other?.share ? undefined : other?.name), target });
      continue;
    }
    const { name, whole, rows } = place;
    // A full difference and a LoRA of the same layer have keys of their own.
    const group = `${name} ${delta.kind === "difference" ? "difference" : "product"}`;
    const { changes } = fused.get(group) ?? { changes: [] };
    fused.set(group, { key: kohyaName(part, layer, name), whole, changes: [...changes, { ...target, rows }] });
  }
  const together = [...fused.values()].map(({ key, whole, changes }): KohyaTarget => {
    const delta = joined(changes, whole);
    const [first] = changes;
    if (first && delta) return { key, target: { part: first.part, layer: first.layer, delta } };
    const each = changes.map(({ layer, delta }) => `${layer} (${kindOf(delta)})`).join(", ");
    throw new RequestError(
      `${file}: in kohya's names ${each} are parts of one layer, and of their changes only LoRAs, full differences and DoRAs of all parts can be joined`,
    );
  });
  return [...alone, ...together];
}

type Named = [string, FloatTensor];

const tensorsOf = (...named: readonly (readonly [string, FloatTensor | null])[]): Named[] =>
  named.flatMap(([key, tensor]): Named[] => (tensor ? [[key, tensor]] : []));

/** A low-rank change of a layer. */
interface LowRankTarget extends Target {
  readonly matrices: LowRank;
  readonly magnitude: Magnitude | null;
  /** alpha / rank. */
  readonly strength: number;
}

/** A 1 for each kernel axis: the up matrices of convolutions are 1×1 convolutions in files. */
const kernelOnes = ({ down }: LowRank): number[] => down.shape.slice(2).map(() => 1);

const upTimes = (matrices: LowRank, by: number): FloatTensor =>
  float(
    [...matrices.up.shape, ...kernelOnes(matrices)],
    matrices.up.data.map((v) => v * by),
  );

/** Name of a layer in files, where text encoders have the prefix text_model. */
const fullName = (part: Part, layer: string): string =>
  part === "unet" || /^text_(model|projection)/.test(layer) ? layer : `text_model.${layer}`;

/** Layers of a UNet, by the modules that it consists of; a denoiser with other layers is a transformer, and named so in files. */
const OF_UNET = /^((down|up)_blocks|mid_block|conv_(in|norm_out|out)|(time|add|class)_embedding|encoder_hid_proj)\b/;

function peft(file: string, { part, layer, matrices, magnitude, strength }: LowRankTarget): Named[] {
  if (magnitude?.axis === "input") {
    throw new RequestError(
      `${file}: ${layer} has DoRA norms per input, as kohya's trainer writes them; PEFT supports norms per output only`,
    );
  }
  const key = `${part === "unet" && !OF_UNET.test(layer) ? "transformer" : part}.${fullName(part, layer)}`;
  const ones = kernelOnes(matrices);
  const lengths = magnitude?.lengths.data ?? null;
  return tensorsOf(
    [`${key}.lora_A.weight`, matrices.down],
    [`${key}.lora_B.weight`, upTimes(matrices, strength)],
    // PEFT transposes the norms of a convolution.
    [
      `${key}.lora_magnitude_vector`,
      lengths && float(ones.length > 0 ? [1, lengths.length, ...ones] : [lengths.length], lengths),
    ],
  );
}

const PREFIX: { readonly [P in Part]: string } = {
  unet: "lora_unet_",
  text_encoder: "lora_te1_",
  text_encoder_2: "lora_te2_",
  text_encoder_3: "lora_te3_",
};

const kohyaName = (part: Part, layer: string, sgm: string | undefined): string =>
  `${PREFIX[part]}${(sgm ?? fullName(part, layer)).replaceAll(".", "_")}`;

function kohya(key: string, { matrices, magnitude, strength }: LowRankTarget): Named[] {
  const ones = kernelOnes(matrices);
  const size = magnitude?.lengths.data.length ?? 0;
  const shape = magnitude?.axis === "input" ? [1, size, ...ones] : [size, 1, ...ones];
  return tensorsOf(
    [`${key}.lora_down.weight`, matrices.down],
    [`${key}.lora_up.weight`, upTimes(matrices, 1)],
    [`${key}.alpha`, float([], Float32Array.of(strength * (matrices.down.shape[0] ?? 1)))],
    [`${key}.dora_scale`, magnitude && float(shape, magnitude.lengths.data)],
  );
}
