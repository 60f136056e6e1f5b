/** Graphs of text encoders other than CLIP, by class, with all of their layers: a family may use fewer. Loaded when one is read. */
import type { Graph } from "../graph/index.js";
import type { ConfigFile } from "./config.js";
import type { DrawingWeights } from "./drawing.js";
import { drawGemma2, parseGemma2Config } from "./gemma2.js";
import { drawLanguageModel, parseLanguageModelConfig } from "./language-model.js";
import { drawT5, parseT5Config } from "./t5.js";

/** Tokens of a graph by which weights are checked. */
const TOKENS = 8;

type Draw = (source: ConfigFile, index: DrawingWeights) => Graph;

const language: Draw = (source, index) => {
  const config = parseLanguageModelConfig(source);
  return drawLanguageModel(config, index, { tokens: TOKENS, states: [config.layers], padded: false });
};
const gemma: Draw = (source, index) => drawGemma2(parseGemma2Config(source), index, { tokens: TOKENS });

export const TEXT_TRANSFORMERS = {
  Qwen3Model: language,
  Qwen3ForCausalLM: language,
  Qwen2_5_VLForConditionalGeneration: language,
  Gemma2Model: gemma,
  Gemma2ForCausalLM: gemma,
  T5EncoderModel: (source, index) => drawT5(parseT5Config(source), index, { tokens: TOKENS, masked: false }),
} as const satisfies Readonly<Record<string, Draw>>;
