/** Tiled decoding with the same result as in one piece: AutoencoderKL and its kin in stages, AutoencoderTiny in overlapping windows. */
import type { Graph } from "../graph/index.js";
import {
  AUTOENCODER_EPSILON,
  type AutoencoderConfig,
  type DecoderStage,
  type DrawnAutoencoder,
  decoderStages,
  drawHead,
  receptiveField,
  type TinyAutoencoderConfig,
} from "../models/index.js";
import { floats, type Precision, sessionOf } from "../networks/index.js";
import type { Runtime, Session } from "../runtime/index.js";
import type { FloatTensor, Tensor, WeightIndex } from "../tensor/index.js";
import {
  crop,
  expanded,
  fromPlanes,
  insideMask,
  type Planes,
  paste,
  planes,
  scaled,
  statistics,
  type Tile,
  tilesOf,
  toPlanes,
  windowAround,
} from "./tiles.js";

/** Number of finished tiles, and of all tiles over all stages. */
export interface TileProgress {
  readonly done: number;
  readonly total: number;
}

/**
 * Decodes the latents of one image [1, Z, h, w] to [1, C, h·f, w·f] in tiles of at most `side` latents. Yields progress after each tile
 * and returns the image; ending the iteration early releases the sessions.
 */
export type TiledDecoder = (latents: FloatTensor, side: number) => AsyncGenerator<TileProgress, FloatTensor, undefined>;

/**
 * AutoencoderKL and its kin: the layers at latent resolution in one piece, then stage by stage over all tiles. Between stages the whole feature map is
 * kept in arrays, and norms use the statistics of the whole map. The result is exact, without blending.
 */
export function stagedDecoder(
  runtime: Runtime,
  config: AutoencoderConfig | DrawnAutoencoder,
  weights: () => Promise<WeightIndex>,
  precision: Precision,
): TiledDecoder {
  return async function* (latents, side) {
    const [, , height = 1, width = 1] = latents.shape;
    const index = await weights();
    const load = async (graph: Graph) => (await sessionOf("decoder", runtime, graph, precision)).session;
    const isDrawn = config.kind === "drawn";
    const head = await load(isDrawn ? config.drawHead(index, height, width) : drawHead(config, index, height, width));
    let map = toPlanes(await mapOf(head, { latents }).finally(() => head.release()));
    const tiles = tilesOf(height, width, side);
    const stages = isDrawn ? config.stages() : decoderStages(config);
    let [done, upscale] = [0, isDrawn ? (config.headScale ?? 1) : (config.folding?.side ?? 1)];
    let residual: Planes | null = null;
    for (const stage of stages) {
      if (stage.keepsInput) residual = map;
      const { height: h = 1, width: w = 1 } = scaled(tiles[0] ?? { top: 0, left: 0, height, width }, upscale);
      const session = await load(stage.draw(index, h, w));
      let output: Planes | null = null;
      let running: ReturnType<Session["run"]> | undefined;
      try {
        const call = (tile: Tile | undefined) => {
          const made = tile && session.run(feedsFor(stage, map, residual, scaled(tile, upscale)), null, "move");
          // It may fail while the reader has the progress, before it is awaited.
          made?.catch(() => {});
          return made;
        };
        running = call(tiles[0]);
        for (const [i, tile] of tiles.entries()) {
          const outputs = (await running)?.outputs ?? {};
          const piece = floats(outputs["output"]);
          // The next tile is computed while this one is written.
          running = call(tiles[i + 1]);
          // A tile of the residual is read only before the same tile of the sum is written, so the sum reuses its arrays.
          output ??= planes(
            map.height * stage.scale,
            map.width * stage.scale,
            piece.shape[1] ?? 1,
            stage.addsResidual ? residual?.channels : [],
          );
          const moments = { mean: floats(outputs["tile_mean"]), spread: floats(outputs["tile_spread"]) };
          paste(output, scaled(scaled(tile, upscale), stage.scale), piece, moments);
          yield { done: ++done, total: stages.length * tiles.length };
        }
      } finally {
        // A reader may have left while the next tile is computed.
        await running?.catch(() => {});
        await session.release();
      }
      map = output ?? map;
      if (stage.addsResidual) residual = null;
      upscale *= stage.scale;
    }
    return fromPlanes(map);
  };
}

/** Inputs of a stage's graph for one tile. */
function feedsFor(stage: DecoderStage, map: Planes, residual: Planes | null, tile: ReturnType<typeof scaled>) {
  const around = expanded(tile, 1);
  return {
    map: crop(map, around),
    ...(stage.groups !== null && {
      ...statistics(map, stage.groups, AUTOENCODER_EPSILON),
      mask: insideMask(map.height, map.width, around),
    }),
    ...(stage.addsResidual && residual && { residual: crop(residual, tile) }),
  };
}

/** AutoencoderTiny: it has no norms and a small receptive field, so each tile is decoded in a window with that margin. */
export function windowedDecoder(
  config: TinyAutoencoderConfig,
  run: (latents: FloatTensor) => Promise<FloatTensor>,
): TiledDecoder {
  const { scaleFactor, pixelChannels } = config;
  return async function* (latents, side) {
    const whole = toPlanes(latents);
    const { height, width } = whole;
    const image = planes(height * scaleFactor, width * scaleFactor, pixelChannels);
    const tiles = tilesOf(height, width, side);
    for (const [i, tile] of tiles.entries()) {
      const window = windowAround(tile, height, width, receptiveField(config));
      const decoded = toPlanes(await run(crop(whole, window)));
      const within = { ...tile, top: tile.top - window.top, left: tile.left - window.left };
      paste(image, scaled(tile, scaleFactor), crop(decoded, scaled(within, scaleFactor)));
      yield { done: i + 1, total: tiles.length };
    }
    return fromPlanes(image);
  };
}

const mapOf = async (session: Session, feeds: Readonly<Record<string, Tensor>>): Promise<FloatTensor> =>
  floats((await session.run(feeds)).outputs["output"]);
