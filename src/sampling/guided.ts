/** Outputs of a row's network after its hooks: the guided prediction of one sample, and those of all samples of a prompt. */
import type { FloatTensor } from "../tensor/index.js";
import { guide, limited, tokenNormed } from "./guidance.js";
import { apg } from "./hooks/apg.js";
import { type FeaturePull, joinsSamples, separated } from "./hooks/hook.js";
import { combine } from "./linear.js";
import { outputAt, predict } from "./parameterisation.js";
import type { StepRow } from "./plan.js";

/** Both predictions of a sample, and its latents, [1, C, h, w]. */
export interface GuidanceInput {
  readonly xt: FloatTensor;
  readonly cond: FloatTensor;
  readonly uncond: FloatTensor;
  /** Momentum of the row before, for projected guidance; null at the first. */
  readonly momentum: FloatTensor | null;
}

/** The guided output [1, C, h, w]: classifier-free guidance, or the method of the row's hooks. */
export function guided(
  row: StepRow,
  { xt, cond, uncond, momentum }: GuidanceInput,
): { readonly output: FloatTensor; readonly momentum: FloatTensor | null } {
  const hook = row.hooks?.find((each) => each.kind === "apg");
  if (!hook) {
    const combined = guide(cond, uncond, row.guidance, row.guidanceRescale);
    const { guidanceNormalization: most, guidanceTokens: side } = row;
    const output = side === undefined ? combined : tokenNormed(combined, cond, side);
    return { output: most === undefined ? output : limited(output, cond, most), momentum };
  }
  const x0 = (output: FloatTensor) => predict(row.prediction, row.at, xt, output).x0;
  const made = apg(hook, x0(cond), x0(uncond), row.guidance, momentum);
  return { output: outputAt(row.prediction, row.at, xt, made.x0), momentum: made.momentum };
}

/** Outputs for the samples of a prompt, with x0 changed by the row's hooks. Without such hooks they are as given. @param pull for hooks in image features */
export async function groupOutputs(
  row: StepRow,
  group: readonly { readonly xt: FloatTensor; readonly output: FloatTensor }[],
  pull: FeaturePull,
): Promise<FloatTensor[]> {
  const hooks = row.hooks ?? [];
  if (!hooks.some(joinsSamples)) return group.map(({ output }) => output);
  const x0 = group.map(({ xt, output }) => predict(row.prediction, row.at, xt, output).x0);
  const changed = await separated(hooks, x0, pull);
  return group.map(({ xt, output }, i) => {
    const [before, after] = [x0[i], changed[i]];
    return !after || before === after ? output : outputAt(row.prediction, row.at, xt, combine([1, after]));
  });
}
