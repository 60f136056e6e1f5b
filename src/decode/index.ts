export { type DecodeOptions, decodeCall, decodeLatents, decoderBatch, tileSide } from "./decode.js";
export {
  AUTOENCODERS,
  createDecoder,
  type Decoder,
  type DecoderFiles,
  decoderPrecision,
  parseDecoder,
} from "./decoder.js";
export type { TileProgress } from "./tiled-decoder.js";
export { cut, inside, joined, paste, planes, planesOf, statistics, tilesOf, widened, windowAround } from "./tiles.js";
