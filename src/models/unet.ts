/** Graph of the UNet of Stable Diffusion and SDXL (diffusers' UNet2DConditionModel), from its config and with the checkpoint's names. */

import { type Builder, createBuilder, type Graph, known, type Value } from "../graph/index.js";
import type { DrawingWeights } from "./drawing.js";

import { sinusoid } from "./embedding.js";
import { conv, groupNorm, layerNorm, linear, linearRows, scope, toImage, toTokens, type Weights } from "./layers.js";
import { resnet } from "./resnet.js";
import type { AttentionConfig, BlockConfig, UNetConfig } from "./unet-config.js";

/** Values that all blocks of a UNet share. */
interface UNetContext {
  readonly g: Builder;
  readonly c: UNetConfig;
  /** Activated time embedding [B, E]. */
  readonly temb: Value;
  /** Text conditioning [B, L, D]. */
  readonly context: Value;
}

/** Everything but the config that a UNet's graph depends on. */
export interface UNetShape {
  /** Latent height and width. */
  readonly height: number;
  readonly width: number;
  /** Length of the text conditioning, L. */
  readonly tokens: number;
}

/**
 * Builds the graph.
 *
 * Inputs: sample [B, C, H, W]; timestep [B]; encoder_hidden_states [B, L, D]; with text_time text_embeds [B, P] and time_ids [B, 6];
 * with time_cond_proj_dim timestep_cond [B, G]. Output: prediction [B, C′, H, W].
 * @throws WeightMissingError, WeightShapeError when the weights do not match the config
 */
export function drawUNet(c: UNetConfig, index: DrawingWeights, { height, width, tokens }: UNetShape): Graph {
  const g = createBuilder();
  const w = scope(g, index);
  const sample = g.input("sample", ["B", c.inChannels, height, width]);
  const temb = g.silu(timeEmbedding(g, c, w));
  const context = g.input("encoder_hidden_states", ["B", tokens, c.contextFeatures]);
  const u: UNetContext = { g, c, temb, context };

  let x = conv(g, w.at("conv_in"), sample, c.down[0]?.channels ?? 1, { kernel: c.convInKernel });
  const skips = [x];
  for (const [i, block] of c.down.entries()) {
    x = downBlock(u, w.at("down_blocks").at(i), x, block, skips);
  }
  if (c.mid) x = midBlock(u, w.at("mid_block"), x, c.mid);
  for (const [i, block] of c.up.entries()) {
    x = upBlock(u, w.at("up_blocks").at(i), x, block, skips);
  }
  x = g.silu(groupNorm(g, w.at("conv_norm_out"), x, c.groups, c.epsilon));
  return g.finish({ prediction: conv(g, w.at("conv_out"), x, c.outChannels, { kernel: c.convOutKernel }) });
}

/** Embedding of the timestep, and where the config has them of the guidance scale, the pooled text and the image sizes: [B, E]. */
function timeEmbedding(g: Builder, c: UNetConfig, w: Weights): Value {
  const mlp = (w: Weights, x: Value) =>
    linear(g, w.at("linear_2"), g.silu(linear(g, w.at("linear_1"), x, c.timeFeatures)), c.timeFeatures);
  const timestep = g.input("timestep", ["B"]);
  let t = sinusoid(g, g.reshape(timestep, ["B", 1]), c.time);
  if (c.guidanceFeatures !== null) {
    const guidance = g.input("timestep_cond", ["B", c.guidanceFeatures]);
    t = g.add(t, linear(g, w.at("time_embedding").at("cond_proj"), guidance, c.time.features, { bias: false }));
  }
  const emb = mlp(w.at("time_embedding"), t);
  if (!c.textTime) return emb;
  const { sinusoid: size, features } = c.textTime;
  const ids = 6;
  const pooled = g.input("text_embeds", ["B", features - ids * size.features]);
  const flat = g.reshape(g.input("time_ids", ["B", ids]), ["B", ids, 1]);
  const each = Array.from({ length: ids }, (_, i) =>
    sinusoid(g, g.reshape(g.slice(flat, 1, i, i + 1), ["B", 1]), size),
  );
  return g.add(emb, mlp(w.at("add_embedding"), g.concat([pooled, ...each], 1)));
}

/** Down block: residual and attention layers, then a downsampler. Every output is pushed to `skips`. */
function downBlock(u: UNetContext, w: Weights, input: Value, block: BlockConfig, skips: Value[]): Value {
  let x = input;
  for (let i = 0; i < block.layers; i++) {
    x = layer(u, w, i, x, block);
    skips.push(x);
  }
  if (!block.resamples) return x;
  const p = u.c.downsamplePadding;
  const down = w.at("downsamplers").at(0).at("conv");
  // Padding 0 pads one row at the bottom and one column at the right (diffusers' Downsample2D).
  x = conv(u.g, down, x, block.channels, { stride: 2, pads: p === 0 ? [0, 0, 1, 1] : [p, p, p, p] });
  skips.push(x);
  return x;
}

