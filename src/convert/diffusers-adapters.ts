/** How a script for diffusers loads LoRAs and textual inversions, and which LoRAs act on each model. Reads headers of their files. */
import path from "node:path";
import { resolveScale } from "../adapters/index.js";
import { adapterFile, openWeights } from "../checkpoint/node/index.js";
import { RequestError } from "../errors.js";
import { FAMILIES, type Family } from "../families/index.js";
import type { GenerateRequest } from "../generate/index.js";
import { parseHubReference } from "../hub/index.js";
import { type LookupOptions, locate } from "../lookup/index.js";
import { inspectAdapter, type PairReference } from "../open/index.js";
import type { ModelName } from "../sampling/index.js";
import { fileName, wordsOf } from "../text/index.js";
import { type Expression, file, isLocal } from "./diffusers-reference.js";
import { python, text } from "./python.js";

/** LoRAs and textual inversions of a script. */
export interface ScriptAdapters {
  readonly imports: readonly string[];
  readonly functions: readonly string[];
  readonly load: readonly string[];
  /** Scales of the LoRAs by model and name; null without any. */
  readonly scales: Readonly<Partial<Record<ModelName, Readonly<Record<string, number>>>>> | null;
}

/** Name of the distilled model's LoRA in a script. */
export const DISTILLED_LORA = "distilled";

/** Import of the function `adapt`. */
export const ADAPT_IMPORT = "from diffusers.utils import set_adapter_layers, set_weights_and_activate_adapters";

/** Function of a script that turns on the LoRAs of a network that have a scale. */
export const ADAPT_LINES = [
  "def adapt(network, scales):  # LoRAs of a network that act, with their scales",
  "    set_adapter_layers(network, enabled=len(scales) > 0)",
  "    if scales:",
  "        set_weights_and_activate_adapters(network, list(scales), list(scales.values()))",
  "",
  "",
];

export interface AdapterPlace {
  readonly family: Family;
  readonly reference: PairReference;
  readonly request: GenerateRequest;
  readonly models: readonly ModelName[];
  /** How the script holds the distilled model: as a UNet of its own, or as a LoRA on the base; null where it does not run. */
  readonly distilled: "unet" | "lora" | null;
}

/** @throws RequestError for scales by row, block or sample, and for kinds that diffusers does not load */
export async function adaptersOf(asked: AdapterPlace): Promise<ScriptAdapters> {
  const { reference, request, models, distilled } = asked;
  const { adapters = [], embeddings = [] } = reference;
  const uses = [...adapters, ...(request.adapters ?? [])];
  const words = await inversionLines(asked, embeddings);
  if (uses.length === 0) return { ...words, functions: [], scales: null };
  const names = uses.map(({ ref }, i) => `${fileName(ref).replace(/\W/g, "_")}_${i}`);
  const files = [];
  for (const { ref } of uses) files.push(await loraFile(ref, reference));
  const scales = models.map((model) => {
    const own = uses.flatMap(({ ref, scale = 1, on = "both" }, i) =>
      on === "both" || on === model ? [[names[i] ?? "", constantOf(ref, scale)] as const] : [],
    );
    return [
      model,
      Object.fromEntries(model === "distilled" && distilled === "lora" ? [[DISTILLED_LORA, 1], ...own] : own),
    ];
  });
  return {
    imports: [...new Set([ADAPT_IMPORT, ...files.flatMap(({ imports }) => imports), ...words.imports])],
    functions: ADAPT_LINES,
    load: [
      "loras = {",
      ...files.map(({ code }, i) => `    ${text(names[i] ?? "")}: ${code},`),
      "}",
      "for name, file in loras.items():",
      "    pipe.load_lora_weights(file, adapter_name=name)",
      ...(distilled === "unet"
        ? [
            "    state, alphas, facts = pipe.lora_state_dict(file, unet_config=distilled.config, return_lora_metadata=True)",
            "    pipe.load_lora_into_unet(state, alphas, distilled, adapter_name=name, metadata=facts)",
          ]
        : []),
      `scales = ${python(Object.fromEntries(scales))}`,
      ...words.load,
    ],
    scales: Object.fromEntries(scales),
  };
}

/** The one scale of a LoRA. @throws RequestError for several */
function constantOf(ref: string, input: Parameters<typeof resolveScale>[0]): number {
  const { whole, rows, blocks, samples } = resolveScale(input);
  if (rows.length === 0 && Object.keys(blocks).length === 0 && !samples) return whole;
  throw new RequestError(
    `--as diffusers takes one scale for a LoRA, and ${ref} has scales by row, block or sample; give one number`,
  );
}

/** A file of this machine, or of the Hub. Names in model folders become paths. */
function expressionOf(ref: string, found: string, { modelFolders = [] }: LookupOptions): Expression {
  const hub = isLocal(ref) || modelFolders.length > 0 ? null : parseHubReference(ref);
  return hub && path.extname(hub.path) !== "" ? file(ref) : file(path.resolve(found));
}

/** A LoRA as a file. @throws RequestError for a folder, and kinds that diffusers does not load into a UNet */
async function loraFile(ref: string, { modelFolders, variant }: PairReference): Promise<Expression> {
  const lookup: LookupOptions = { ...(modelFolders && { modelFolders }), ...(variant && { variant }) };
  const found = await locate(ref, "adapter", lookup);
  const convert = `variegate adapter convert ${ref} --to peft --out FILE`;
  if ((await adapterFile(found)) !== found) {
    throw new RequestError(`--as diffusers takes a LoRA as one file, and ${ref} is a folder; ${convert} writes one`);
  }
  const { description } = await inspectAdapter({ parts: new Map(), lookup }, ref);
  const other = Object.keys(description.kinds).find((kind) => kind !== "LoRA" && kind !== "DoRA");
  if (other === undefined) return expressionOf(ref, found, lookup);
  throw new RequestError(
    `--as diffusers loads LoRA and DoRA, and ${ref} has layers of kind ${other}, which diffusers does not load; merge it with variegate adapter merge`,
  );
}

/** Lines that load textual inversions: for one text encoder by file, for two the tensors of each. */
async function inversionLines(
  { family, reference }: AdapterPlace,
  embeddings: NonNullable<PairReference["embeddings"]>,
): Promise<{ readonly imports: readonly string[]; readonly load: readonly string[] }> {
  const { modelFolders, variant } = reference;
  const lookup: LookupOptions = { ...(modelFolders && { modelFolders }), ...(variant && { variant }) };
  const encoders = FAMILIES[family].textEncoders;
  const [imports, load]: [string[], string[]] = [[], []];
  for (const { ref, token } of embeddings) {
    const found = await locate(ref, "textual inversion", lookup);
    const where = expressionOf(ref, found, lookup);
    imports.push(...where.imports);
    const words = wordsOf(ref, [...(await openWeights(found)).weights.keys()]);
    for (const word of words) {
      const named = text(token ?? word.token ?? `<${fileName(ref)}>`);
      if (encoders.length === 1 && words.length === 1) {
        load.push(`pipe.load_textual_inversion(${where.code}, token=${named})`);
        continue;
      }
      imports.push("from safetensors.torch import load_file");
      load.push(`words = weights(${where.code})`);
      for (const [i, { component, tokenizer }] of encoders.entries()) {
        const tensor = `words[${text(word.tensors[i] ?? "")}]`;
        load.push(
          `pipe.load_textual_inversion(${tensor}, token=${named}, text_encoder=pipe.${component}, tokenizer=pipe.${tokenizer})`,
        );
      }
    }
  }
  return { imports, load };
}
