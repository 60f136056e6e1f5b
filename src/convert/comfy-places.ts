/** Where ComfyUI finds the models of a pair: a folder below `models` and a name in it, for each reference. Opens no file. */
import { existsSync } from "node:fs";
import path from "node:path";
import { resolveScale } from "../adapters/index.js";
import { RequestError } from "../errors.js";
import { type Family, factsOf } from "../families/index.js";
import { isFolder } from "../files/index.js";
import type { GenerateRequest, ModelSource, PlanSource } from "../generate/index.js";
import { parseHubReference } from "../hub/index.js";
import { type Category, findModel, listModels, resolveReference } from "../lookup/index.js";
import type { PairReference } from "../open/index.js";
import type { ModelName } from "../sampling/index.js";

/** A model's place in ComfyUI's folders. */
export interface ComfyPlace {
  readonly category: Category;
  /** Folder below `models`. */
  readonly folder: string;
  /** Path below that folder, by which nodes name it. */
  readonly name: string;
  readonly ref: string;
}

/** An adapter of a request, with one scale. */
export interface PlacedAdapter {
  readonly place: ComfyPlace;
  readonly scale: number;
  readonly on: "both" | ModelName;
}

/** Places of everything that a pair and a request name. */
export interface ComfyPlaces {
  readonly base: ComfyPlace;
  readonly distilled: ComfyPlace | null;
  readonly textEncoders: readonly ComfyPlace[];
  readonly decoder: ComfyPlace | null;
  readonly adapters: readonly PlacedAdapter[];
  readonly embeddings: readonly { readonly place: ComfyPlace; readonly token: string }[];
}

const FOLDERS: { readonly [C in Category]: string } = {
  checkpoint: "checkpoints",
  unet: "diffusion_models",
  "text encoder": "text_encoders",
  autoencoder: "vae",
  adapter: "loras",
  "textual inversion": "embeddings",
  diffusers: "diffusers",
};

/** What a reference is: categories to search for it, and its category where it has to be copied, as a file or as a folder. */
interface Kind {
  readonly search: readonly Category[];
  readonly file: Category;
  readonly folder: Category;
}

const only = (category: Category): Kind => ({ search: [category], file: category, folder: category });
const PIPELINE: Kind = { search: ["checkpoint", "unet", "diffusers"], file: "checkpoint", folder: "diffusers" };
const CHECKPOINT: Kind = { search: ["checkpoint", "unet", "diffusers"], file: "checkpoint", folder: "checkpoint" };
const DENOISER: Kind = { search: ["unet", "checkpoint", "diffusers"], file: "unet", folder: "unet" };

const WEIGHTS = /\.(safetensors|sft|ckpt|pt|pth|bin|gguf)$/i;
const GGUF = /\.gguf$/i;
/** File names that every repository has. */
const GENERIC = /^(pytorch_lora_weights|diffusion_pytorch_model|pytorch_model|model|learned_embeds)\b/i;

/** @throws RequestError for what ComfyUI's own nodes cannot load */
export async function comfyPlaces(
  source: PlanSource,
  reference: PairReference,
  request: GenerateRequest,
): Promise<ComfyPlaces> {
  const { textEncoders = [], decoder, adapters = [], embeddings = [] } = reference;
  const place = placeFinder(reference);
  const { base, distilled } = source;
  const { comfy } = factsOf(source.family);
  /** A part of a family whose parts are files of their own, under the name that it is published for ComfyUI. */
  const published = (category: Category, name: string, what: string): ComfyPlace => ({
    ...{ category, folder: FOLDERS[category], name, ref: `${what} of ${base.ref}` },
  });
  const large = source.row?.textParameters !== undefined && comfy?.largeTextEncoder;
  const encoders = encodersOf(source.family, textEncoders, large ? [large] : (comfy?.textEncoders ?? []));
  const parted = decoder !== undefined || comfy?.autoencoder !== undefined;
  // A file whose text encoders and autoencoder are others is taken for a denoiser alone.
  const isAlone = textEncoders.length > 0 && decoder !== undefined;
  return {
    base: await place(
      base.ref,
      comfy ? (parted ? DENOISER : CHECKPOINT) : isAlone ? { ...PIPELINE, file: "unet" } : PIPELINE,
      base,
    ),
    distilled: distilled && (await place(distilled.ref, isLora(distilled) ? only("adapter") : DENOISER, distilled)),
    textEncoders: await Promise.all(
      encoders.map((each) =>
        "ref" in each ? place(each.ref, only("text encoder")) : published("text encoder", each.name, "text encoder"),
      ),
    ),
    decoder:
      decoder !== undefined
        ? await place(decoder, only("autoencoder"))
        : comfy?.autoencoder !== undefined
          ? published("autoencoder", comfy.autoencoder, "autoencoder")
          : null,
    adapters: await Promise.all(
      [...adapters, ...(request.adapters ?? [])].map(async ({ ref, scale = 1, on = "both" }) => ({
        place: await place(ref, only("adapter")),
        scale: oneScale(ref, scale),
        on,
      })),
    ),
    embeddings: await Promise.all(
      embeddings.map(async ({ ref, token }) => {
        if (token === undefined) {
          throw new RequestError(`--as comfyui: name the token of ${ref}: --embedding ${ref}=token`, {
            field: "embeddings",
          });
        }
        return { place: await place(ref, only("textual inversion")), token };
      }),
    ),
  };
}

