/**
 * Writes the plan of a flow matching family as a Python script for diffusers: one call of the family's pipeline over the sigmas of all rows, in
 * which the transformer and the guidance scale change where the plan's rows do.
 */
import { factsOf } from "../families/index.js";
import type { GenerateRequest, PlanSource } from "../generate/index.js";
import type { PairReference } from "../open/index.js";
import { isGuided, type Plan, type StepRow, twoSidedScale } from "../sampling/index.js";
import { autoencoderPart, SAVE_LINES, type ScriptPart, WEIGHTS_LINES } from "./diffusers-parts.js";
import { folder } from "./diffusers-reference.js";
import { lorasOf } from "./flow-loras.js";
import { checkReference, distilledOf, pathOf, refuse } from "./flow-parts.js";
import { loopScript } from "./loop-script.js";
import { python, text } from "./python.js";
import { readSource } from "./read-source.js";

/**
 * The script.
 * @throws RequestError for rows that are no Euler steps along one flow, and for models and adapters that it does not load
 */
export async function flowScript(
  source: PlanSource,
  request: GenerateRequest,
  reference: PairReference,
  plan: Plan,
): Promise<string> {
  const { text: ofText, denoiser } = factsOf(source.family);
  if (denoiser.folder !== "transformer") throw new RangeError(`${denoiser.className} is no transformer`);
  checkReference(reference);
  if (ofText.instruction) return loopScript(source, request, reference, plan);
  const rows = rowsOf(plan);
  const call = callOf(source, rows, request.textTokens);
  const usesDistilled = rows.some((row) => row.model === "distilled");
  const distilled = usesDistilled && source.distilled ? distilledOf(source, source.distilled) : null;
  const loras = await lorasOf(source, request, reference, rows, distilled);
  const decoder = await decoderOf(source, reference);
  const classes = ["DiffusionPipeline", "FlowMatchEulerDiscreteScheduler", ...(distilled?.classes ?? [])];
  const { prompts, seeds = [0], negative, size = source.image?.size } = request;
  const functions = [
    ...(decoder?.lines.some((line) => line.includes("weights(")) ? WEIGHTS_LINES : []),
    ...loras.functions,
  ];
  const lines = [
    `"""${rows.map((row) => `${row.model} σ ${row.from.sigma.toFixed(3)}`).join(", ")}. Written by \`variegate plan --as diffusers\`."""`,
    "",
    "import torch",
    `from diffusers import ${[...new Set([...classes, ...(decoder?.classes ?? [])])].sort().join(", ")}`,
    ...new Set([...(distilled?.imports ?? []), ...(decoder?.imports ?? []), ...loras.imports]),
    "",
    `prompts = [${prompts.map(text).join(", ")}]`,
    `seeds = [${seeds.join(", ")}]`,
    ...(call.guided ? [`negative = ${text(negative ?? ofText.unconditional ?? "")}`] : []),
    'device = "cuda" if torch.cuda.is_available() else "cpu"',
    `width, height = ${size?.width ?? 1024}, ${size?.height ?? 1024}`,
    "# Model, σ and guidance scale of each step, as the pipeline takes it.",
    "rows = [",
    ...rows.map((row) => `    ("${row.model}", ${row.from.sigma}, ${scaleOf(source, row)}),`),
    "]",
    "",
    ...(functions.length > 0 ? ["", ...functions] : []),
    `pipe = DiffusionPipeline.from_pretrained(${folder(pathOf(source.base))}, torch_dtype=torch.float32).to(device)`,
    ...(decoder ? [...decoder.lines, "pipe.vae = vae.to(device)"] : []),
    "# The sigmas of the rows are shifted already.",
    "pipe.scheduler = FlowMatchEulerDiscreteScheduler(shift=1.0)",
    `networks = {"base": pipe.transformer${distilled ? `, "distilled": ${distilled.load}` : ""}}`,
    ...loras.load,
    ...(ofText.visiblePadding === undefined ? [] : HIDING_LINES),
    ...(call.own ? [...OWN_LINES, ownNetworks(source, request.textTokens)] : []),
    "",
    "",
    "def use(model, guidance):",
    "    pipe.transformer = networks[model]",
    ...(call.own ? ["    networks[model].guidance = guidance"] : ["    pipe._guidance_scale = guidance"]),
    ...(loras.scales ? [`    adapt(${call.own ? "networks[model].model" : "networks[model]"}, scales[model])`] : []),
    "",
    "",
    "def generate(prompt, seed):",
    "    kept = {}",
    "",
    "    def after(pipe, i, _timestep, state):",
    '        kept["x"] = state["latents"]',
    "        if i + 1 < len(rows):",
    "            use(rows[i + 1][0], rows[i + 1][2])",
    ...call.halving,
    "        return {}",
    "",
    "    use(rows[0][0], rows[0][2])",
    ...(call.own ? ["    for network in networks.values():", "        network.read(prompt)"] : []),
    "    image = pipe(",
    "        prompt=prompt, width=width, height=height, num_inference_steps=len(rows), sigmas=[sigma for _, sigma, _ in rows],",
    `        generator=torch.Generator().manual_seed(seed), callback_on_step_end=after, ${call.arguments.join(", ")},${call.inputs}`,
    "    ).images[0]",
    '    x = kept["x"]',
    "    if x.dim() == 3:  # tokens",
    "        side = 2 * pipe.vae_scale_factor",
    "        x = x.transpose(1, 2).unflatten(2, (height // side, width // side))",
    ...(denoiser.packed ? ["        x = torch.nn.functional.pixel_shuffle(x, 2)"] : []),
    "    return x, image",
    ...SAVE_LINES,
  ];
  return `${lines.join("\n")}\n`;
}

