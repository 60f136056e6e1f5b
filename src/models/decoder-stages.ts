/**
 * AutoencoderKL's decoder in stages that can be drawn for a piece of the picture. A group norm looks at the whole picture, everything
 * else of the up blocks one pixel around: cut before every norm, with the norm's statistics as inputs, a stage gives for a piece exactly
 * what the whole decoder gives there.
 */

import { type Builder, createBuilder, type Graph, known, type Value } from "../graph/index.js";
import { type AutoencoderConfig, drawDecoderHead } from "./autoencoder.js";
import type { DrawingWeights } from "./drawing.js";
import { conv, scope, type Weights } from "./layers.js";

/**
 * One stage. Its graph takes `map` [1, C, h + 2, w + 2], a piece of what the last stage made with a pixel around it, zeros outside the
 * picture; with `groups` also `mean` and `deviation` [1, C, 1, 1] of the whole map and `inside` [1, 1, h + 2, w + 2], 1 in the picture and 0
 * around it; with `adds` also `residual` [1, C″, h, w], the same piece of the block's input. Output: `made` [1, C′, h · grows, w · grows].
 */
export interface DecoderStage {
  readonly name: string;
  /** Channels that are normalised together; null where the stage normalises nothing. */
  readonly groups: number | null;
  /** Ends a residual block: the block's input is added. */
  readonly addsResidual: boolean;
  /** The block's input is what this stage reads: it is kept for the one that adds it. */
  readonly keepsInput: boolean;
  readonly scale: 1 | 2;
  draw(index: DrawingWeights, height: number, width: number): Graph;
}

/** Latents [1, Z, h, w] → `made` [1, C, h, w]: everything up to the up blocks, whose attention looks at the whole picture. */
export function drawHead(c: AutoencoderConfig, index: DrawingWeights, height: number, width: number): Graph {
  const g = createBuilder();
  return g.finish({ made: drawDecoderHead(g, c, scope(g, index), height, width) });
}

/** The stages after the head, in order; the last gives the picture. */
export function decoderStages(c: AutoencoderConfig): DecoderStage[] {
  const stages: DecoderStage[] = [];
  const levels = c.channels.toReversed();
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

/** A piece to draw for. */
interface Piece {
  readonly g: Builder;
  readonly c: AutoencoderConfig;
  readonly height: number;
  readonly width: number;
}

/** The pixel around stands in for the padding. */
const VALID = { pads: [0, 0, 0, 0] } as const;

/** A stage that normalises; its weights lie beside the one its name ends with. */
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
      return g.finish({ made: draw(w, { g, c, height, width }) });
    },
  };
}

/** Each pixel four times, then a convolution: of the doubled pixels one ring is enough. */
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
      const ring = g.slice(g.slice(doubled, 2, 1, 2 * height + 3), 3, 1, 2 * width + 3);
      return g.finish({ made: conv(g, scope(g, index, name), ring, channels, VALID) });
    },
  };
}

/** silu of the group norm by given statistics; 0 outside the picture, where a convolution would pad. */
function normal({ g, height, width }: Piece, w: Weights, channels: number): Value {
  const one = [1, channels, 1, 1];
  const x = g.input("map", [1, channels, height + 2, width + 2]);
  const [weight, bias] = [w.get("weight", [channels]), w.get("bias", [channels])].map((v) => g.reshape(v, one));
  if (!weight || !bias) throw new RangeError("a norm has a weight and a bias");
  const scale = g.div(weight, g.input("deviation", one));
  const shift = g.sub(bias, g.mul(g.input("mean", one), scale));
  const y = g.silu(g.add(g.mul(x, scale), shift));
  return g.mul(y, g.input("inside", [1, 1, known(x.shape[2]), known(x.shape[3])]));
}
