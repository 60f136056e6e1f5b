/** The row of a named pair: references and sampling options of its author, over what all pairs with one base share. */
import { SHA256 } from "./hashes.js";
import type { PairRow, SamplingDefaults } from "./schema.js";

/**
 * CLIP that measures images of pairs without their own: ViT-B/32 of OpenCLIP, 605 MB, licence MIT. OpenAI's ViT-B/32 is as large, but its
 * model card states no licence of the weights.
 */
export const DEFAULT_CLIP = "laion/CLIP-ViT-B-32-laion2B-s34B-b79K";

export const square = (side: number) => ({ width: side, height: side });
const PHOTOGRAPHS = ["a photo of a dog in a park", "a portrait of a scientist in her laboratory"] as const;

/** Fields shared by all pairs with one base. */
export type Base = Pick<PairRow, "family" | "base" | "scheduler" | "parameters" | "size"> &
  Pick<PairRow, "textParameters"> & { readonly sampling: SamplingDefaults };
interface Distilled {
  readonly distilled: string;
  readonly sampling: SamplingDefaults;
  readonly licence: string;
  readonly size?: PairRow["size"];
  readonly guidanceFeatures?: number;
  readonly names?: readonly string[];
  readonly scheduler?: NonNullable<PairRow["distilledScheduler"]>;
  readonly gated?: boolean;
  readonly lora?: boolean;
}

export const row = (name: string, about: string, base: Base, d: Distilled): PairRow => ({
  ...base,
  name,
  about,
  clip: DEFAULT_CLIP,
  judge: null,
  distilled: d.distilled,
  sampling: { base: base.sampling, distilled: d.sampling },
  ...(d.scheduler && { distilledScheduler: d.scheduler }),
  ...(d.gated && { gated: true }),
  ...(d.lora && { lora: true }),
  size: d.size ?? base.size,
  guidanceFeatures: d.guidanceFeatures ?? null,
  names: d.names ?? [],
  sha256: SHA256[d.distilled] ?? [],
  licence: d.licence,
  source: `https://huggingface.co/${d.distilled.split(/[/:]/).slice(0, 2).join("/")}`,
  prompts: PHOTOGRAPHS,
  note: "",
  promptNote: "",
  package: null,
  trial: null,
});

/** A file of Hyper-SD. */
export const hyper = (file: string) => `ByteDance/Hyper-SD/${file}.safetensors`;
/** Names of a model of Hyper-SD for n steps. A name without a number of steps is taken for the one of four. */
export const hyperNames = (n: number) => [
  `hyper ${n}step`,
  ...(n === 4 ? ["hyper sd", "hyper sdxl", "hyper sd15"] : []),
];
