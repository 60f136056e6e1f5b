/** Text encoders and the autoencoder of a base in a file: in ComfyUI's folders, by the names under which they are published. */
import path from "node:path";
import type { Checkpoint } from "../checkpoint/index.js";
import { openCheckpoint } from "../checkpoint/node/index.js";
import { RequestError } from "../errors.js";
import { type ComfyFacts, factsOf } from "../families/index.js";
import { isFolder } from "../files/index.js";
import { listModels, type ModelFolder } from "../lookup/index.js";
import type { LocatedPair } from "./locate.js";

/**
 * The pair with the parts that its base lacks, where a folder of models has them. What the request names stays.
 * @throws FileError for a base that cannot be read; RequestError where several files could be a part
 */
export async function withPublishedParts(located: LocatedPair): Promise<LocatedPair> {
  const { base, lookup, textEncoders, decoder } = located;
  const { modelFolders = [] } = lookup;
  if (modelFolders.length === 0 || isFolder(base.path) || (textEncoders.length > 0 && decoder !== null)) return located;
  const checkpoint = await openCheckpoint(base.path);
  const { comfy, textEncoders: facts } = factsOf(checkpoint.family);
  if (!comfy) return located;
  const { components } = checkpoint;
  const lacks = ({ component, optional }: (typeof facts)[number]) => !optional && !components.has(component);
  const lacksText = textEncoders.length === 0 && facts.some(lacks);
  const lacksDecoder = decoder === null && !components.has("vae");
  const found = lacksText ? await published(modelFolders, "text encoder", namesOf(checkpoint, comfy)) : [];
  const names = lacksDecoder && comfy.autoencoder !== undefined ? [comfy.autoencoder] : [];
  const [autoencoder = null] = await published(modelFolders, "autoencoder", names);
  return { ...located, ...(lacksText && { textEncoders: found }), ...(lacksDecoder && { decoder: autoencoder }) };
}

/** Names of the text encoders. The larger one of a family with two sizes is told by the features that the denoiser reads. */
function namesOf({ family, components }: Checkpoint, { textEncoders: names, largeTextEncoder }: ComfyFacts) {
  const { textEncoders, text } = factsOf(family);
  const read = Number(components.get("unet")?.config["joint_attention_dim"]) / (text.chat?.states?.length ?? 1);
  return largeTextEncoder !== undefined && read > (textEncoders[0]?.width ?? 0) ? [largeTextEncoder] : names;
}

const FLAGS = { "text encoder": "--text-encoder", autoencoder: "--decoder" } as const;
const stem = (name: string): string => name.replace(/\.\w+$/, "");
/** Storage types at the end of published names, of which a user may have another. */
const TYPE = /_(fp16|bf16|fp8\w*)$/;

/** Paths of the files with these names, or with such a name in another storage type. Names without a file are left out. */
async function published(
  modelFolders: readonly ModelFolder[],
  category: keyof typeof FLAGS,
  names: readonly string[],
): Promise<string[]> {
  const models = names.length > 0 ? await listModels(modelFolders, [category]) : [];
  return names.flatMap((name) => {
    const own = stem(name).replace(TYPE, "");
    const same = models.filter((model) => path.basename(model.name) === name);
    const alike = models.filter(({ name: other }) => {
      const given = stem(path.basename(other));
      return given === own || [".", "_", "-"].some((mark) => given.startsWith(`${own}${mark}`));
    });
    const found = same.length > 0 ? same.slice(0, 1) : alike;
    if (found.length > 1) {
      const list = found.map((model) => model.name).join(" or ");
      throw new RequestError(`the ${category} could be ${list}; name one with ${FLAGS[category]}`);
    }
    return found.map((model) => model.path);
  });
}
