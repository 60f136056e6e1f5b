/** Diversity methods on a plan: their hooks on its rows, and what they need of it. */
import { RequestError } from "../errors.js";
import { type Hook, joinsSamples } from "./hooks/hook.js";
import type { Need } from "./hooks/method.js";
import { changeAt, type DiversityMethod, METHODS, methodText } from "./hooks/methods.js";
import { isTwoSided, type ModelName, type Plan, type StepRow } from "./plan.js";

/** Facts of the models of a plan that its methods depend on. */
export interface ModelFacts {
  /** The guidance scale is an input of the network, so that there is no unconditional prediction. */
  embedsGuidance(model: ModelName): boolean;
  /** The distilled model is a LoRA on the base; undefined where that is not known yet. */
  readonly isLora: boolean | undefined;
}

/**
 * A plan with diversity methods, applied in their order. Methods that do nothing leave the plan as it is.
 * @throws RequestError for methods that exclude each other, need what the plan lacks, or have contradicting settings
 */
export function withDiversity(plan: Plan, methods: readonly DiversityMethod[], facts: ModelFacts): Plan {
  checkTogether(methods);
  const lora = needing(methods, "lora");
  if (lora && facts.isLora === false) {
    throw refusal(
      `${lora.method} needs a distilled model that is a LoRA on the base, and this one has weights of its own`,
    );
  }
  let changed = plan;
  for (const method of methods) changed = withMethod(changed, method);
  checkGuidance(plan, changed, methods, facts);
  return changed;
}

/** The first method with this need, of those that are not off. */
const needing = (methods: readonly DiversityMethod[], need: Need): DiversityMethod | undefined =>
  methods.find((asked) => {
    const { needs, off } = METHODS[asked.method];
    return needs.includes(need) && methodText(asked) !== methodText(off);
  });

function withMethod(plan: Plan, method: DiversityMethod): Plan {
  const steps = plan.rows.filter((row) => row.kind === "step");
  const rows = plan.rows.map((row) => {
    if (row.kind === "renoise") return row;
    const { at: level, guidance, model } = row;
    const stepOfModel = steps.filter((step) => step.model === model).indexOf(row);
    const place = { step: steps.indexOf(row), steps: steps.length, stepOfModel, level, guidance, model };
    const change = changeAt(method.method, method, place);
    if (!change) return row;
    const { hook, ...numbers } = change;
    return { ...row, ...numbers, ...(hook && { hooks: [...(row.hooks ?? []), hook] }) };
  });
  return rows.every((row, i) => row === plan.rows[i]) ? plan : { ...plan, rows };
}

/** @throws RequestError for a method that is named twice, and for two that exclude each other */
function checkTogether(methods: readonly DiversityMethod[]): void {
  const names = methods.map(({ method }) => method);
  for (const [i, name] of names.entries()) {
    if (names.indexOf(name) < i) throw refusal(`${name} is given twice; expected it once`);
    const other = names.find((n) => METHODS[name].excludes.includes(n));
    if (other) throw refusal(`${name} and ${other} exclude each other; give one of them`);
  }
}

/** @throws RequestError for a method that needs classifier-free guidance in a plan without it, or where methods leave none */
function checkGuidance(
  before: Plan,
  after: Plan,
  methods: readonly DiversityMethod[],
  { embedsGuidance }: ModelFacts,
): void {
  const method = needing(methods, "guidance");
  const guided = ({ rows }: Plan) =>
    rows.some((row) => row.kind === "step" && isTwoSided(row, embedsGuidance(row.model)));
  const rescaled = after.rows.some(
    (row) => row.kind === "step" && row.guidanceRescale > 0 && hooksOf(row).some(({ kind }) => kind === "apg"),
  );
  if (rescaled) throw refusal("apg and --guidance-rescale both limit the guidance; give one of them");
  if (!method || guided(after)) return;
  throw refusal(
    guided(before)
      ? `${methods.map(methodText).join(" and ")} ${methods.length > 1 ? "leave" : "leaves"} no step with classifier-free guidance; expected at least one`
      : `${method.method} needs classifier-free guidance, and no step has it; set --guidance or --base-guidance above 1`,
  );
}

const refusal = (text: string) => new RequestError(`--diversity: ${text}`, { field: "diversity" });

/**
 * Checks that a prompt has several samples where a method needs them. @param samples number of seeds
 * @throws RequestError
 */
export function checkGroup(methods: readonly DiversityMethod[], samples: number): void {
  const method = needing(methods, "group");
  if (!method || samples > 1) return;
  throw refusal(
    `${method.method} acts between the images of a prompt, and there is one seed; expected at least 2 (-n 4)`,
  );
}

/** True where samples of a prompt depend on each other, so that they run, and are resumed, together. */
export const isGrouped = ({ rows }: Plan): boolean =>
  rows.some((row) => row.kind === "step" && (row.choice !== undefined || hooksOf(row).some(joinsSamples)));

/** Samples to make for those that are missing: where samples of a prompt depend on each other, all of it. */
export const madeAgain = <S extends { readonly prompt: number }>(
  plan: Plan,
  all: readonly S[],
  missing: readonly S[],
): readonly S[] => (isGrouped(plan) ? all.filter((s) => missing.some((m) => m.prompt === s.prompt)) : missing);

/** Hooks of a row; none for most. */
export const hooksOf = ({ hooks = [] }: StepRow): readonly Hook[] => hooks;

/** The hook by which the noise is optimised before a row, with gradients of its network; undefined for none. */
export const noiseOptimisationOf = (row: StepRow) => hooksOf(row).find((hook) => hook.kind === "contrastive-noise");

/** Passes of a row's network for each of its sides: one, and two for each iteration of an optimisation before it, of which one is a gradient. */
export const passesOf = (row: StepRow): number => 1 + 2 * (noiseOptimisationOf(row)?.iterations ?? 0);

/** Hooks of the first row, which change the initial noise. */
export function noiseHooksOf({ rows: [first] }: Plan): readonly Hook[] {
  return first?.kind === "step" ? hooksOf(first) : [];
}
