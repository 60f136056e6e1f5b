/** Tokenizers that ComfyUI brings along, for text encoders in files that hold none. */
import { existsSync } from "node:fs";
import path from "node:path";
import type { TextEncoderFacts } from "../families/index.js";
import type { ModelFolder } from "./model-folders.js";

/** Folder and a file of ComfyUI's tokenizers, by kind of text encoder; those of Qwen2.5 and Qwen3 are one. */
const COMFY = {
  "language model": ["qwen25_tokenizer", "vocab.json"],
  t5: ["t5_tokenizer", "tokenizer.json"],
} as const;

/**
 * Folders of tokenizers by kind of text encoder, in ComfyUI's folder, in which its models folder or extra_model_paths.yaml may be named instead.
 * None where ComfyUI's models are kept apart from the program.
 */
export function tokenizersIn(modelFolders: readonly ModelFolder[]): {
  readonly [K in TextEncoderFacts["kind"]]?: string;
} {
  const roots = modelFolders.flatMap(({ kind, path: given }) =>
    kind === "comfy" ? [given, path.join(given, "ComfyUI"), path.dirname(path.resolve(given))] : [],
  );
  return Object.fromEntries(
    Object.entries(COMFY).flatMap(([kind, [folder, file]]) => {
      const places = roots.map((root) => path.join(root, "comfy", "text_encoders", folder));
      const found = places.find((place) => existsSync(path.join(place, file)));
      return found === undefined ? [] : [[kind, found] as const];
    }),
  );
}
