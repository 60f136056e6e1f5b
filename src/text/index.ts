export { lorasOf, type PromptLora } from "./a1111.js";
export { createTokenizer } from "./clip-tokenizer.js";
export type { EncodedPrompt, TextEncoders } from "./encoded-prompt.js";
export { readGemma, readLanguageModel, readT5 } from "./read-encoders.js";
export { embeddingsIn, PROMPT_SYNTAXES, type PromptSyntax, plainText } from "./syntax.js";
export type { ClipEncoderParts } from "./text-encoder.js";
export { type TextEncoderParts, textEncoders } from "./text-encoders.js";
export {
  type EmbeddingFile,
  fileName,
  inversionInputs,
  type TextualInversion,
  textualInversion,
  wordsOf,
} from "./textual-inversion.js";
export type { MultiVectorToken, Tokenizer, Tokens } from "./tokenizer.js";
