/**
 * Inception-v3 of FID and IS (Szegedy et al. 2015; the TensorFlow weights of 2015-12-05 in the layout of pytorch-fid and
 * torch-fidelity). It differs from torchvision's: average pooling excludes the padding, the last block uses max pooling, 1008 classes.
 */

import { type Builder, createBuilder, type Graph, known, type Value } from "../graph/index.js";
import type { DrawingWeights } from "./drawing.js";

import { linear, perChannel, scope, type Weights } from "./layers.js";

const EPSILON = 1e-3;

type Kernel = number | readonly [number, number];

interface Unit {
  readonly kernel?: Kernel;
  readonly stride?: number;
  /** Pad by half the kernel, which keeps the size; default true for stride 1. */
  readonly pad?: boolean;
}

/** Convolution without bias, batch norm with running statistics, ReLU. x [B, C, H, W] → [B, out, H′, W′]. */
function unit(
  g: Builder,
  w: Weights,
  x: Value,
  out: number,
  { kernel = 1, stride = 1, pad = stride === 1 }: Unit = {},
) {
  const [kh, kw] = typeof kernel === "number" ? [kernel, kernel] : kernel;
  const [ph, pw] = pad ? [(kh - 1) / 2, (kw - 1) / 2] : [0, 0];
  const y = g.conv(x, w.get("conv.weight", [out, known(x.shape[1]), kh, kw]), undefined, {
    stride,
    pads: [ph, pw, ph, pw],
  });
  const bn = (name: string) => w.get(`bn.${name}`, [out]);
  const scale = g.div(bn("weight"), g.sqrt(g.add(bn("running_var"), g.constant([1], Float32Array.of(EPSILON)))));
  const shift = g.sub(bn("bias"), g.mul(bn("running_mean"), scale));
  return g.relu(g.add(g.mul(y, perChannel(g, asRow(g, scale))), perChannel(g, asRow(g, shift))));
}

/** [C] → [1, C]. */
const asRow = (g: Builder, v: Value) => g.reshape(v, [1, known(v.shape[0])]);

/** One unit of a branch: name, output channels, options. */
type Step = readonly [string, number, Unit?];
const chain = (g: Builder, w: Weights, x: Value, steps: readonly Step[]): Value =>
  steps.reduce((y, [name, out, o]) => unit(g, w.at(name), y, out, o), x);

const averaged = (g: Builder, x: Value) => g.averagePool(x, { kernel: 3, stride: 1, pad: 1, countPad: false });

function blockA(g: Builder, w: Weights, x: Value, pooled: number): Value {
  return g.concat(
    [
      chain(g, w, x, [["branch1x1", 64]]),
      chain(g, w, x, [
        ["branch5x5_1", 48],
        ["branch5x5_2", 64, { kernel: 5 }],
      ]),
      chain(g, w, x, [
        ["branch3x3dbl_1", 64],
        ["branch3x3dbl_2", 96, { kernel: 3 }],
        ["branch3x3dbl_3", 96, { kernel: 3 }],
      ]),
      chain(g, w, averaged(g, x), [["branch_pool", pooled]]),
    ],
    1,
  );
}

function blockB(g: Builder, w: Weights, x: Value): Value {
  return g.concat(
    [
      chain(g, w, x, [["branch3x3", 384, { kernel: 3, stride: 2 }]]),
      chain(g, w, x, [
        ["branch3x3dbl_1", 64],
        ["branch3x3dbl_2", 96, { kernel: 3 }],
        ["branch3x3dbl_3", 96, { kernel: 3, stride: 2 }],
      ]),
      g.maxPool(x, { kernel: 3, stride: 2 }),
    ],
    1,
  );
}

function blockC(g: Builder, w: Weights, x: Value, c: number): Value {
  const [flat, tall] = [{ kernel: [1, 7] }, { kernel: [7, 1] }] as const;
  return g.concat(
    [
      chain(g, w, x, [["branch1x1", 192]]),
      chain(g, w, x, [
        ["branch7x7_1", c],
        ["branch7x7_2", c, flat],
        ["branch7x7_3", 192, tall],
      ]),
      chain(g, w, x, [
        ["branch7x7dbl_1", c],
        ["branch7x7dbl_2", c, tall],
        ["branch7x7dbl_3", c, flat],
        ["branch7x7dbl_4", c, tall],
        ["branch7x7dbl_5", 192, flat],
      ]),
      chain(g, w, averaged(g, x), [["branch_pool", 192]]),
    ],
    1,
  );
}

