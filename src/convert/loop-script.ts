/**
 * Writes the plan of a family whose models have pipelines of their own (SANA and SANA-Sprint) as a Python script for diffusers: a loop over the rows around
 * the transformers, with the text encoder and the autoencoder of the base's pipeline. Steps are weighted sums, with the weights of the plan.
 */
import { factsOf } from "../families/index.js";
import type { GenerateRequest, PlanSource } from "../generate/index.js";
import type { PairReference } from "../open/index.js";
import type { Plan, StepRow } from "../sampling/index.js";
import { SAVE_LINES } from "./diffusers-parts.js";
import { folder } from "./diffusers-reference.js";
import { lorasOf } from "./flow-loras.js";
import { distilledOf, pathOf, refuse } from "./flow-parts.js";
import { python, text } from "./python.js";

/** The latents after a step: `xt` x_t, plus the sum of `x0` times the predictions of x0, newest first, plus `noise` times new noise. */
interface Weights {
  readonly xt: number;
  readonly x0: readonly number[];
  readonly noise: number;
}

/** @throws RequestError for rows that are no such sums, for adapters that diffusers does not load, and for decoders, which the script does not */
export async function loopScript(
  source: PlanSource,
  request: GenerateRequest,
  reference: PairReference,
  plan: Plan,
): Promise<string> {
  const { prompts, seeds = [0], negative, size = source.image?.size } = request;
  const { pipeline, title, text: ofText } = factsOf(source.family);
  if (reference.decoder !== undefined)
    refuse(`scripts for ${title} have the base's decoder; leave --decoder out`, "decoder");
  const rows = plan.rows.map((row) => (row.kind === "step" ? row : refuse("the script has no row that adds noise")));
  const distilled =
    source.distilled && rows.some((row) => row.model === "distilled") ? distilledOf(source, source.distilled) : null;
  const loras = await lorasOf(source, request, reference, rows, distilled);
  const lines = [
    `"""${rows.map((row) => `${row.model} σ ${row.from.sigma.toFixed(3)}`).join(", ")}. Written by \`variegate plan --as diffusers\`."""`,
    "",
    "import inspect",
    "",
    "import torch",
    `from diffusers import ${[pipeline, ...new Set(distilled?.classes)].sort().join(", ")}`,
    ...new Set([...(distilled?.imports ?? []), ...loras.imports]),
    "",
    `prompts = [${prompts.map(text).join(", ")}]`,
    `seeds = [${seeds.join(", ")}]`,
    `negative = ${text(negative ?? ofText.unconditional ?? "")}`,
    'device = "cuda" if torch.cuda.is_available() else "cpu"',
    `width, height = ${size?.width ?? 1024}, ${size?.height ?? 1024}`,
    "# Model, timestep, σ and guidance scale of each step; weights of the latents, of the predicted x0 (newest first) and of new noise after it.",
    "rows = [",
    ...rows.map(
      (row) => `    (${[text(row.model), row.timestep, row.at.sigma, row.guidance, weightsOf(row)].join(", ")}),`,
    ),
    "]",
    "",
    ...(loras.functions.length > 0 ? ["", ...loras.functions] : []),
    `pipe = ${pipeline}.from_pretrained(${folder(pathOf(source.base))}, torch_dtype=torch.float32).to(device)`,
    `instruction = inspect.signature(pipe.__call__).parameters["complex_human_instruction"].default`,
    `networks = {"base": pipe.transformer${distilled ? `, "distilled": ${distilled.load}` : ""}}`,
    ...loras.load,
    ...loopLines(loras.scales !== null),
    ...SAVE_LINES,
  ];
  return `${lines.join("\n")}\n`;
}

/** The weights of a row as a Python expression. */
function weightsOf(row: StepRow): string {
  const { xt, x0, noise } = sumOf(row);
  return `${xt}, ${python(x0)}, ${noise}`;
}

/** @throws RequestError for a step that is no weighted sum of x_t, predictions of x0 and noise */
function sumOf(row: StepRow): Weights {
  const { solver, from, to } = row;
  if (row.prediction !== "flow_prediction" || row.guidanceRescale > 0 || row.guidanceNormalization !== undefined)
    return refuse("the script takes predictions of a flow with plain guidance; leave --prediction and rescaling out");
  if (solver.kind === "euler") return { xt: to.sigma / from.sigma, x0: [1 - to.sigma / from.sigma], noise: 0 };
  if (solver.kind === "euler-ancestral") {
    const kept = solver.eps / from.sigma;
    return { xt: kept, x0: [to.alpha - kept * from.alpha], noise: solver.noise };
  }
  if (solver.kind === "linear" && solver.of === "x0" && solver.kept === 0 && !solver.corrector && !solver.open)
    return { xt: solver.xt, x0: solver.outputs, noise: solver.noise };
  return refuse("the script has steps of Euler, SCM and DPM-Solver++ only; leave --scheduler out", "scheduler");
}

/** @param adapted LoRAs act on the networks */
const loopLines = (adapted: boolean) => [
  "",
  "",
  "def velocity(network, x, timestep, scale, prompt, mask, without, other):",
  "    def call(text, keys):",
  "        if network.config.guidance_embeds:  # SANA-Sprint takes σ as the time, and the guidance scale",
  "            time = torch.full([1], timestep / 1000, device=device)",
  '            more = {"guidance": torch.full([1], scale * network.config.guidance_embeds_scale, device=device)}',
  "        else:",
  "            time, more = torch.full([1], timestep * network.config.timestep_scale, device=device), {}",
  "        return network(x, encoder_hidden_states=text, encoder_attention_mask=keys, timestep=time, return_dict=False, **more)[0]",
  "",
  "    v = call(prompt, mask)",
  "    if network.config.guidance_embeds or scale <= 1:",
  "        return v",
  "    against = call(without, other)",
  "    return against + scale * (v - against)",
  "",
  "",
  "@torch.no_grad()",
  "def generate(prompt, seed):",
  "    texts = pipe.encode_prompt(prompt, True, negative_prompt=negative, device=device, complex_human_instruction=instruction)",
  "    generator = torch.Generator().manual_seed(seed)",
  "    shape = [1, pipe.transformer.config.in_channels, height // pipe.vae_scale_factor, width // pipe.vae_scale_factor]",
  "    x, predicted = torch.randn(shape, generator=generator).to(device), []",
  "    for model, timestep, sigma, scale, kept, shares, noise in rows:",
  ...(adapted ? ["        adapt(networks[model], scales[model])"] : []),
  "        x0 = x - sigma * velocity(networks[model], x, timestep, scale, *texts)",
  "        predicted = [x0, *predicted]",
  "        x = kept * x + sum(share * each for share, each in zip(shares, predicted))",
  "        if noise > 0:",
  "            x = x + noise * torch.randn(shape, generator=generator).to(device)",
  "    image = pipe.vae.decode(x / pipe.vae.config.scaling_factor, return_dict=False)[0]",
  '    return x, pipe.image_processor.postprocess(image, output_type="pil")[0]',
];
