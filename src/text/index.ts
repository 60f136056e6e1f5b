export { createTokenizer } from "./clip-tokenizer.js";
export {
  type EncodedPrompt,
  type TextEncoderParts,
  type TextEncoders,
  textEncoders,
} from "./text-encoders.js";
export {
  type EmbeddingFile,
  embeddingNames,
  type TextualInversion,
  textualInversion,
  tokenOf,
} from "./textual-inversion.js";
export type { MultiVectorToken, Tokenizer, Tokens } from "./tokenizer.js";
