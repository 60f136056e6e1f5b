/** Configs and tokenizers of text encoders other than CLIP. Their code is loaded when one is read: pages run CLIP, and would load it for nothing. */
import type { TokenizerFiles } from "../checkpoint/index.js";
import type { ConfigFile } from "../models/index.js";
import type { LanguageModelParts } from "./chat-encoder.js";
import type { GemmaParts } from "./gemma-encoder.js";
import type { T5Parts } from "./t5-encoder.js";

/** Qwen3, or the language part of Qwen2.5-VL, as a text encoder. @throws UnsupportedConfigError for its config; FileError for its tokenizer */
export async function readLanguageModel(
  source: ConfigFile,
  files: TokenizerFiles,
): Promise<Omit<LanguageModelParts, "weights">> {
  const { languageModelParts } = await import("./chat-encoder.js");
  return languageModelParts(source, files);
}

/** Gemma as a text encoder. @throws UnsupportedConfigError for its config; FileError for its tokenizer */
export async function readGemma(source: ConfigFile, files: TokenizerFiles): Promise<Omit<GemmaParts, "weights">> {
  const { gemmaParts } = await import("./gemma-encoder.js");
  return gemmaParts(source, files);
}

/** T5's encoder. @throws UnsupportedConfigError for its config; FileError for its tokenizer */
export async function readT5(source: ConfigFile, files: TokenizerFiles): Promise<Omit<T5Parts, "weights">> {
  const { t5Parts } = await import("./t5-encoder.js");
  return t5Parts(source, files);
}