/** Lines that give the mask of the text to attention as truth values, which hide padding as in training; diffusers adds it to the scores. */
const HIDING_LINES = [
  "prepare = pipe._prepare_attention_mask",
  "",
  "",
  "def hiding(**given):  # truth values hide padding; numbers are added to the scores of attention",
  "    mask = prepare(**given)",
  "    return None if mask is None else mask.bool()",
  "",
  "",
  "pipe._prepare_attention_mask = hiding",
];

/** Lines that give each transformer text of its own length and its own guidance scale, not the pipeline's. */
const OWN_LINES = [
  "",
  "",
  "class Own:  # a transformer with text of its own length and its own guidance scale, not the pipeline's",
  "    def __init__(self, model, tokens):",
  "        self.model, self.tokens, self.guidance = model, tokens, None",
  "",
  "    def __getattr__(self, name):",
  "        return getattr(self.model, name)",
  "",
  "    def read(self, prompt):",
  "        self.text = pipe.encode_prompt(prompt, None, max_sequence_length=self.tokens)[0]",
  "",
  "    def __call__(self, **given):",
  "        guidance = torch.full([1], float(self.guidance), device=device) if self.model.config.guidance_embeds else None",
  '        own = {"encoder_hidden_states": self.text, "txt_ids": torch.zeros(self.tokens, 3, device=device), "guidance": guidance}',
  "        return self.model(**{**given, **own})",
  "",
  "",
];

/** Line that gives each network text of the length that it was trained with. */
function ownNetworks({ family }: PlanSource, asked: number | undefined): string {
  const { embedded = 0, other = 0 } =
    asked !== undefined ? { embedded: asked, other: asked } : (factsOf(family).sampling.embedded?.tokens ?? {});
  return `networks = {name: Own(model, ${embedded} if model.config.guidance_embeds else ${other}) for name, model in networks.items()}`;
}

/** How the pipeline is called. */
interface Call {
  /** Steps have guidance by two forward passes. */
  readonly guided: boolean;
  /** Models of the rows take different text lengths, or guidance scales as an input. */
  readonly own: boolean;
  /** Arguments of guidance and text. */
  readonly arguments: readonly string[];
  /** Lines of the callback that leave the prompt's embeddings alone where guidance ends, and the argument that hands them to it. */
  readonly halving: readonly string[];
  readonly inputs: string;
}

