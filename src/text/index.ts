export {
  type EncodedPrompt,
  slotScales,
  type TextEncoderParts,
  type TextEncoders,
  textEncoders,
} from "./text-encoders.js";
export { type LearnedWord, openWords, type WordReference } from "./textual-inversion.js";
export { createTokenizer, type Tokenizer } from "./tokenizer.js";
