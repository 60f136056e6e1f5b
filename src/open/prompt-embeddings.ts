/** Textual inversions in the model folders that prompts name, in the syntaxes of A1111 and ComfyUI. */
import { listModels } from "../lookup/index.js";
import { embeddingsIn, fileName, type PromptSyntax, plainText } from "../text/index.js";
import type { PairReference } from "./reference.js";

/** Prompts of a request with their syntax. */
export interface SyntaxPrompts {
  readonly prompts: readonly string[];
  readonly negative?: string;
  readonly promptSyntax?: PromptSyntax;
}

/**
 * Adds to a reference the textual inversions of its model folders that prompts name: by `embedding:name` in ComfyUI's syntax, by the name
 * of the file as a word in A1111's. The first of several files with one name counts, and those of the reference come first.
 * @throws FileError when a model folder cannot be read; RequestError for markup that is not valid
 */
export async function withPromptEmbeddings<R extends PairReference>(
  reference: R,
  { prompts, negative = "", promptSyntax = "plain" }: SyntaxPrompts,
): Promise<R> {
  const { modelFolders = [], embeddings = [] } = reference;
  if (promptSyntax === "plain" || modelFolders.length === 0) return reference;
  const texts = [...prompts, negative];
  const named = new Set(texts.flatMap((text) => embeddingsIn(text, promptSyntax)));
  const words = promptSyntax === "a1111" ? texts.map((text) => plainText(text, promptSyntax)) : [];
  const found = new Map<string, { readonly ref: string; readonly token: string }>();
  for (const model of await listModels(modelFolders, ["textual inversion"])) {
    const name = fileName(model.path);
    const given = found.has(name) || embeddings.some(({ ref }) => fileName(ref) === name);
    if (given || !(named.has(name) || words.some((text) => hasWord(text, name)))) continue;
    found.set(name, { ref: model.path, token: `<${name}>` });
  }
  return found.size === 0 ? reference : { ...reference, embeddings: [...embeddings, ...found.values()] };
}

/** True if a text contains a name that no letter or digit continues, in any case. */
function hasWord(text: string, name: string): boolean {
  const literal = name.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  return new RegExp(`(?<![\\p{L}\\p{N}])${literal}(?![\\p{L}\\p{N}])`, "iu").test(text);
}
