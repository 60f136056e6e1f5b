export {
  type DecodeOptions,
  decodeCall,
  decodeLatents,
  decoderBatch,
  decoderLatents,
  latentGradient,
  tileSide,
} from "./decode.js";
export {
  createDecoder,
  type Decoder,
  type DecoderFiles,
  decoderPrecision,
  drawDecoding,
  type LatentSize,
  parseDecoder,
} from "./decoder.js";
export { createEncoder, type Encoder, type LatentDistribution } from "./encoder.js";
export type { TileProgress } from "./tiled-decoder.js";
export {
  crop,
  expanded,
  fromPlanes,
  insideMask,
  paste,
  planes,
  statistics,
  tilesOf,
  toPlanes,
  windowAround,
} from "./tiles.js";
