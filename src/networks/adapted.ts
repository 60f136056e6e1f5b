/** Weights of a network with a stack of adapters: layers with LoRA inputs, weights that become inputs, and the tensors of both. */
import type { Stack } from "../adapters/index.js";
import { readFloats } from "../checkpoint/index.js";
import type { DrawingWeights } from "../models/index.js";
import { type FloatTensor, float, type Tensor, type WeightIndex } from "../tensor/index.js";

/** Weights for building a network's graph with a stack of adapters. */
export const adaptedWeights = (index: WeightIndex, stack: Stack | null): DrawingWeights =>
  stack ? { ...index, loraLayers: stack.loraLayers, inputs: stack.mergedWeights } : index;

/** Constant graph inputs by name: LoRA matrices, and weights with adapters merged in. Files are not changed. */
export async function stackInputs(
  index: WeightIndex,
  stack: Stack,
  names: readonly string[],
): Promise<Record<string, Tensor>> {
  const inputs = stack.loraInputs(names);
  for (const name of names) {
    const weight = stack.mergedWeights.has(name) ? index.weights.get(name) : undefined;
    if (weight) inputs[name] = stack.merge(name, float(weight.shape, await readFloats(weight)));
  }
  return inputs;
}

/** Input `adapter_scales` of a batch: scales of each sample's adapters, n × [S] → [n, S]. */
export const adapterScales = (samples: readonly (readonly number[])[]): FloatTensor =>
  float([samples.length, samples[0]?.length ?? 0], Float32Array.from(samples.flat()));
