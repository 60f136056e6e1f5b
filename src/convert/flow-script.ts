/**
 * Writes the plan of a flow matching family as a Python script for diffusers: one call of the family's pipeline over the sigmas of all rows, in
 * which the transformer and the guidance scale change where the plan's rows do.
 */
import path from "node:path";
import { RequestError } from "../errors.js";
import { factsOf } from "../families/index.js";
import { isFolder } from "../files/index.js";
import type { GenerateRequest, ModelSource, PlanSource } from "../generate/index.js";
import { resolveReference } from "../lookup/index.js";
import type { PairReference } from "../open/index.js";
import { isGuided, type Plan, type StepRow } from "../sampling/index.js";
import { SAVE_LINES } from "./diffusers-parts.js";
import { file, folder, isLocal } from "./diffusers-reference.js";
import { text } from "./python.js";

const FILE = /\.(safetensors|sft|gguf|bin|pt|pth|ckpt)$/i;
const pathOf = ({ path: found, ref }: ModelSource): string => found ?? ref;
const refuse = (problem: string, field?: string): never => {
  throw new RequestError(`--as diffusers: ${problem}`, field === undefined ? {} : { field });
};

/**
 * The script.
 * @throws RequestError for rows that are no Euler steps along one flow, and for models and adapters that it does not load
 */
export function flowScript(source: PlanSource, request: GenerateRequest, reference: PairReference, plan: Plan): string {
  const { title, sampling, denoiser, pipelineTakes = [] } = factsOf(source.family);
  if (sampling.embedded)
    refuse(`there are no scripts for ${title}, whose models take different guidance and text lengths`);
  const rows = rowsOf(plan);
  checkReference(request, reference);
  const guided = rows.some(isGuided);
  const [first] = rows;
  if (guided && first && !isGuided(first)) {
    refuse("the pipeline encodes the negative prompt only if the first step has guidance; give --base-guidance");
  }
  const limit = rows.find((row) => row.guidanceNormalization !== undefined)?.guidanceNormalization;
  if (limit !== undefined && !pipelineTakes.includes("cfg_normalization")) {
    refuse("the pipeline has no cfg_normalization; leave --guidance-normalization out", "guidanceNormalization");
  }
  const usesDistilled = rows.some((row) => row.model === "distilled");
  const distilled = usesDistilled && source.distilled ? distilledOf(source, source.distilled) : null;
  const classes = ["DiffusionPipeline", "FlowMatchEulerDiscreteScheduler", ...(distilled?.classes ?? [])];
  const { prompts, seeds = [0], negative, size = source.image?.size } = request;
  const negatives = pipelineTakes.includes("negative_prompt")
    ? "negative_prompt=negative"
    : "negative_prompt_embeds=pipe.encode_prompt(negative)[0]";
  const lines = [
    `"""${rows.map((row) => `${row.model} σ ${row.from.sigma.toFixed(3)}`).join(", ")}. Written by \`variegate plan --as diffusers\`."""`,
    "",
    "import torch",
    `from diffusers import ${[...new Set(classes)].sort().join(", ")}`,
    ...(distilled?.imports ?? []),
    "",
    `prompts = [${prompts.map(text).join(", ")}]`,
    `seeds = [${seeds.join(", ")}]`,
    ...(guided ? [`negative = ${text(negative ?? "")}`] : []),
    'device = "cuda" if torch.cuda.is_available() else "cpu"',
    `width, height = ${size?.width ?? 1024}, ${size?.height ?? 1024}`,
    "# Model, σ and guidance scale of each step, as the pipeline takes it.",
    "rows = [",
    ...rows.map((row) => `    ("${row.model}", ${row.from.sigma}, ${scaleOf(source, row)}),`),
    "]",
    "",
    `pipe = DiffusionPipeline.from_pretrained(${folder(pathOf(source.base))}, torch_dtype=torch.float32).to(device)`,
    "# The sigmas of the rows are shifted already.",
    "pipe.scheduler = FlowMatchEulerDiscreteScheduler(shift=1.0)",
    `networks = {"base": pipe.transformer${distilled ? `, "distilled": ${distilled.load}` : ""}}`,
    "",
    "",
    "def generate(prompt, seed):",
    "    kept = {}",
    "",
    "    def after(pipe, i, _timestep, state):",
    '        kept["x"] = state["latents"]',
    "        if i + 1 < len(rows):",
    "            model, _, pipe._guidance_scale = rows[i + 1]",
    "            pipe.transformer = networks[model]",
    "        return {}",
    "",
    "    pipe.transformer = networks[rows[0][0]]",
    "    image = pipe(",
    "        prompt=prompt, width=width, height=height, num_inference_steps=len(rows), sigmas=[sigma for _, sigma, _ in rows],",
    `        guidance_scale=rows[0][2], generator=torch.Generator().manual_seed(seed), callback_on_step_end=after,${guided ? ` ${negatives},` : ""}${limit === undefined ? "" : ` cfg_normalization=${limit},`}`,
    "    ).images[0]",
    '    x = kept["x"]',
    "    if x.dim() == 3:  # tokens",
    "        side = 2 * pipe.vae_scale_factor",
    "        x = x.transpose(1, 2).unflatten(2, (height // side, width // side))",
    "    return x, image",
    ...SAVE_LINES,
  ];
  if (denoiser.folder !== "transformer") throw new RangeError(`${denoiser.className} is no transformer`);
  return `${lines.join("\n")}\n`;
}

