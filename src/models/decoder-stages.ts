/**
 * AutoencoderKL's decoder as a sequence of stages that run on one tile of the feature map at a time. Group norms depend on the whole map,
 * all other layers of the up blocks on a border of one pixel. The decoder is therefore split before every norm, whose statistics are
 * inputs of the stage: the result for a tile is exactly that of the whole decoder.
 */

import { type Builder, createBuilder, type Graph, known, type Value } from "../graph/index.js";
import { type AutoencoderConfig, drawDecoderHead } from "./autoencoder.js";
import type { DrawingWeights } from "./drawing.js";
import { conv, scope, type Weights } from "./layers.js";

/**
 * One stage. Inputs of its graph: `map` [1, C, h + 2, w + 2], a tile of the previous stage's output with a border of one pixel, zeros
 * outside the image; with `groups` also `mean` and `deviation` [1, C, 1, 1] of the whole map, and `mask` [1, 1, h + 2, w + 2], 1 inside the
 * image and 0 outside; with `addsResidual` also `residual` [1, C″, h, w], the same tile of the residual block's input.
 * Outputs: `output` [1, C′, h · scale, w · scale], and its moments for the norm of the next stage, [1, C′] each: `tile_mean`, and `tile_spread`, the sum of
 * the squared distances from it.
 */
export interface DecoderStage {
  readonly name: string;
  /** Number of groups of the stage's group norm; null without one. */
  readonly groups: number | null;
  /** The stage ends a residual block and adds the block's input. */
  readonly addsResidual: boolean;
  /** The stage begins a residual block: its input is kept for the stage that adds it. */
  readonly keepsInput: boolean;
  /** Size of the output relative to the input tile. */
  readonly scale: 1 | 2;
  /** Builds the graph for tiles of height × width. @throws WeightMissingError, WeightShapeError */
  draw(index: DrawingWeights, height: number, width: number): Graph;
}

/** Graph of the decoder up to its up blocks, which runs on the whole map: `latents` [1, Z, h, w] → `output` [1, C, h, w]; with folded
 * latents [1, s² Z, h, w] → [1, C, s h, s w]. */
export function drawHead(c: AutoencoderConfig, index: DrawingWeights, height: number, width: number): Graph {
  const g = createBuilder();
  return g.finish({ output: drawDecoderHead(g, c, scope(g, index), height, width) });
}

/** Stages after the head, in order. The last one returns the image. */
export function decoderStages(c: AutoencoderConfig): DecoderStage[] {
  const stages: DecoderStage[] = [];
  const levels = c.decoderChannels.toReversed();
  let channels = levels[0] ?? 1;
  for (const [i, out] of levels.entries()) {
    for (let j = 0; j <= c.layers; j++) {
      const at = `decoder.up_blocks.${i}.resnets.${j}`;
      const from = channels;
      stages.push(
        {
          ...stage(`${at}.conv1`, c, (w, p) => conv(p.g, w.at("conv1"), normal(p, w.at("norm1"), from), out, VALID)),
          keepsInput: true,
        },
        {
          ...stage(`${at}.conv2`, c, (w, p) => {
            const h = conv(p.g, w.at("conv2"), normal(p, w.at("norm2"), out), out, VALID);
            const x = p.g.input("residual", [1, from, p.height, p.width]);
            return p.g.add(from === out ? x : conv(p.g, w.at("conv_shortcut"), x, out, { kernel: 1 }), h);
          }),
          addsResidual: true,
        },
      );
      channels = out;
    }
    if (i < levels.length - 1) stages.push(upsampling(`decoder.up_blocks.${i}.upsamplers.0.conv`, out));
  }
  stages.push(
    stage("decoder.conv_out", c, (w, p) =>
      conv(p.g, w.at("conv_out"), normal(p, w.at("conv_norm_out"), channels), c.pixelChannels, VALID),
    ),
  );
  return stages;
}

/** The graph under construction, and the size of its tiles. */
interface Piece {
  readonly g: Builder;
  readonly c: AutoencoderConfig;
  readonly height: number;
  readonly width: number;
}

/** No padding: the border of the tile takes its place. */
const VALID = { pads: [0, 0, 0, 0] } as const;

/** A stage with a group norm. `name` is that of its convolution; `draw` gets the weights of the layer's parent. */
function stage(name: string, c: AutoencoderConfig, draw: (w: Weights, piece: Piece) => Value): DecoderStage {
  return {
    name,
    groups: c.groups,
    addsResidual: false,
    keepsInput: false,
    scale: 1,
    draw(index, height, width) {
      const g = createBuilder();
      const w = scope(g, index, name.slice(0, name.lastIndexOf(".")));
      return finished(g, draw(w, { g, c, height, width }));
    },
  };
}

/** Ends a stage's graph: output [1, C, h, w]. The moments are taken here, by all threads: they would take longer than the convolution outside. */
export function finished(g: Builder, output: Value): Graph {
  const mean = g.mean(output, [2, 3]);
  const away = g.sub(output, g.reshape(mean, [1, known(output.shape[1]), 1, 1]));
  return g.finish({ output, tile_mean: mean, tile_spread: g.sum(g.mul(away, away), [2, 3]) });
}

/** Nearest-neighbour upsampling by 2 and a convolution, which needs a border of one upsampled pixel. */
function upsampling(name: string, channels: number): DecoderStage {
  return {
    name,
    groups: null,
    addsResidual: false,
    keepsInput: false,
    scale: 2,
    draw(index, height, width) {
      const g = createBuilder();
      const x = g.input("map", [1, channels, height + 2, width + 2]);
      const doubled = g.resizeNearest(x, 2 * height + 4, 2 * width + 4);
      const bordered = g.slice(g.slice(doubled, 2, 1, 2 * height + 3), 3, 1, 2 * width + 3);
      return finished(g, conv(g, scope(g, index, name), bordered, channels, VALID));
    },
  };
}

/** SiLU of the group norm with statistics from inputs; 0 outside the image, where a convolution would pad with zeros. */
function normal({ g, height, width }: Piece, w: Weights, channels: number): Value {
  const one = [1, channels, 1, 1];
  const x = g.input("map", [1, channels, height + 2, width + 2]);
  const [weight, bias] = [w.get("weight", [channels]), w.get("bias", [channels])].map((v) => g.reshape(v, one));
  if (!weight || !bias) throw new RangeError("a norm has a weight and a bias");
  const scale = g.div(weight, g.input("deviation", one));
  const shift = g.sub(bias, g.mul(g.input("mean", one), scale));
  const y = g.silu(g.add(g.mul(x, scale), shift));
  return g.mul(y, g.input("mask", [1, 1, known(x.shape[2]), known(x.shape[3])]));
}
