/** Conditioning of the samples of a job: each prompt is encoded once for each model and each set of adapter scales. */
import type { ModelName, Plan } from "../sampling/index.js";
import type { EncodedPrompt } from "../text/index.js";
import type { Bindings } from "./bindings.js";
import type { Job } from "./job.js";
import type { Pair } from "./pair.js";
import type { PromptConditioning, SampleKey } from "./sample.js";

interface Encoded extends PromptConditioning {
  readonly prompted: EncodedPrompt;
}

/** The models of a plan, in the order in which they first run. */
export const modelsOf = ({ rows }: Plan): ModelName[] => [
  ...new Set(rows.flatMap((row) => (row.kind === "step" ? [row.model] : []))),
];

/** Encodes the prompts of a job as they are asked for. */
export function promptEncoder(pair: Pair, job: Job, bindings: Bindings) {
  const known = new Map<string, Promise<Encoded>>();

  async function encode(prompt: string, model: ModelName, scales: readonly (readonly number[] | null)[]) {
    const adapted = bindings(model).text.map((binding, i) => {
      const own = scales[i];
      return binding && own ? { stack: binding.stack, scales: own } : null;
    });
    const prompted = await pair.text.encode(prompt, job.clipSkip, adapted);
    // As in diffusers, clip skip is for the prompt only.
    const unprompted =
      job.negative === null && pair.zeroNegative
        ? pair.text.zeros(prompted)
        : await pair.text.encode(job.negative ?? "", 0, adapted);
    return { prompted, unprompted };
  }

  /** Conditioning of a sample under each model of the plan, and how many tokens of its prompt did not fit. */
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
      truncated = Math.max(truncated, made.prompted.truncated);
    }
    return { conditioning, truncated };
  };
}