/** Steps of a plan. @throws RequestError where they are not Euler's, or no chain of sigmas down to 0 */
function rowsOf({ rows }: Plan): readonly StepRow[] {
  return rows.map((row) => {
    if (row.kind !== "step") return refuse("the script has no row that adds noise");
    if (row.solver.kind !== "euler" || row.prediction !== "flow_prediction") {
      return refuse("the script has Euler steps along a flow only; leave --scheduler out");
    }
    if (row.guidanceRescale > 0) return refuse("the pipeline has no guidance rescale", "guidanceRescale");
    return row;
  });
}

/** Guidance scale of a row as the family's pipeline takes it; 0 for one conditional forward. */
function scaleOf({ family }: PlanSource, row: StepRow): number {
  return isGuided(row) ? row.guidance - (factsOf(family).guidanceOffset ?? 0) : 0;
}

function checkReference({ adapters = [] }: GenerateRequest, reference: PairReference): void {
  const { textEncoders = [], decoder, embeddings = [], adapters: own = [] } = reference;
  if (adapters.length + own.length > 0) refuse("scripts for this family load no LoRAs; leave --lora out", "adapters");
  if (textEncoders.length > 0) refuse("scripts for this family take the base's text encoder", "textEncoders");
  if (embeddings.length > 0) refuse("textual inversions are CLIP's", "embeddings");
  if (decoder !== undefined) refuse("scripts for this family take the base's autoencoder", "decoder");
}

/** Expression that opens the distilled model's transformer. @throws RequestError for a LoRA */
function distilledOf({ family, base }: PlanSource, { isLora, ...distilled }: ModelSource) {
  const { className } = factsOf(family).denoiser;
  const ref = pathOf(distilled);
  if (isLora) refuse("scripts for this family load no LoRA as the distilled model");
  const end = "torch_dtype=torch.float32).to(device)";
  if (FILE.test(ref)) {
    const { code, imports } = file(ref);
    const load = `${className}.from_single_file(${code}, config=${folder(pathOf(base)).split(", ")[0]}, subfolder="transformer", ${end}`;
    return { classes: [className], imports, load };
  }
  const local = isLocal(ref);
  const inside = local && !isFolder(path.join(resolveReference(ref), "transformer")) ? "" : "transformer";
  return { classes: [className], imports: [], load: `${className}.from_pretrained(${folder(ref, inside)}, ${end}` };
}
