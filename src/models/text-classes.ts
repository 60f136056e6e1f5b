/** Classes of text encoders other than CLIP. Their networks are loaded when one is read: pages run CLIP, and would load them for nothing. */
import type { Graph } from "../graph/index.js";
import type { ConfigFile } from "./config.js";
import type { DrawingWeights } from "./drawing.js";
import type { TEXT_TRANSFORMERS } from "./text-transformers.js";

export type TextTransformerClass = keyof typeof TEXT_TRANSFORMERS;

export const TEXT_TRANSFORMER_CLASSES = [
  "Qwen3Model",
  "Qwen3ForCausalLM",
  "Qwen2_5_VLForConditionalGeneration",
  "Gemma2Model",
  "Gemma2ForCausalLM",
  "T5EncoderModel",
] as const satisfies readonly TextTransformerClass[];

/** The graph of a text encoder with all of its layers, for a few tokens. @throws UnsupportedConfigError naming the key */
export async function drawTextTransformer(
  className: TextTransformerClass,
  source: ConfigFile,
  index: DrawingWeights,
): Promise<Graph> {
  const { TEXT_TRANSFORMERS } = await import("./text-transformers.js");
  return TEXT_TRANSFORMERS[className](source, index);
}