/** Middle block: residual, transformer, residual; without attention a single residual block. */
function midBlock(u: UNetContext, w: Weights, input: Value, mid: NonNullable<UNetConfig["mid"]>): Value {
  const x = residual(u, w.at("resnets").at(0), input, mid.channels);
  if (!mid.attention) return x;
  const attended = transformer(u, w.at("attentions").at(0), x, mid.attention, mid.attention.depths[0] ?? 1);
  return residual(u, w.at("resnets").at(1), attended, mid.channels);
}

/** Up block: layers that each concatenate one skip connection, then an upsampler to the size of the next skip. */
function upBlock(u: UNetContext, w: Weights, input: Value, block: BlockConfig, skips: Value[]): Value {
  let x = input;
  for (let i = 0; i < block.layers; i++) {
    const skip = skips.pop();
    if (!skip) throw new RangeError("the up blocks have more layers than the down blocks have outputs");
    x = layer(u, w, i, u.g.concat([x, skip], 1), block);
  }
  if (!block.resamples) return x;
  // Doubling does not restore an odd size, so the size is taken from the next skip.
  const [, , height, width] = skips.at(-1)?.shape ?? [];
  x = u.g.resizeNearest(x, known(height), known(width));
  return conv(u.g, w.at("upsamplers").at(0).at("conv"), x, block.channels);
}

function layer(u: UNetContext, w: Weights, i: number, x: Value, block: BlockConfig): Value {
  const y = residual(u, w.at("resnets").at(i), x, block.channels);
  if (!block.attention) return y;
  return transformer(u, w.at("attentions").at(i), y, block.attention, block.attention.depths[i] ?? 1);
}

function residual({ g, c, temb }: UNetContext, w: Weights, x: Value, channels: number): Value {
  return resnet(g, w, x, { channels, groups: c.groups, epsilon: c.epsilon, temb });
}

/** Transformer over the positions of x [B, C, H, W] → same (diffusers' Transformer2DModel; Rombach et al. 2022, appendix E). */
function transformer(u: UNetContext, w: Weights, x: Value, a: AttentionConfig, depth: number): Value {
  const { g, c } = u;
  const [, channels, height, width] = x.shape.map((d, i) => (i === 0 ? 0 : known(d)));
  const size = channels ?? 1;
  // Projections that are 1×1 convolutions have the same weights as linear layers over tokens.
  let h = linear(g, w.at("proj_in"), toTokens(g, groupNorm(g, w.at("norm"), x, c.groups, 1e-6)), size);
  for (let i = 0; i < depth; i++) h = transformerBlock(u, w.at("transformer_blocks").at(i), h, a);
  h = linear(g, w.at("proj_out"), h, size);
  return g.add(x, toImage(g, h, height ?? 1, width ?? 1));
}

/** Self-attention, cross-attention and gated feed-forward, each with a residual connection. x [B, L, D] → same. */
function transformerBlock({ g, context }: UNetContext, w: Weights, input: Value, a: AttentionConfig): Value {
  let x = input;
  const first = layerNorm(g, w.at("norm1"), x);
  x = g.add(x, attention(g, w.at("attn1"), first, a.onlyCross ? context : first, a.heads));
  x = g.add(x, attention(g, w.at("attn2"), layerNorm(g, w.at("norm2"), x), context, a.heads));
  return g.add(x, feedForward(g, w.at("ff"), layerNorm(g, w.at("norm3"), x)));
}

/** Multi-head attention (Vaswani et al. 2017, §3.2.2). x [B, L, D], context [B, M, E] → [B, L, D]. */
function attention(g: Builder, w: Weights, x: Value, context: Value, heads: number): Value {
  const size = known(x.shape[2]);
  const q = linear(g, w.at("to_q"), x, size, { bias: false });
  const k = linear(g, w.at("to_k"), context, size, { bias: false });
  const v = linear(g, w.at("to_v"), context, size, { bias: false });
  return linear(g, w.at("to_out").at(0), g.attention(q, k, v, { heads }), size);
}

/** Feed-forward with GEGLU (Shazeer 2020). The halves of its projection are two linear layers, which avoids a split of the output. */
function feedForward(g: Builder, w: Weights, x: Value): Value {
  const size = known(x.shape[2]);
  const proj = w.at("net").at(0).at("proj");
  const hidden = linearRows(g, proj, x, 8 * size, 0, 4 * size);
  const gate = linearRows(g, proj, x, 8 * size, 4 * size, 8 * size);
  return linear(g, w.at("net").at(2), g.mul(hidden, g.gelu(gate)), size);
}
