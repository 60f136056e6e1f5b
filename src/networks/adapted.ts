/** Weights of a network under a stack of adapters: which layers take extra inputs, which weights become inputs, and the tensors of both. */
import { changesBias, changesWeight, mergeLayer, type Stack } from "../adapters/index.js";
import { readFloats } from "../checkpoint/index.js";
import { type FloatTensor, float, type Tensor, type WeightIndex } from "../tensor/index.js";

/** The weights of a network as it is drawn under a stack: which layers take inputs beside them, and which weights are inputs themselves. */
export function adaptedWeights(index: WeightIndex, stack: Stack | null): WeightIndex {
  if (!stack) return index;
  const given = [...stack.merged].flatMap(([layer, changes]) => [
    ...(changes.some(({ delta }) => changesWeight(delta)) ? [`${layer}.weight`] : []),
    ...(changes.some(({ delta }) => changesBias(delta)) ? [`${layer}.bias`] : []),
  ]);
  return { ...index, live: stack.live, given: new Set(given.filter((name) => index.weights.has(name))) };
}

/** What a network drawn under a stack is given with every call: factors, and merged weights worked out from the files, which are not touched. */
export async function stackInputs(
  index: WeightIndex,
  stack: Stack,
  names: readonly string[],
): Promise<Record<string, Tensor>> {
  const inputs = stack.factors(names);
  const read = async (name: string): Promise<FloatTensor | null> => {
    const weight = index.weights.get(name);
    return weight ? float(weight.shape, await readFloats(weight)) : null;
  };
  for (const [layer, changes] of stack.merged) {
    const weight = await read(`${layer}.weight`);
    if (!weight) continue;
    const merged = mergeLayer(changes, weight, await read(`${layer}.bias`));
    if (names.includes(`${layer}.weight`)) inputs[`${layer}.weight`] = merged.weight;
    if (merged.bias && names.includes(`${layer}.bias`)) inputs[`${layer}.bias`] = merged.bias;
  }
  return inputs;
}

/** The input `adapter_scales` of a batch: scales of each sample's adapters, n × [S] → [n, S]. */
export const adapterScales = (samples: readonly (readonly number[])[]): FloatTensor =>
  float([samples.length, samples[0]?.length ?? 0], Float32Array.from(samples.flat()));
