/** Sampler nodes of a ComfyUI workflow for a flow matching family: Euler steps over the plan's sigmas, one node for each run of rows. */
import { RequestError } from "../errors.js";
import { factsOf } from "../families/index.js";
import type { GenerateRequest } from "../generate/index.js";
import type { ModelName, Plan, StepRow } from "../sampling/index.js";
import type { Link, WorkflowGraph } from "./comfy-graph.js";
import type { ComfyModels } from "./comfy-models.js";
import { decimal } from "./comfy-sampling.js";
import type { ReadSource } from "./read-source.js";

/** Consecutive rows with one model and one guidance scale. */
export interface FlowRun {
  readonly model: ModelName;
  readonly guidance: number;
  /** Scale of guidance by two forward passes where the network takes `guidance` as an input. */
  readonly trueGuidance: number;
  /** σ before each step, and after the last. */
  readonly sigmas: readonly number[];
}

const refuse = (problem: string): never => {
  throw new RequestError(`--as comfyui: ${problem}`);
};

/** Runs of a plan. @throws RequestError for rows that are no Euler steps along a flow, or that ComfyUI guides otherwise */
export function flowRuns({ rows }: Plan): readonly FlowRun[] {
  const runs: (Omit<FlowRun, "sigmas"> & { readonly sigmas: number[] })[] = [];
  for (const row of rows) {
    if (row.kind !== "step")
      return refuse("the workflow has no node that adds noise along a flow; leave --scheduler out");
    checkRow(row);
    const last = runs.at(-1);
    const { model, guidance, trueGuidance = 1 } = row;
    if (last && last.model === model && last.guidance === guidance && last.trueGuidance === trueGuidance) {
      last.sigmas.push(row.to.sigma);
    } else runs.push({ model, guidance, trueGuidance, sigmas: [row.at.sigma, row.to.sigma] });
  }
  return runs;
}

function checkRow(row: StepRow): void {
  if (row.solver.kind !== "euler" || row.prediction !== "flow_prediction") {
    refuse("the workflow has Euler steps along a flow only; leave --scheduler out");
  }
  if (row.guidanceRescale > 0) refuse("ComfyUI rescales guidance by another formula; leave --guidance-rescale out");
  if (row.guidanceTokens !== undefined) {
    refuse(
      "ComfyUI's guidance leaves the norms of image tokens as they are, the pipeline does not; leave guidance out (--guidance 0, --base-guidance 0)",
    );
  }
  if (row.guidanceNormalization !== undefined) {
    refuse("ComfyUI's guidance has no normalization of this kind; leave --guidance-normalization out");
  }
}

/** What the nodes of an image are made from. */
export interface FlowImage {
  readonly graph: WorkflowGraph;
  readonly models: ComfyModels;
  readonly source: ReadSource;
  readonly request: GenerateRequest;
  readonly runs: readonly FlowRun[];
}

/**
 * Nodes of one image up to its latents. SamplerCustomAdvanced divides latents that are not clean by 1 − σ, and the next one multiplies them
 * by it again, so that they are handed over as they are.
 */
export function flowLatents(image: FlowImage, prompt: string, seed: number): Link {
  const { graph, runs } = image;
  const sampler = graph.add("KSamplerSelect", { sampler_name: "euler" })();
  let latents = emptyLatents(image);
  for (const [i, run] of runs.entries()) {
    const inputs = {
      noise: i === 0 ? graph.add("RandomNoise", { noise_seed: seed })() : graph.add("DisableNoise", {})(),
      guider: guiderOf(image, run, prompt),
      sampler,
      sigmas: graph.add("ManualSigmas", { sigmas: run.sigmas.map(decimal).join(", ") })(),
      latent_image: latents,
    };
    latents = graph.add("SamplerCustomAdvanced", inputs, `${run.model}: ${run.sigmas.length - 1} steps`)();
  }
  return latents;
}

function emptyLatents({ graph, source, request }: FlowImage): Link {
  const { comfy, latents } = factsOf(source.family);
  if (!comfy) throw new RangeError(`${source.family} has no nodes in ComfyUI`);
  const side = latents.side * 8;
  const own = "located" in source ? source.size : source.row?.size;
  const { width, height } = request.size ?? own ?? { width: side, height: side };
  return graph.add(comfy.latents, { width, height, batch_size: 1 })();
}

/** Guidance as an input of the network, by two forward passes, or none. */
function guiderOf(image: FlowImage, run: FlowRun, prompt: string): Link {
  const { graph, models, source, request } = image;
  const loaded = models.model(run.model);
  const { model } = loaded;
  const clip = paddedClip(image, run, loaded.clip);
  const encode = (text: string): Link =>
    graph.add("CLIPTextEncode", { text: text.replaceAll(/[()]/g, "\\$&"), clip })();
  const positive = encode(prompt);
  const embeds = (source[run.model] ?? source.base).embedsGuidance;
  const told = (conditioning: Link): Link =>
    embeds ? graph.add("FluxGuidance", { conditioning, guidance: run.guidance })() : conditioning;
  const cfg = embeds ? run.trueGuidance : run.guidance;
  if (cfg <= 1) return graph.add("BasicGuider", { model, conditioning: told(positive) })();
  const negative = encode(request.negative ?? factsOf(source.family).text.unconditional ?? "");
  return graph.add("CFGGuider", { model, positive: told(positive), negative: told(negative), cfg })();
}

/** Text encoders with as much padding of T5 as the network was trained with. */
function paddedClip({ graph, source, request }: FlowImage, { model }: FlowRun, clip: Link): Link {
  const { text, textEncoders, sampling } = factsOf(source.family);
  if (!textEncoders.some(({ kind }) => kind === "t5")) return clip;
  const { embedded: { tokens } = {} } = sampling;
  const embeds = (source[model] ?? source.base).embedsGuidance;
  const whole = request.textTokens ?? (tokens && (embeds ? tokens.embedded : tokens.other)) ?? text.tokens ?? 0;
  const padding = text.visiblePadding;
  const inputs = { min_padding: padding ?? 0, min_length: padding === undefined ? whole : 0 };
  return graph.add("T5TokenizerOptions", { clip, ...inputs })();
}
