/** A job: a request with every default filled in, opened adapters, and its plan. */
import { RequestError } from "../errors.js";
import type { ImageSize } from "../models/index.js";
import { actsOnFeatures, checkGroup, hooksOf, type Plan, settledMethods } from "../sampling/index.js";
import { parseRequest } from "../schema/index.js";
import { lorasOf, type PromptSyntax } from "../text/index.js";
import { type AdapterUse, isOff, openUses } from "./adapters.js";
import type { GenerateCache } from "./cache.js";
import { checkChoice, seedsToRun } from "./candidates.js";
import { noticesOf } from "./notices.js";
import type { Pair } from "./pair.js";
import { planFor } from "./planning.js";
import { openPromptLoras } from "./prompt-loras.js";
import { type GenerateRequest, type Offload, requestSchema } from "./request.js";
import type { SampleKey } from "./sample.js";

export interface Job {
  readonly plan: Plan;
  readonly samples: readonly SampleKey[];
  readonly prompts: readonly string[];
  readonly negative: string | null;
  readonly promptSyntax: PromptSyntax;
  readonly clipSkip: number;
  /** Length of T5's text; null for the models' own. */
  readonly textTokens: number | null;
  readonly size: ImageSize;
  readonly batch: number;
  readonly offload: Offload;
  /** True if the request names the strategy, which is then not changed to fit. */
  readonly offloadGiven: boolean;
  readonly tile: number | "off" | undefined;
  /** Bytes for decoding that the loaded networks leave; undefined until the memory of the job is known. */
  readonly free?: number;
  readonly adapters: readonly AdapterUse[];
  /** Sentences to show before the run: input without effect, guesses. */
  readonly notices: readonly string[];
}

/** Latent pixels in one model call by default: as many as one 1024 × 1024 image has. */
const LATENTS_PER_CALL = 128 * 128;
const LARGEST_BATCH = 16;

/** Default loading strategy of a pair. */
export const defaultOffload = ({ distilled }: Pick<Pair, "distilled">): Offload =>
  distilled?.lora ? "shared" : "none";

/**
 * Creates the job of a request. Loads no network.
 * @param cache keeps adapters of earlier runs at scale 0, for which a session is loaded
 * @throws RequestError with the invalid field; FileError when an adapter cannot be read
 */
export async function jobFor(pair: Pair, request: GenerateRequest, cache: GenerateCache | null = null): Promise<Job> {
  checkRequest(pair, request);
  const { prompts, promptSyntax = "plain", clipSkip = 0, negative = null, tile, samples, textTokens = null } = request;
  const seeds = seedsToRun(request);
  const size = request.size ?? pair.size;
  const [, , height, width] = pair.base.denoiser.latents(size);
  const all = prompts.flatMap((_, prompt) => seeds.map((seed) => ({ prompt, seed })));
  const named = samples && new Set(samples.map((s) => `${s.prompt} ${s.seed}`));
  const plan = planFor(pair, request);
  const uses = [...pair.adapters, ...(await adaptersOf(pair, request))];
  for (const use of uses) if (!isOff(use)) cache?.adapters.add(use.adapter);
  return {
    plan,
    samples: named ? all.filter((s) => named.has(`${s.prompt} ${s.seed}`)) : all,
    prompts,
    negative,
    promptSyntax,
    clipSkip,
    textTokens,
    size,
    batch: request.batch ?? Math.max(1, Math.min(LARGEST_BATCH, Math.floor(LATENTS_PER_CALL / (height * width)))),
    offload: request.offload ?? defaultOffload(pair),
    offloadGiven: request.offload !== undefined,
    tile,
    adapters: uses.filter((use) => !isOff(use) || cache?.adapters.has(use.adapter)),
    notices: noticesOf({ pair, request, plan }),
  };
}

/** Checks a request against a pair without opening its adapters. @throws RequestError with the invalid field */
export function checkRequest(pair: Pair, request: GenerateRequest): void {
  parseRequest(requestSchema, request);
  checkGradients(pair, planFor(pair, request));
  const { clipSkip = 0, size = pair.size } = request;
  checkChoice(request);
  checkGroup(settledMethods(request.diversity), seedsToRun(request).length);
  const { multiple } = pair.base.denoiser;
  for (const name of ["width", "height"] as const) {
    const value = size[name];
    if (value >= multiple && value % multiple === 0) continue;
    const near = Math.max(multiple, Math.round(value / multiple) * multiple);
    throw new RequestError(`${name} ${value} is not a multiple of ${multiple} pixels; the nearest is ${near}`, {
      field: `size.${name}`,
    });
  }
  for (const { ref, denoiser } of [pair.base, ...(pair.distilled ? [pair.distilled] : [])]) {
    const name = (["width", "height"] as const).find((side) => size[side] > (denoiser.longest ?? Infinity));
    if (!name) continue;
    throw new RequestError(
      `${name} ${size[name]}: ${ref} has position embeddings for at most ${denoiser.longest} pixels a side`,
      { field: `size.${name}` },
    );
  }
  checkPrompts(pair, request);
  const { maxClipSkip } = pair.text;
  if (clipSkip > maxClipSkip) {
    throw new RequestError(`clip skip ${clipSkip}: expected 0 to ${maxClipSkip} for these text encoders`, {
      field: "clipSkip",
    });
  }
  if (request.textTokens !== undefined && pair.text.shortest === undefined) {
    throw new RequestError("--text-tokens: the text of this model is not T5's; leave it out", { field: "textTokens" });
  }
  if (request.offload === "shared" && !pair.distilled?.lora) {
    throw new RequestError(
      "--offload shared needs a distilled model that is a LoRA on the base; use --offload none or sequential",
      { field: "offload" },
    );
  }
}

/** @throws RequestError for a plan with gradients of weights that have none */
function checkGradients({ engine: { compute, runtime } }: Pair, { rows }: Plan): void {
  const { device } = runtime;
  if (compute === "float32" && device !== "openvino") return;
  const hooks = rows.flatMap((row) => (row.kind === "step" ? hooksOf(row) : []));
  const hook = hooks.find((each) => each.kind === "contrastive-noise" || actsOnFeatures(each));
  if (!hook) return;
  throw new RequestError(
    `--diversity ${hook.kind}${actsOnFeatures(hook) ? ":space=clip" : ""} needs gradients, which are computed by ONNX Runtime in float32, not ${device === "openvino" ? "on openvino; leave out --device" : `in ${compute}; leave out --compute`}`,
    { field: "diversity" },
  );
}

/** @throws RequestError for markup that is not valid in the syntax of the prompts */
function checkPrompts({ text }: Pair, { prompts, negative = "", promptSyntax = "plain" }: GenerateRequest): void {
  for (const prompt of [...prompts, negative]) text.lengthOf(prompt, promptSyntax);
  if (promptSyntax !== "a1111") return;
  for (const prompt of prompts) lorasOf(prompt);
  const [lora] = lorasOf(negative);
  if (!lora) return;
  throw new RequestError(`<lora:${lora.name}> in the negative prompt is not supported; write it in the prompt`, {
    field: "negative",
  });
}

/** Adapters of the request, then those that its prompts name. */
async function adaptersOf(pair: Pair, request: GenerateRequest): Promise<AdapterUse[]> {
  return [...(await openUses(pair.openAdapter, request.adapters ?? [])), ...(await openPromptLoras(pair, request))];
}
