/** Decodes latents a tile at a time, with the same picture as in one piece: the autoencoder in stages, the tiny one in windows. */
import type { Graph } from "../graph/index.js";
import {
  AUTOENCODER_EPSILON,
  type AutoencoderConfig,
  type DecoderStage,
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
  tilesOf,
  toPlanes,
  windowAround,
} from "./tiles.js";

/** How many tiles are through, of all stages together. */
export interface TileProgress {
  readonly done: number;
  readonly total: number;
}

/**
 * Latents of one picture [1, Z, h, w] → picture [1, C, h·f, w·f], told tile by tile; tiles are at most `side` latents long. Whoever asks
 * for no more tiles gets its memory back.
 */
export type TiledDecoder = (latents: FloatTensor, side: number) => AsyncGenerator<TileProgress, FloatTensor, undefined>;

/**
 * AutoencoderKL: the part at latent size whole, then stage after stage over all tiles. Between two stages the whole map lies in plain
 * arrays, and its statistics are those of all of it: nothing is approximate, so nothing has to be blended.
 */
export function stagedDecoder(
  runtime: Runtime,
  config: AutoencoderConfig,
  weights: () => Promise<WeightIndex>,
  precision: Precision,
): TiledDecoder {
  return async function* (latents, side) {
    const [, , height = 1, width = 1] = latents.shape;
    const index = await weights();
    const load = async (graph: Graph) => (await sessionOf("decoder", runtime, graph, precision)).session;
    const head = await load(drawHead(config, index, height, width));
    let map = toPlanes(await mapOf(head, { latents }).finally(() => head.release()));
    const tiles = tilesOf(height, width, side);
    const stages = decoderStages(config);
    let [done, factor] = [0, 1];
    let residual: Planes | null = null;
    for (const stage of stages) {
      if (stage.keepsInput) residual = map;
      const { height: h = 1, width: w = 1 } = scaled(tiles[0] ?? { top: 0, left: 0, height, width }, factor);
      const session = await load(stage.draw(index, h, w));
      let made: Planes | null = null;
      try {
        for (const tile of tiles) {
          const here = scaled(tile, factor);
          const piece = await mapOf(session, feedsFor(stage, map, residual, here));
          // The block's input is read where its sum is written, and nowhere else: its arrays take the sum.
          made ??= planes(
            map.height * stage.scale,
            map.width * stage.scale,
            piece.shape[1] ?? 1,
            stage.addsResidual ? residual?.channels : [],
          );
          paste(made, scaled(here, stage.scale), piece);
          yield { done: ++done, total: stages.length * tiles.length };
        }
      } finally {
        await session.release();
      }
      map = made ?? map;
      if (stage.addsResidual) residual = null;
      factor *= stage.scale;
    }
    return fromPlanes(map);
  };
}

function feedsFor(stage: DecoderStage, map: Planes, residual: Planes | null, tile: ReturnType<typeof scaled>) {
  const around = expanded(tile, 1);
  return {
    map: crop(map, around),
    ...(stage.groups !== null && {
      ...statistics(map, stage.groups, AUTOENCODER_EPSILON),
      inside: insideMask(map.height, map.width, around),
    }),
    ...(stage.addsResidual && residual && { residual: crop(residual, tile) }),
  };
}

/** AutoencoderTiny has no norms and looks only so far: windows with that much around each tile. */
export function windowedDecoder(
  config: TinyAutoencoderConfig,
  run: (latents: FloatTensor) => Promise<FloatTensor>,
): TiledDecoder {
  const { scaleFactor: factor, pixelChannels } = config;
  return async function* (latents, side) {
    const whole = toPlanes(latents);
    const { height, width } = whole;
    const picture = planes(height * factor, width * factor, pixelChannels);
    const tiles = tilesOf(height, width, side);
    for (const [i, tile] of tiles.entries()) {
      const window = windowAround(tile, height, width, receptiveField(config));
      const made = toPlanes(await run(crop(whole, window)));
      const within = { ...tile, top: tile.top - window.top, left: tile.left - window.left };
      paste(picture, scaled(tile, factor), crop(made, scaled(within, factor)));
      yield { done: i + 1, total: tiles.length };
    }
    return fromPlanes(picture);
  };
}

const mapOf = async (session: Session, feeds: Readonly<Record<string, Tensor>>): Promise<FloatTensor> =>
  floats((await session.run(feeds)).outputs["made"]);
