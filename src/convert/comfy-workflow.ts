/** Writes a plan as a workflow for ComfyUI, in its API format. */
import { RequestError } from "../errors.js";
import { FAMILIES, factsOf } from "../families/index.js";
import { type GenerateRequest, type PlanSource, planFor, planRequestFor } from "../generate/index.js";
import type { PairReference } from "../open/index.js";
import type { ModelName, Plan } from "../sampling/index.js";
import { flowLatents, flowRuns } from "./comfy-flow.js";
import { type Link, type Workflow, type WorkflowGraph, workflowGraph } from "./comfy-graph.js";
import { type ComfyFile, type ComfyModels, checkShape, comfyModels } from "./comfy-models.js";
import { type ComfyPlaces, comfyPlaces } from "./comfy-places.js";
import { type ComfyPlan, comfyPlan, decimal, type SamplerRun } from "./comfy-sampling.js";
import { refuseOwnMethods } from "./own-methods.js";
import { type ReadSource, readSource } from "./read-source.js";

/** A workflow, and what has to be known to run it. */
export interface ComfyWorkflow {
  readonly workflow: Workflow;
  /** Models that have to be in ComfyUI's folders. */
  readonly files: readonly ComfyFile[];
  /** In which respects its images differ from those of `generate`, as sentences. */
  readonly notices: readonly string[];
}

/**
 * Writes a workflow that generates the images of a request with ComfyUI's own nodes, from version 0.7 on: the same models, sigmas and
 * initial noise. Noise that steps add is drawn by ComfyUI.
 * @param reference models of the source, adapters and textual inversions among them
 * @throws RequestError for what ComfyUI's own nodes cannot load or run
 */
export async function comfyWorkflow(
  source: PlanSource,
  request: GenerateRequest,
  reference: PairReference = {},
): Promise<ComfyWorkflow> {
  const { title, denoiser, comfy } = factsOf(source.family);
  const isFlow = denoiser.folder === "transformer";
  if (isFlow && !comfy) {
    throw new RequestError(`--as comfyui writes no workflows for ${title}; leave --as out`);
  }
  const read = await readSource(source);
  if (!isFlow) checkShape(read);
  return workflowFor(read, request, await comfyPlaces(source, reference, request));
}

/** The workflow for models at these places. @throws RequestError */
export function workflowFor(source: ReadSource, request: GenerateRequest, places: ComfyPlaces): ComfyWorkflow {
  const { prompts, seeds = [0], promptSyntax = "plain" } = request;
  if (promptSyntax === "a1111") {
    throw new RequestError("--as comfyui: ComfyUI reads its own prompt syntax; use --prompt-syntax comfy or plain", {
      field: "promptSyntax",
    });
  }
  refuseOwnMethods("comfyui", request);
  const rows = planFor(source, request);
  if (factsOf(source.family).comfy) return flowWorkflow(source, request, places, rows);
  const plan = comfyPlan(planRequestFor(source, request), rows);
  for (const run of plan.runs) if (run.kind === "sample") checkGuidance(source, run.model);
  const graph = workflowGraph();
  const isDistilled = plan.runs.some((run) => run.kind === "sample" && run.model === "distilled");
  const models = comfyModels(graph, source, isDistilled ? places : { ...places, distilled: null });
  const images: Images = { graph, models, plan, source, request, places };
  for (const [number, prompt] of prompts.entries()) {
    for (const seed of seeds) addImage(images, prompt, seed, `variegate-${number}-${seed}`);
  }
  return { workflow: graph.nodes, files: models.files, notices: plan.differences };
}

/** The workflow of a flow matching family. */
function flowWorkflow(source: ReadSource, request: GenerateRequest, places: ComfyPlaces, plan: Plan): ComfyWorkflow {
  const runs = flowRuns(plan);
  const graph = workflowGraph();
  const isDistilled = runs.some((run) => run.model === "distilled");
  const models = comfyModels(graph, source, isDistilled ? places : { ...places, distilled: null });
  for (const [number, prompt] of request.prompts.entries()) {
    for (const seed of request.seeds ?? [0]) {
      const name = `variegate-${number}-${seed}`;
      const samples = flowLatents({ graph, models, source, request, runs }, prompt, seed);
      const decoded = graph.add("VAEDecode", { samples, vae: models.vae() });
      graph.add("SaveImage", { images: decoded(), filename_prefix: name }, `Save ${name}`);
    }
  }
  return { workflow: graph.nodes, files: models.files, notices: [] };
}

/** @throws RequestError for a network with guidance as an input, which ComfyUI's UNet does not have */
function checkGuidance(source: PlanSource, model: ModelName): void {
  const { ref, embedsGuidance } = source[model] ?? source.base;
  if (!embedsGuidance) return;
  throw new RequestError(
    `--as comfyui: ${ref} takes the guidance scale as an input, which ComfyUI's UNet does not; use a LoRA of the method, or --as diffusers`,
  );
}

interface Images {
  readonly graph: WorkflowGraph;
  readonly models: ComfyModels;
  readonly plan: ComfyPlan;
  readonly source: ReadSource;
  readonly request: GenerateRequest;
  readonly places: ComfyPlaces;
}

function addImage(images: Images, prompt: string, seed: number, name: string): void {
  const { graph, models, plan } = images;
  const latents = plan.schedule ? namedSchedule(images, prompt, seed) : ownSchedule(images, prompt, seed);
  const decoded = graph.add("VAEDecode", { samples: latents, vae: models.vae() });
  graph.add("SaveImage", { images: decoded(), filename_prefix: name }, `Save ${name}`);
}

