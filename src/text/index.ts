export { lorasOf, type PromptLora } from "./a1111.js";
export { createTokenizer } from "./clip-tokenizer.js";
export { embeddingsIn, PROMPT_SYNTAXES, type PromptSyntax, plainText } from "./syntax.js";
export type { TextEncoderParts } from "./text-encoder.js";
export { type EncodedPrompt, type TextEncoders, textEncoders } from "./text-encoders.js";
export {
  type EmbeddingFile,
  fileName,
  type TextualInversion,
  textualInversion,
  wordsOf,
} from "./textual-inversion.js";
export type { MultiVectorToken, Tokenizer, Tokens } from "./tokenizer.js";
