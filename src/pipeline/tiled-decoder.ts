/** Decodes latents a tile at a time, with the same picture as in one piece: the autoencoder in stages, the tiny one in windows. */
import type { Graph } from "../graph/index.js";
import {
  AUTOENCODER_EPSILON,
  type AutoencoderConfig,
  type DecoderStage,
  decoderStages,
  drawHead,
  type TinyAutoencoderConfig,
  tinyReach,
} from "../models/index.js";
import type { Runtime, Session } from "../runtime/index.js";
import type { FloatTensor, Tensor, WeightIndex } from "../tensor/index.js";
import { floats } from "./conditioning.js";
import type { Precision } from "./precision.js";
import { sessionOf } from "./sessions.js";
import {
  cut,
  inside,
  joined,
  type Planes,
  paste,
  planes,
  planesOf,
  scaled,
  statistics,
  tilesOf,
  widened,
  windowAround,
} from "./tiles.js";

/** Latents of one picture [1, Z, h, w] → picture [1, C, h·f, w·f]; tiles are at most `side` latents long. `signal` stops it between two tiles. */
export type TiledDecoder = (latents: FloatTensor, side: number, signal?: AbortSignal) => Promise<FloatTensor>;

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
  return async (latents, side, signal) => {
    const [, , height = 1, width = 1] = latents.shape;
    const index = await weights();
    let map = planesOf(
      await once(runtime, precision, drawHead(config, index, height, width), (session) => mapOf(session, { latents })),
    );
    const tiles = tilesOf(height, width, side);
    let factor = 1;
    let residual: Planes | null = null;
    for (const stage of decoderStages(config)) {
      if (stage.begins) residual = map;
      const [read, added]: [Planes, Planes | null] = [map, residual];
      const { height: h = 1, width: w = 1 } = scaled(tiles[0] ?? { top: 0, left: 0, height, width }, factor);
      map = await once(runtime, precision, stage.draw(index, h, w), async (session) => {
        let made: Planes | null = null;
        for (const tile of tiles) {
          signal?.throwIfAborted();
          const here = scaled(tile, factor);
          const piece = await mapOf(session, feedsFor(stage, read, added, here));
          // The block's input is read where its sum is written, and nowhere else: its arrays take the sum.
          made ??= planes(
            read.height * stage.grows,
            read.width * stage.grows,
            piece.shape[1] ?? 1,
            stage.adds ? added?.channels : [],
          );
          paste(made, scaled(here, stage.grows), piece);
        }
        return made ?? read;
      });
      if (stage.adds) residual = null;
      factor *= stage.grows;
    }
    return joined(map);
  };
}

function feedsFor(stage: DecoderStage, map: Planes, residual: Planes | null, tile: ReturnType<typeof scaled>) {
  const around = widened(tile, 1);
  return {
    map: cut(map, around),
    ...(stage.groups !== null && {
      ...statistics(map, stage.groups, AUTOENCODER_EPSILON),
      inside: inside(map.height, map.width, around),
    }),
    ...(stage.adds && residual && { residual: cut(residual, tile) }),
  };
}

/** AutoencoderTiny has no norms and looks only so far: windows with that much around each tile. */
export function windowedDecoder(
  config: TinyAutoencoderConfig,
  run: (latents: FloatTensor) => Promise<FloatTensor>,
): TiledDecoder {
  const { factor, pixelChannels } = config;
  return async (latents, side, signal) => {
    const whole = planesOf(latents);
    const { height, width } = whole;
    const picture = planes(height * factor, width * factor, pixelChannels);
    for (const tile of tilesOf(height, width, side)) {
      signal?.throwIfAborted();
      const window = windowAround(tile, height, width, tinyReach(config));
      const made = planesOf(await run(cut(whole, window)));
      const within = { ...tile, top: tile.top - window.top, left: tile.left - window.left };
      paste(picture, scaled(tile, factor), cut(made, scaled(within, factor)));
    }
    return joined(picture);
  };
}

const mapOf = async (session: Session, feeds: Readonly<Record<string, Tensor>>): Promise<FloatTensor> =>
  floats((await session.run(feeds)).outputs["made"]);

/** Loads a graph, works with it, lets it go. */
async function once<T>(
  runtime: Runtime,
  precision: Precision,
  graph: Graph,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const { session } = await sessionOf("decoder", runtime, graph, precision);
  try {
    return await work(session);
  } finally {
    await session.release();
  }
}
