/** Loader nodes of a ComfyUI workflow for the models of a pair, with their adapters and textual inversions. */
import { RequestError } from "../errors.js";
import { factsOf } from "../families/index.js";
import { loraScaleOf } from "../generate/index.js";
import type { ModelName } from "../sampling/index.js";
import type { Link, WorkflowGraph } from "./comfy-graph.js";
import type { ComfyPlace, ComfyPlaces } from "./comfy-places.js";
import type { ReadSource } from "./read-source.js";

/** A file that a workflow loads. */
export interface ComfyFile {
  /** Path below ComfyUI's `models`. */
  readonly path: string;
  /** The reference that it is. */
  readonly ref: string;
}

/** Outputs of loader nodes. */
export interface ComfyModels {
  readonly files: readonly ComfyFile[];
  /** Network of a model with its adapters, and its text encoders with theirs. */
  model(which: ModelName): { readonly model: Link; readonly clip: Link };
  vae(): Link;
}

/** Adds the loaders of a pair to a workflow. @throws RequestError for a model that ComfyUI's own nodes cannot load */
export function comfyModels(graph: WorkflowGraph, source: ReadSource, places: ComfyPlaces): ComfyModels {
  const { base, distilled, textEncoders, decoder, adapters, embeddings } = places;
  const tiny = decoder && isTiny(source, decoder) ? (factsOf(source.family).latents.tiny ?? null) : null;
  if (base.category === "unet" && (textEncoders.length === 0 || !decoder)) {
    throw new RequestError(
      `--as comfyui: ${base.ref} is a UNet alone; name its text encoders with --text-encoder and its autoencoder with --decoder`,
    );
  }
  const whole = (place: ComfyPlace) =>
    place.category === "diffusers"
      ? graph.add("DiffusersLoader", { model_path: place.name }, titleOf(place))
      : graph.add("CheckpointLoaderSimple", { ckpt_name: place.name }, titleOf(place));
  const network = (place: ComfyPlace): Link => {
    if (place.category !== "unet") return whole(place)(0);
    return graph.add("UNETLoader", { unet_name: place.name, weight_dtype: "default" }, titleOf(place))();
  };
  const clip = (): Link => {
    const [first, second, third] = textEncoders;
    if (!first) return whole(base)(1);
    checkEncoders(source, textEncoders.length);
    const type = factsOf(source.family).comfy?.clip;
    if (second && third) {
      const names = { clip_name1: first.name, clip_name2: second.name, clip_name3: third.name };
      return graph.add("TripleCLIPLoader", names, titleOf(first))();
    }
    if (!second) {
      return graph.add("CLIPLoader", { clip_name: first.name, type: type ?? "stable_diffusion" }, titleOf(first))();
    }
    const inputs = { clip_name1: first.name, clip_name2: second.name, type: type ?? "sdxl" };
    return graph.add("DualCLIPLoader", inputs, titleOf(first))();
  };
  const bare = (which: ModelName): Link => {
    if (which === "base" || !distilled) return network(base);
    if (distilled.category !== "adapter") return network(distilled);
    const inputs = { model: network(base), lora_name: distilled.name, strength_model: loraScaleOf(source) };
    return graph.add("LoraLoaderModelOnly", inputs, titleOf(distilled))();
  };
  const others = [distilled, ...textEncoders, tiny === null ? decoder : null];
  return {
    files: [
      ...[base, ...others, ...adapters.map((a) => a.place), ...embeddings.map((e) => e.place)].flatMap((place) =>
        place ? [{ path: `${place.folder}/${place.name}`, ref: place.ref }] : [],
      ),
      ...(tiny !== null && decoder ? tinyFiles(tiny, decoder.ref) : []),
    ],
    model(which) {
      let loaded = { model: bare(which), clip: clip() };
      for (const { place, scale, on } of adapters) {
        if (on !== "both" && on !== which) continue;
        const inputs = { ...loaded, lora_name: place.name, strength_model: scale, strength_clip: scale };
        const outputs = graph.add("LoraLoader", inputs, titleOf(place));
        loaded = { model: outputs(0), clip: outputs(1) };
      }
      return loaded;
    },
    vae: () => {
      if (!decoder) return whole(base)(2);
      return graph.add("VAELoader", { vae_name: tiny ?? decoder.name }, `Load ${decoder.ref}`)();
    },
  };
}

/** @throws RequestError where a text encoder is left out, for which ComfyUI gives the network less text, not zeros */
function checkEncoders(source: ReadSource, given: number): void {
  const { textEncoders } = factsOf(source.family);
  const isAbsent = "located" in source && source.textEncoders.some(({ kind }) => kind === "absent");
  const [optional] = textEncoders.flatMap(({ optional, about }) => (optional ? [about] : []));
  if (optional === undefined || (given === textEncoders.length && !isAbsent)) return;
  const all = textEncoders.map(({ about }) => about).join(", ");
  throw new RequestError(
    `--as comfyui: without ${optional} ComfyUI gives the network less text, and not zeros; name all with --text-encoder: ${all}`,
    { field: "textEncoders" },
  );
}

const titleOf = ({ folder, name }: ComfyPlace): string => `Load models/${folder}/${name}`;

const tinyFiles = (name: string, ref: string): ComfyFile[] =>
  ["decoder", "encoder"].map((part) => ({ path: `vae_approx/${name}_${part}.safetensors`, ref }));

/** True for a TAESD: by its class where the pair has been read, else by its name. */
const isTiny = (source: ReadSource, { ref }: ComfyPlace): boolean =>
  "located" in source ? source.decoder.component.className === "AutoencoderTiny" : /taesd|taef/i.test(ref);

/** @throws RequestError for a UNet that ComfyUI does not recognise: it knows UNets by their shapes, all with 320 channels first */
export function checkShape(source: ReadSource): void {
  if (!("located" in source)) return;
  const { ref, component } = source.base;
  const channels: unknown = component.config["block_out_channels"];
  const first: unknown = Array.isArray(channels) ? channels[0] : undefined;
  if (first === 320) return;
  throw new RequestError(
    `--as comfyui: ComfyUI recognises UNets by their shapes, and knows none with ${first} channels in its first block (${ref}); name another model with --base or --pair`,
  );
}