/** A text encoder that is given, or one under the name that it is published for ComfyUI. */
type Encoder = { readonly ref: string } | { readonly name: string };

/**
 * Text encoders of a request, and published ones of each kind of which none is given, as the pair's own stay there.
 * @throws RequestError where a name does not tell the kind, or not all of a kind are given
 */
function encodersOf(family: Family, given: readonly string[], names: readonly string[]): readonly Encoder[] {
  const own = given.map((ref) => ({ ref }));
  const facts = factsOf(family).textEncoders;
  const kinds = [...new Set(facts.map(({ kind }) => kind))];
  if (own.length > 0 && (own.length === facts.length || names.length === 0 || kinds.length === 1)) return own;
  const told = own.map(({ ref }) => (/t5/i.test(ref) ? "t5" : /clip/i.test(ref) ? "clip" : null));
  return kinds.flatMap((kind): readonly Encoder[] => {
    const found = own.filter((_, i) => told[i] === kind);
    const wanted = names.flatMap((name, i) => (facts[i]?.kind === kind ? [{ name }] : []));
    if (!told.includes(null) && (found.length === 0 || found.length === wanted.length)) {
      return found.length > 0 ? found : wanted;
    }
    const all = facts.map(({ about }) => about).join(", ");
    throw new RequestError(
      `--as comfyui: --text-encoder ${given.join(", ")} leaves open which of ${all} are given; name all of them`,
      { field: "textEncoders" },
    );
  });
}

/** True for a distilled model that is a LoRA on the base; by its name where the pair has not been opened. */
const isLora = ({ isLora: known, ref }: ModelSource): boolean => known ?? /lora/i.test(ref);

/** @throws RequestError for a scale by row, block or sample */
function oneScale(ref: string, scale: NonNullable<PairReference["adapters"]>[number]["scale"] & {}): number {
  const { whole, rows, blocks, samples = [] } = resolveScale(scale);
  if (rows.length === 0 && Object.keys(blocks).length === 0 && samples.length === 0) return whole;
  throw new RequestError(
    `--as comfyui: ${ref} has scales by row, block or sample, and ComfyUI's LoRA nodes take one; give one number: --lora ${ref}:${whole}`,
    { field: "adapters" },
  );
}

/** Finds the place of a reference: in ComfyUI's folder if the request names it, else the one to copy the model to. */
function placeFinder({ modelFolders = [] }: PairReference) {
  const folders = modelFolders.filter(({ kind }) => kind === "comfy");
  return async (ref: string, kind: Kind, model?: ModelSource): Promise<ComfyPlace> => {
    const own = folders.length === 0 ? null : await inFolders(ref, kind.search, model?.path);
    const found = own
      ? { category: own.category, folder: own.folder, name: own.name.replaceAll("/", path.sep), ref }
      : copied(ref, kind, model?.path);
    if (!GGUF.test(found.name)) return found;
    throw new RequestError(
      `--as comfyui: ${ref} is a GGUF file, which only custom nodes of ComfyUI load; name a .safetensors file`,
    );
  };

  async function inFolders(ref: string, search: readonly Category[], located: string | undefined) {
    if (located !== undefined) {
      return (await listModels(folders, search)).find((item) => path.resolve(item.path) === located) ?? null;
    }
    return existsSync(resolveReference(ref)) ? null : findModel(folders, ref, search);
  }
}

/** Place of a model to copy: under its own name, or its repository's where files of many repositories have the same. */
function copied(ref: string, kind: Kind, located = resolveReference(ref)): ComfyPlace {
  const hub = existsSync(located) ? null : parseHubReference(ref);
  const last = path.basename(hub ? hub.path : path.resolve(located));
  const repository = hub?.id.split("/")[1] ?? last;
  const isFile = hub ? WEIGHTS.test(last) : !isFolder(located);
  const category = isFile ? kind.file : kind.folder;
  const named = { category, folder: FOLDERS[category], ref };
  if (isFile) return { ...named, name: hub && GENERIC.test(last) ? `${repository}${path.extname(last)}` : last };
  // Other folders hold the weights of one model, which ComfyUI loads from one file.
  return { ...named, name: category === "diffusers" ? repository : `${repository}.safetensors` };
}
