/** A sampling request as options of the command line. */
import { methodText, settledMethods } from "./hooks/methods.js";
import type { SamplingRequest } from "./options.js";

/** Options for fields of a request whose value is a number or a word. */
const FLAGS = {
  mode: "--mode",
  switch: "--switch",
  handoff: "--handoff",
  baseGuidance: "--base-guidance",
  baseScheduler: "--base-scheduler",
  baseSteps: "--base-steps",
  baseSpacing: "--base-spacing",
  anchor: "--anchor",
  guidance: "--guidance",
  steps: "--steps",
  scheduler: "--scheduler",
  spacing: "--spacing",
  skip: "--skip",
  chooseBy: "--choose-by",
  chooseFit: "--choose-fit",
  choosePrune: "--choose-prune",
} as const satisfies Partial<Record<keyof SamplingRequest, string>>;

/** Options of the command line for the fields that experiments set. */
export function commandOf(request: SamplingRequest): string[] {
  const { ratio, choose, diversity, switch: rows } = request;
  const plain = Object.entries(FLAGS).flatMap(([name, flag]) => {
    const value = request[name as keyof typeof FLAGS];
    return value === undefined || (name === "switch" && typeof rows === "object") ? [] : [`${flag} ${String(value)}`];
  });
  return [
    ...plain,
    ...(Array.isArray(rows) ? [`--base-rows ${rows.join(",")}`] : []),
    ...(typeof rows === "object" && "sigma" in rows ? [`--switch σ=${rows.sigma}`] : []),
    ...(ratio ? [`--ratio ${ratio.base}:${ratio.distilled}`] : []),
    ...(choose ? [`--choose ${choose.keep}/${choose.of}`] : []),
    ...settledMethods(diversity).map((method) => `--diversity ${methodText(method)}`),
  ];
}