function blockD(g: Builder, w: Weights, x: Value): Value {
  return g.concat(
    [
      chain(g, w, x, [
        ["branch3x3_1", 192],
        ["branch3x3_2", 320, { kernel: 3, stride: 2 }],
      ]),
      chain(g, w, x, [
        ["branch7x7x3_1", 192],
        ["branch7x7x3_2", 192, { kernel: [1, 7] }],
        ["branch7x7x3_3", 192, { kernel: [7, 1] }],
        ["branch7x7x3_4", 192, { kernel: 3, stride: 2 }],
      ]),
      g.maxPool(x, { kernel: 3, stride: 2 }),
    ],
    1,
  );
}

function blockE(g: Builder, w: Weights, x: Value, pool: (x: Value) => Value): Value {
  const split = (y: Value, name: string) => [
    chain(g, w, y, [[`${name}a`, 384, { kernel: [1, 3] }]]),
    chain(g, w, y, [[`${name}b`, 384, { kernel: [3, 1] }]]),
  ];
  return g.concat(
    [
      chain(g, w, x, [["branch1x1", 320]]),
      ...split(chain(g, w, x, [["branch3x3_1", 384]]), "branch3x3_2"),
      ...split(
        chain(g, w, x, [
          ["branch3x3dbl_1", 448],
          ["branch3x3dbl_2", 384, { kernel: 3 }],
        ]),
        "branch3x3dbl_3",
      ),
      chain(g, w, pool(x), [["branch_pool", 192]]),
    ],
    1,
  );
}

/** Side of the input images in pixels. */
export const INCEPTION_SIDE = 299;

/**
 * Builds the graph. Input: image [B, 3, 299, 299] in −1…1, (byte − 128) / 128. Outputs: features [B, 2048] of the last pooling, for FID;
 * logits [B, 1008] without the bias, for the Inception score.
 * @throws WeightMissingError, WeightShapeError
 */
export function drawInception(index: DrawingWeights): Graph {
  const g = createBuilder();
  const w = scope(g, index);
  const at = (name: string) => w.at(name);
  let x = g.input("image", ["B", 3, INCEPTION_SIDE, INCEPTION_SIDE]);
  x = unit(g, at("Conv2d_1a_3x3"), x, 32, { kernel: 3, stride: 2 });
  x = unit(g, at("Conv2d_2a_3x3"), x, 32, { kernel: 3, pad: false });
  x = unit(g, at("Conv2d_2b_3x3"), x, 64, { kernel: 3 });
  x = g.maxPool(x, { kernel: 3, stride: 2 });
  x = unit(g, at("Conv2d_3b_1x1"), x, 80);
  x = unit(g, at("Conv2d_4a_3x3"), x, 192, { kernel: 3, pad: false });
  x = g.maxPool(x, { kernel: 3, stride: 2 });
  x = blockA(g, at("Mixed_5b"), x, 32);
  x = blockA(g, at("Mixed_5c"), x, 64);
  x = blockA(g, at("Mixed_5d"), x, 64);
  x = blockB(g, at("Mixed_6a"), x);
  x = blockC(g, at("Mixed_6b"), x, 128);
  x = blockC(g, at("Mixed_6c"), x, 160);
  x = blockC(g, at("Mixed_6d"), x, 160);
  x = blockC(g, at("Mixed_6e"), x, 192);
  x = blockD(g, at("Mixed_7a"), x);
  x = blockE(g, at("Mixed_7b"), x, (y) => averaged(g, y));
  x = blockE(g, at("Mixed_7c"), x, (y) => g.maxPool(y, { kernel: 3, stride: 1, pad: 1 }));
  const features = g.mean(x, [2, 3]);
  return g.finish({ features, logits: linear(g, at("fc"), features, 1008, { bias: false }) });
}
