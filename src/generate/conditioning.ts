/** Conditioning of the samples of a job: each prompt is encoded once for each model and each set of adapter scales. */
import { type Conditioning, zeroConditioning } from "../models/index.js";
import { isTwoSided, type ModelName, type Plan } from "../sampling/index.js";
import { float, stack } from "../tensor/index.js";
import type { EncodedPrompt } from "../text/index.js";
import type { Job } from "./job.js";
import type { Pair } from "./pair.js";
import { createRecent } from "./recent.js";
import type { Run } from "./run.js";
import type { EncodedSides, PromptConditioning, SampleKey } from "./sample.js";

/** Models of a plan, in the order of their first row. */
export const modelsOf = ({ rows }: Plan): ModelName[] => [
  ...new Set(rows.flatMap((row) => (row.kind === "step" ? [row.model] : []))),
];

/** Length L of the text of a conditioning. */
const lengthOf = ({ streams }: Conditioning): number => streams["text"]?.shape[1] ?? 0;

/** Length of the text that a model reads, where the text encoders can give several: the request's, or the model's own. */
const lengthFor = ({ text, ...models }: Pair, { textTokens }: Job, model: ModelName): number | undefined =>
  textTokens === null ? models[model]?.denoiser.textTokens : (text.shortest ?? 0) + textTokens;

/** Length of a prompt's text where it is repeated to share a call with the negative prompt's. Least length that holds whole copies of two texts. */
function sharedLength(prompt: number, negative: number): number {
  let length = prompt;
  while (length % negative !== 0) length += prompt;
  return length;
}

/** Whether a model of the plan also predicts without the prompt. */
const isGuidedPlan = (pair: Pick<Pair, "base" | "distilled">, { rows }: Plan): boolean =>
  rows.some((row) => row.kind === "step" && isTwoSided(row, pair[row.model]?.denoiser.embedsGuidance === true));

/** Length L of the text of each prompt of a job; with guidance that of a call with prompt and negative prompt, or the longer of two calls. Runs no network. */
export function textLengths(pair: Pair, job: Job): number[] {
  const { text, zeroNegative } = pair;
  const { prompts, promptSyntax: syntax, negative } = job;
  const zeros = negative === null && zeroNegative;
  const other = zeros || !isGuidedPlan(pair, job.plan) ? 1 : text.lengthOf(negative ?? text.unconditional, syntax);
  const shared = text.copies ? sharedLength : Math.max;
  if (job.textTokens !== null) return prompts.map(() => lengthFor(pair, job, "base") ?? text.tokens);
  return prompts.map((prompt) => shared(text.lengthOf(prompt, syntax), other));
}

/** Repeats text to a length. Attention gives copies of a token their token's weight together, so the prediction is the same. */
function repeatedTo<C extends Conditioning>(length: number, encoded: C): C {
  const { text } = encoded.streams;
  if (!text || lengthOf(encoded) === length) return encoded;
  const copies = stack(new Array<typeof text>(length / lengthOf(encoded)).fill(text));
  return { ...encoded, streams: { ...encoded.streams, text: float([1, length, text.shape[2] ?? 0], copies.data) } };
}

/** Bytes of conditioning that a run keeps: of SDXL's prompts about 50, of which samples usually use one after another. */
const KNOWN = 64e6;

/** Creates an encoder for the prompts of a run. Conditioning that the run, or its cache, has is not encoded again. */
export function promptEncoder({ pair, job, bindings, cache }: Run) {
  const known = createRecent<EncodedSides>(KNOWN);
  const { promptSyntax: syntax, clipSkip, negative } = job;
  const isGuidedRun = isGuidedPlan(pair, job.plan);

  async function encode(
    prompt: string,
    adapted: Adapted,
    length: number | undefined,
    facts: readonly unknown[],
  ): Promise<EncodedSides> {
    const conditional = await pair.text.encode(prompt, clipSkip, adapted, syntax, length);
    const sides = (a: EncodedPrompt, b: Conditioning): EncodedSides => {
      return { conditional: a, unconditional: b, key: JSON.stringify([...facts, lengthOf(a)]) };
    };
    // Zeros too where no step reads it.
    if (!isGuidedRun || (negative === null && pair.zeroNegative)) {
      return sides(conditional, zeroConditioning(conditional));
    }
    // In diffusers clip skip applies to the prompt only, in A1111 and ComfyUI to both.
    const negativeSkip = syntax === "plain" ? 0 : clipSkip;
    const encodeNegative = pair.text.encodeNegative ?? pair.text.encode;
    const without = negative ?? pair.text.unconditional;
    const unconditional = await encodeNegative(without, negativeSkip, adapted, syntax, length);
    if (!pair.text.copies) return sides(conditional, unconditional);
    const shared = sharedLength(lengthOf(conditional), lengthOf(unconditional));
    return sides(repeatedTo(shared, conditional), repeatedTo(shared, unconditional));
  }

  async function encodedOf(prompt: string, adapted: Adapted, length: number | undefined): Promise<EncodedSides> {
    const stacks = adapted.map((own) => own && [own.stack.graphKey, own.stack.inputKey, own.scales]);
    const facts = [prompt, syntax, clipSkip, stacks, length];
    const key = JSON.stringify([...facts, negative, isGuidedRun]);
    const kept = cache?.texts.get(key) ?? known.get(key);
    if (kept) return kept;
    const made = await encode(prompt, adapted, length, facts);
    for (const recent of [known, cache?.texts])
      recent?.set(key, made, sizeOf(made.conditional) + sizeOf(made.unconditional));
    return made;
  }

  /** Conditioning of a sample for each model of the plan, and the number of truncated tokens of its prompt. */
  return async (
    sample: SampleKey,
  ): Promise<{ conditioning: Map<ModelName, PromptConditioning>; truncated: number }> => {
    const conditioning = new Map<ModelName, PromptConditioning>();
    let truncated = 0;
    for (const model of modelsOf(job.plan)) {
      const row = job.plan.rows.findIndex((r) => r.kind === "step" && r.model === model);
      const adapted = bindings(model).text.map(
        (binding) => binding && { stack: binding.stack, scales: binding.scales(row, sample) },
      );
      const length = lengthFor(pair, job, model);
      const made = await encodedOf(job.prompts[sample.prompt] ?? "", adapted, length);
      conditioning.set(model, made);
      truncated = Math.max(truncated, made.conditional.truncated);
    }
    return { conditioning, truncated };
  };
}

/** Adapters of each text encoder with their scales. */
type Adapted = NonNullable<Parameters<Pair["text"]["encode"]>[2]>;

/** Bytes of a conditioning. */
const sizeOf = ({ streams, masks = {}, pooled }: Conditioning): number =>
  [...Object.values(streams), ...Object.values(masks), ...(pooled ? [pooled] : [])].reduce(
    (n, { data }) => n + data.byteLength,
    0,
  );