/** @throws RequestError for guidance that the pipeline has no place for */
function callOf(source: PlanSource, rows: readonly StepRow[], asked: number | undefined): Call {
  const { sampling, pipelineTakes = [], pairedEmbeddings = [], stepGuidance } = factsOf(source.family);
  const takesGuidance = (row: StepRow) => source[row.model]?.embedsGuidance === true;
  const trueScale = (row: StepRow) => Math.max(1, twoSidedScale(row, takesGuidance(row)));
  const guided = rows.some((row) => trueScale(row) > 1);
  const [first] = rows;
  const limit = rows.find((row) => row.guidanceNormalization !== undefined)?.guidanceNormalization;
  if (limit !== undefined && !pipelineTakes.includes("cfg_normalization")) {
    refuse("the pipeline has no cfg_normalization; leave --guidance-normalization out", "guidanceNormalization");
  }
  if (sampling.embedded) {
    const kinds = new Set(rows.map((row) => `${takesGuidance(row) && row.guidance} ${trueScale(row)}`));
    if (guided && kinds.size > 1) {
      refuse("the pipeline takes true guidance in all steps or in none, at one scale, with one embedded scale");
    }
    const { tokens } = sampling.embedded;
    const embeds = first !== undefined && takesGuidance(first);
    const embedded = `guidance_scale=${embeds ? first.guidance : 0}`;
    const truly = guided && first ? [`true_cfg_scale=${trueScale(first)}`, "negative_prompt=negative"] : [];
    const length = `max_sequence_length=${asked ?? (embeds ? tokens?.embedded : tokens?.other)}`;
    return { guided, own: kinds.size > 1, arguments: [embedded, ...truly, length], halving: [], inputs: "" };
  }
  const scales = new Set(rows.filter(isGuided).map((row) => row.guidance));
  if (pipelineTakes.includes("true_cfg_scale")) {
    if (guided && (scales.size > 1 || !rows.every(isGuided))) {
      refuse(
        "the pipeline has guidance in all steps at one scale, or in none; give --guidance and --base-guidance the same",
      );
    }
    const scaled =
      guided && first ? [`true_cfg_scale=${first.guidance}`, "negative_prompt=negative"] : ["true_cfg_scale=1"];
    return { guided, own: false, arguments: scaled, halving: [], inputs: "" };
  }
  if (guided && first && !isGuided(first)) {
    refuse("the pipeline encodes the negative prompt only if the first step has guidance; give --base-guidance");
  }
  if (!stepGuidance && scales.size > 1) {
    refuse(
      "the pipeline has one guidance scale for all steps with guidance; give --guidance 0 or --base-guidance the same",
    );
  }
  const ends = rows.findIndex((row) => !isGuided(row));
  const halves = guided && ends > 0 ? pairedEmbeddings : [];
  if (halves.length > 0 && rows.slice(ends).some(isGuided)) {
    refuse("the pipeline keeps the negative prompt until guidance ends; give steps with guidance before all others");
  }
  const negative = pipelineTakes.includes("negative_prompt")
    ? "negative_prompt=negative"
    : "negative_prompt_embeds=pipe.encode_prompt(negative)[0]";
  return {
    guided,
    own: false,
    arguments: [
      "guidance_scale=rows[0][2]",
      ...(guided ? [negative] : []),
      ...(asked === undefined ? [] : [`max_sequence_length=${asked}`]),
      ...(limit === undefined ? [] : [`cfg_normalization=${limit}`]),
    ],
    halving:
      halves.length === 0
        ? []
        : [
            `            if i + 1 == ${ends}:  # without guidance from here on`,
            `                return {name: state[name].chunk(2)[1] for name in ${python(halves)}}`,
          ],
    inputs: halves.length === 0 ? "" : ` callback_on_step_end_tensor_inputs=${python(["latents", ...halves])},`,
  };
}

/** Lines that open the decoder of the reference, where it names one. */
async function decoderOf(
  source: PlanSource,
  { decoder, modelFolders, variant }: PairReference,
): Promise<ScriptPart | null> {
  if (decoder === undefined) return null;
  const read = await readSource(source);
  const lookup = { ...(modelFolders && { modelFolders }), ...(variant && { variant }) };
  const known = "located" in read ? read.decoder.component : undefined;
  return autoencoderPart(decoder, lookup, source.family, known);
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

/** Guidance scale of a row as the family's pipeline takes it, or the network; 0 for one conditional forward without it. */
function scaleOf({ family, ...source }: PlanSource, row: StepRow): number {
  if (source[row.model]?.embedsGuidance === true) return row.guidance;
  return isGuided(row) ? row.guidance - (factsOf(family).guidanceOffset ?? 0) : 0;
}
