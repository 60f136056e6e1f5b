/** Conditioning of the samples of a job: each prompt is encoded once for each model and each set of adapter scales. */
import type { ModelName, Plan } from "../sampling/index.js";
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

/** Creates an encoder for the prompts of a job, with a cache. */
export function promptEncoder(pair: Pair, job: Job, bindings: Bindings) {
  const known = new Map<string, Promise<Encoded>>();

  async function encode(prompt: string, model: ModelName, scales: readonly (readonly number[] | null)[]) {
    const adapted = bindings(model).text.map((binding, i) => {
      const own = scales[i];
      return binding && own ? { stack: binding.stack, scales: own } : null;
    });
    const conditional = await pair.text.encode(prompt, job.clipSkip, adapted);
    // As in diffusers, clip skip applies to the prompt only.
    const unconditional =
      job.negative === null && pair.zeroNegative
        ? pair.text.zeros(conditional)
        : await pair.text.encode(job.negative ?? "", 0, adapted);
    return { conditional, unconditional };
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
