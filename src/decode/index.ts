export { type Decoder, decoderOf, openAutoencoder, openDecoder } from "./decoder.js";
export type { TileProgress } from "./tiled-decoder.js";
export { cut, inside, joined, paste, planes, planesOf, statistics, tilesOf, widened, windowAround } from "./tiles.js";