/** Nodes draw noise from seeds of their own: with one seed twice, the noise of a step would be that of the initial latents. */
const SEED_STEP = 2 ** 32;
const nodeSeed = (seed: number, node: number): number => (seed + node * SEED_STEP) % Number.MAX_SAFE_INTEGER;

/** KSamplerAdvanced nodes, one for each run, on one of ComfyUI's schedulers. */
function namedSchedule(images: Images, prompt: string, seed: number): Link {
  const { graph, plan } = images;
  const { name = "simple", steps = 0 } = plan.schedule ?? {};
  let latents = emptyLatents(images);
  let step = 0;
  for (const [i, run] of plan.runs.entries()) {
    if (run.kind !== "sample") continue;
    const end = step + run.sigmas.length - 1;
    const inputs = {
      ...samplerInputs(images, run, prompt),
      add_noise: step === 0 ? "enable" : "disable",
      noise_seed: nodeSeed(seed, i),
      steps,
      sampler_name: run.sampler,
      scheduler: name,
      latent_image: latents,
      start_at_step: step,
      end_at_step: end,
      return_with_leftover_noise: end < steps ? "enable" : "disable",
    };
    latents = graph.add("KSamplerAdvanced", inputs, `${run.model}: steps ${step} to ${end}`)();
    step = end;
  }
  return latents;
}

/** AddNoise and SamplerCustom nodes on the plan's own sigmas. */
function ownSchedule(images: Images, prompt: string, seed: number): Link {
  const { graph, plan } = images;
  const first = plan.runs.find((run) => run.kind === "sample");
  const noisy = (latents: Link, sigma: number, node: number) => {
    const model = networkOf(images, first).model;
    const noise = graph.add("RandomNoise", { noise_seed: nodeSeed(seed, node) })();
    return graph.add("AddNoise", { model, noise, sigmas: sigmasNode(graph, [sigma]), latent_image: latents })();
  };
  let latents = noisy(emptyLatents(images), plan.initial, 0);
  for (const [i, run] of plan.runs.entries()) {
    if (run.kind === "noise") {
      latents = noisy(latents, run.sigma, i + 1);
      continue;
    }
    const inputs = {
      ...samplerInputs(images, run, prompt),
      add_noise: false,
      noise_seed: nodeSeed(seed, i + 1),
      sampler: graph.add("KSamplerSelect", { sampler_name: run.sampler })(),
      sigmas: sigmasNode(graph, run.sigmas),
      latent_image: latents,
    };
    latents = graph.add("SamplerCustom", inputs, `${run.model}: ${run.sigmas.length - 1} steps`)();
  }
  return latents;
}

const sigmasNode = (graph: WorkflowGraph, sigmas: readonly number[]): Link =>
  graph.add("ManualSigmas", { sigmas: sigmas.map(decimal).join(", ") })();

function emptyLatents({ graph, source, request }: Images): Link {
  const side = FAMILIES[source.family].latents.side * 8;
  const own = "located" in source ? source.size : source.row?.size;
  const { width, height } = request.size ?? own ?? { width: side, height: side };
  return graph.add("EmptyLatentImage", { width, height, batch_size: 1 })();
}

/** Inputs that both kinds of sampler nodes have. At a guidance scale of 1 ComfyUI calls the network once, without the negative prompt. */
function samplerInputs(images: Images, run: SamplerRun, prompt: string) {
  const { model, clip } = networkOf(images, run);
  return { model, cfg: Math.max(run.guidance, 1), ...conditioning(images, clip, prompt) };
}

/** Network and text encoders of a run, with the prediction type that ComfyUI does not read from a checkpoint. */
function networkOf({ graph, models, source, request }: Images, run: SamplerRun | undefined) {
  const { model, clip } = models.model(run?.model ?? "base");
  const sampling = run && PREDICTIONS[run.prediction];
  const { skip, unusedLayers } = FAMILIES[source.family].text;
  const { clipSkip = 0 } = request;
  return {
    model: sampling ? graph.add("ModelSamplingDiscrete", { model, sampling, zsnr: false })() : model,
    clip:
      clipSkip === 0
        ? clip
        : graph.add("CLIPSetLastLayer", { clip, stop_at_clip_layer: -(1 + clipSkip + skip + unusedLayers) })(),
  };
}

/** Names of prediction types in ComfyUI. Checkpoints are taken to predict ε where they do not say otherwise. */
const PREDICTIONS: Readonly<Record<string, string>> = { v_prediction: "v_prediction", sample: "x0" };

function conditioning({ graph, plan, source, request, places }: Images, clip: Link, prompt: string) {
  const { negative, promptSyntax = "plain" } = request;
  const encode = (text: string) =>
    graph.add("CLIPTextEncode", { text: comfyPrompt(text, promptSyntax, places), clip })();
  const positive = encode(prompt);
  const isGuided = plan.runs.some((run) => run.kind === "sample" && run.guidance > 1);
  const zeros = "located" in source ? source.zeroNegative : FAMILIES[source.family].zeroNegative;
  const isZero = !isGuided || (negative === undefined && zeros);
  return {
    positive,
    negative: isZero ? graph.add("ConditioningZeroOut", { conditioning: positive })() : encode(negative ?? ""),
  };
}

/** A prompt in ComfyUI's syntax: brackets of plain text escaped, and textual inversions by the names of their files. */
function comfyPrompt(prompt: string, syntax: "plain" | "comfy" | "a1111", { embeddings }: ComfyPlaces): string {
  const written = (text: string) => (syntax === "plain" ? text.replaceAll(/[()]/g, "\\$&") : text);
  return embeddings
    .reduce((text, { token, place }) => {
      const name = place.name.replace(/\.[^./\\]+$/, "");
      return text.replaceAll(written(token), ` embedding:${name} `).replaceAll(/ {2,}/g, " ");
    }, written(prompt))
    .trim();
}
