/** Conditioning of the samples of a job: each prompt is encoded once for each model and each set of adapter scales. */
import type { Conditioning } from "../models/index.js";
import { isGuided, type ModelName, type Plan } from "../sampling/index.js";
import { float, stack } from "../tensor/index.js";
import type { EncodedPrompt } from "../text/index.js";
import type { Bindings } from "./bindings.js";
import type { Job } from "./job.js";
import type { Pair } from "./pair.js";
import type { PromptConditioning, SampleKey } from "./sample.js";

interface Encoded extends PromptConditioning {
  readonly conditional: EncodedPrompt;
}

/** Models of a plan, in the order of their first row. */
export const modelsOf = ({ rows }: Plan): ModelName[] => [
  ...new Set(rows.flatMap((row) => (row.kind === "step" ? [row.model] : []))),
];

/** Length L of the text of a conditioning. */
const lengthOf = ({ streams }: Conditioning): number => streams["text"]?.shape[1] ?? 0;

/** Least length that holds whole copies of two texts. */
function sharedLength(prompt: number, negative: number): number {
  let length = prompt;
  while (length % negative !== 0) length += prompt;
  return length;
}

const isGuidedPlan = ({ rows }: Plan): boolean => rows.some((row) => row.kind === "step" && isGuided(row));

/** Length L of the text of each prompt of a job, with guidance that of prompt and negative prompt in one call. Runs no network. */
export function textLengths({ text, zeroNegative }: Pair, job: Job): number[] {
  const { prompts, promptSyntax: syntax, negative } = job;
  const zeros = negative === null && zeroNegative;
  const other = zeros || !isGuidedPlan(job.plan) ? 1 : text.lengthOf(negative ?? "", syntax);
  return prompts.map((prompt) => sharedLength(text.lengthOf(prompt, syntax), other));
}

/** Repeats text to a length. Attention gives copies of a token their token's weight together, so the prediction is the same. */
function repeatedTo<C extends Conditioning>(length: number, encoded: C): C {
  const { text } = encoded.streams;
  if (!text || lengthOf(encoded) === length) return encoded;
  const copies = stack(new Array<typeof text>(length / lengthOf(encoded)).fill(text));
  return { ...encoded, streams: { ...encoded.streams, text: float([1, length, text.shape[2] ?? 0], copies.data) } };
}

/** Creates an encoder for the prompts of a job, with a cache. */
export function promptEncoder(pair: Pair, job: Job, bindings: Bindings) {
  const known = new Map<string, Promise<Encoded>>();

  async function encode(prompt: string, model: ModelName, scales: readonly (readonly number[] | null)[]) {
    const adapted = bindings(model).text.map((binding, i) => {
      const own = scales[i];
      return binding && own ? { stack: binding.stack, scales: own } : null;
    });
    const { promptSyntax: syntax, clipSkip } = job;
    const conditional = await pair.text.encode(prompt, clipSkip, adapted, syntax);
    if (job.negative === null && pair.zeroNegative) {
      return { conditional, unconditional: pair.text.zeros(conditional) };
    }
    // In diffusers clip skip applies to the prompt only, in A1111 and ComfyUI to both.
    const negativeSkip = syntax === "plain" ? 0 : clipSkip;
    const unconditional = await pair.text.encode(job.negative ?? "", negativeSkip, adapted, syntax);
    if (!isGuidedPlan(job.plan)) return { conditional, unconditional };
    const length = sharedLength(lengthOf(conditional), lengthOf(unconditional));
    return { conditional: repeatedTo(length, conditional), unconditional: repeatedTo(length, unconditional) };
  }

  /** Conditioning of a sample for each model of the plan, and the number of truncated tokens of its prompt. */
  return async (
    sample: SampleKey,
  ): Promise<{ conditioning: Map<ModelName, PromptConditioning>; truncated: number }> => {
    const conditioning = new Map<ModelName, PromptConditioning>();
    let truncated = 0;
    for (const model of modelsOf(job.plan)) {
      const row = job.plan.rows.findIndex((r) => r.kind === "step" && r.model === model);
      const scales = bindings(model).text.map((binding) => binding?.scales(row, sample) ?? null);
      const key = JSON.stringify([sample.prompt, model, scales]);
      const encoded = known.get(key) ?? encode(job.prompts[sample.prompt] ?? "", model, scales);
      known.set(key, encoded);
      const made = await encoded;
      conditioning.set(model, made);
      truncated = Math.max(truncated, made.conditional.truncated);
    }
    return { conditioning, truncated };
  };
}
