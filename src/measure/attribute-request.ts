/** Attributes of a measurement: reads them, leaves out those that no prompt leaves open, and checks the others on the user's model. */
import { attributesForPrompt, openAttributes, type PromptedAttribute } from "../evaluation/index.js";
import type { Pair } from "../generate/index.js";
import type { ClipScorer } from "../instruments/index.js";
import { argumentsOf, type OpenOptions, openPair, type PairReference } from "../open/index.js";
import {
  costText,
  type MeasuredAttributes,
  refusals,
  type SelfCheckOptions,
  selfCheck,
  uncheckedAttributes,
} from "./self-check.js";

/** Fields of a request that concern attributes. */
export interface AttributeRequest {
  /** Attribute file, or "auto": the bundled attributes of each prompt's noun. */
  readonly attributes?: string;
  /** Images of each value, a file with the result of an earlier self-check, or "off". Default: 4, and more for two values. */
  readonly selfCheck?: number | string;
}

/** Attributes that at least one of the prompts leaves open. */
export function openSomewhere(
  attributes: readonly PromptedAttribute[],
  prompts: readonly string[],
): PromptedAttribute[] {
  const open = openAttributes(attributes);
  const names = new Set(prompts.flatMap((prompt) => open(prompt).map((a) => a.name)));
  return attributes.filter((a) => names.has(a.name));
}

/** Prompts without attributes, because none of the nouns of the attributes occurs in them. */
function unknownPrompts(attributes: readonly PromptedAttribute[], prompts: readonly string[]): string[] {
  const of = attributesForPrompt(attributes);
  return prompts.filter((prompt) => of(prompt).length === 0);
}

/** A line for the prompts whose subject has no attributes; none where all have. */
export function unknownNouns(attributes: readonly PromptedAttribute[], prompts: readonly string[]): string[] {
  const unknown = unknownPrompts(attributes, prompts);
  if (attributes.length === 0 || unknown.length === 0) return [];
  const shown = unknown.slice(0, 3).map((prompt) => JSON.stringify(prompt));
  const more = unknown.length > 3 ? ` and ${unknown.length - 3} more` : "";
  return [
    `No attributes for ${shown.join(", ")}${more}: the attributes have no noun in ${unknown.length === 1 ? "it" : "them"}; --attributes FILE names others.`,
  ];
}

export interface AttributeProgress extends Omit<SelfCheckOptions, "images" | "onCost"> {
  /** Called with the cost of the self-check before its first image. */
  readonly onMessage?: (text: string) => void;
}

/**
 * Attributes that the prompts leave open, checked on an opened pair. pair: null where the model of the images is not known.
 * @throws RequestError, FileError for a self-check of other attributes or models
 */
export async function checkedAttributes(
  attributes: readonly PromptedAttribute[],
  prompts: readonly string[],
  clip: ClipScorer,
  pair: Pair | null,
  { selfCheck: images, onMessage, ...progress }: AttributeRequest & AttributeProgress,
): Promise<MeasuredAttributes & { readonly notes: readonly string[] }> {
  const open = openSomewhere(attributes, prompts);
  const notes = unknownNouns(attributes, prompts);
  if (open.length === 0 || images === "off") return { ...(await uncheckedAttributes(clip, open)), notes };
  if (!pair) return { ...(await uncheckedAttributes(clip, open)), notes: [...notes, UNCHECKED] };
  const found = await selfCheck(pair, clip, open, {
    ...progress,
    ...(images !== undefined && { images }),
    onCost: (cost) => onMessage?.(costText(cost)),
  });
  return { ...found, notes: [...notes, ...refusals(found.check)] };
}

const UNCHECKED = "Attributes are not checked on the model: name it with --pair, or --base and --distilled.";

/** The same, on a model that is opened for it, if there is something to check. @throws as `openPair` */
export async function attributesFor(
  attributes: readonly PromptedAttribute[],
  prompts: readonly string[],
  clip: ClipScorer,
  model: (PairReference & OpenOptions) | null,
  request: AttributeRequest & AttributeProgress,
): Promise<MeasuredAttributes & { readonly notes: readonly string[] }> {
  const needed = request.selfCheck !== "off" && openSomewhere(attributes, prompts).length > 0;
  const pair = model && needed ? await openPair(argumentsOf(model)) : null;
  try {
    return await checkedAttributes(attributes, prompts, clip, pair, request);
  } finally {
    await pair?.close();
  }
}
