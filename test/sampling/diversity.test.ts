import { describe, expect, it } from "vitest";
import { RequestError } from "../../src/errors.js";
import { readMethod } from "../../src/sampling/hooks/methods.js";
import {
  checkGroup,
  type DiversityMethod,
  describePlan,
  isGrouped,
  METHOD_NAMES,
  METHODS,
  type MethodName,
  madeAgain,
  makePlan,
  methodText,
  parsePlan,
  planJson,
  settingsOf,
  settledMethods,
  withDiversity,
} from "../../src/sampling/index.js";
import { scheduler } from "./configs.js";

const plan = (guidance = 0, timesteps = [999, 749, 499, 249]) =>
  makePlan({
    mode: "hybrid",
    switch: 1,
    base: { prediction: "epsilon", guidance },
    distilled: { scheduler: scheduler("LCMScheduler"), timesteps, guidance },
  });
const facts = { embedsGuidance: () => false, isLora: true };
const hooksOf = (text: string, of = plan(5)) =>
  withDiversity(of, [readMethod(text)], facts).rows.map((row) => (row.kind === "step" ? (row.hooks ?? []) : []));
const refusal = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    if (error instanceof RequestError) return error.message;
    throw error;
  }
  return "nothing was refused";
};

describe("every method", () => {
  it.each(METHOD_NAMES)("%s leaves the plan as it is where it is off, and changes it by default", (name) => {
    const before = plan(5);
    expect(withDiversity(before, [METHODS[name].off], facts)).toBe(before);
    const after = withDiversity(before, settledMethods([{ method: name }]), facts);
    expect(JSON.stringify(after)).not.toBe(JSON.stringify(before));
    expect(after.rows.map((row) => row.to)).toEqual(before.rows.map((row) => row.to));
  });

  it.each(METHOD_NAMES)("%s is the same in a plan that was written and read", (name) => {
    const made = withDiversity(plan(5), settledMethods([{ method: name }]), facts);
    expect(parsePlan(JSON.parse(JSON.stringify(planJson(made))), "run.json")).toEqual(made);
  });

  it.each(METHOD_NAMES)("%s states its settings, and reads them as text", (name) => {
    const { about, calls, suits, source } = METHODS[name];
    for (const text of [about, calls, suits, source]) expect(text.length).toBeGreaterThan(2);
    const settings = settingsOf(name);
    expect(settings.length).toBeGreaterThan(0);
    const text = `${name}:${settings.map((s) => `${s.name}=${s.default}`).join(",")}`;
    expect(readMethod(text)).toEqual(readMethod(name));
    expect(methodText(readMethod(text))).toBe(name);
    expect(methodText(METHODS[name].off).startsWith(`${name}:`)).toBe(true);
  });
});

describe("methods on a plan", () => {
  it("cads has less noise at every step, and none where the prompt is clean", () => {
    // Mean of γ over [0.75, 1]: ∫ of (0.9 − t) / 0.3 from 0.75 to 0.9 is 0.0375; over [0.5, 0.75]: 0.1 + 0.15 · 0.75.
    const gammas = hooksOf("cads").map((hooks) => hooks.map((hook) => (hook.kind === "cads" ? hook.gamma : null)));
    expect(gammas.map((row) => row.length)).toEqual([1, 1, 0, 0]);
    expect(gammas[0]?.[0]).toBeCloseTo(0.0375 / 0.25, 12);
    expect(gammas[1]?.[0]).toBeCloseTo((0.1 + 0.1125) / 0.25, 12);
    expect(hooksOf("cads", plan(0, [999])).map((row) => row.length)).toEqual([1]);
  });

  it("embedding-noise acts in the first step for any share above 0", () => {
    expect(hooksOf("embedding-noise").map((row) => row.length)).toEqual([1, 0, 0, 0]);
    expect(hooksOf("embedding-noise:until=0.5").map((row) => row.length)).toEqual([1, 1, 0, 0]);
  });

  it("are combined in their order, and shown in the table of the plan", () => {
    const both = [readMethod("embedding-noise"), readMethod("cads")];
    const made = withDiversity(plan(), both, facts);
    const [first] = made.rows;
    expect(first?.kind === "step" && first.hooks?.map((hook) => hook.kind)).toEqual(["embedding-noise", "cads"]);
    const { columns, rows } = describePlan(made);
    expect(columns.at(-1)).toBe("diversity");
    expect(rows.map((row) => row.at(-1))[1]).toBe("cads (gamma 0.85, scale 0.25, mix 1)");
    expect(describePlan(plan()).columns).not.toContain("diversity");
  });
});

describe("methods on the numbers of rows", () => {
  const guidances = (text: string) =>
    withDiversity(plan(5), [readMethod(text)], facts).rows.map((row) => (row.kind === "step" ? row.guidance : null));

  it("guide the steps of an interval of noise levels, and late steps", () => {
    // σ/α of the rows: 14.6, 4.08, 1.6, 0.6 (SD's betas at 999, 749, 499, 249).
    expect(guidances("interval")).toEqual([1, 5, 5, 5]);
    expect(guidances("interval:low=1,high=5")).toEqual([1, 5, 5, 1]);
    expect(guidances("late-guidance")).toEqual([1, 5, 5, 5]);
    expect(guidances("late-guidance:skip=3")).toEqual([1, 1, 1, 5]);
  });

  it("are refused where they leave no guided step, or decide the same", () => {
    const refused = (...texts: string[]) => refusal(() => withDiversity(plan(5), texts.map(readMethod), facts));
    expect(refused("late-guidance:skip=4")).toBe(
      "--diversity: late-guidance:skip=4 leaves no step with classifier-free guidance; expected at least one",
    );
    expect(refused("interval", "late-guidance")).toContain("interval and late-guidance exclude each other");
    expect(refused("spread", "antithetic")).toContain("exclude each other");
    expect(refused("interval:low=5,high=2")).toContain("low is 5 and high 2");
  });

  it("scale the distilled LoRA in its own first steps", () => {
    const scales = (text: string) =>
      withDiversity(plan(), [readMethod(text)], facts).rows.map((row) => (row.kind === "step" ? row.loraScale : 0));
    expect(scales("partial-lora")).toEqual([undefined, 0.5, undefined, undefined]);
    expect(scales("partial-lora:scale=0,steps=2")).toEqual([undefined, 0, 0, undefined]);
    const made = withDiversity(plan(), [readMethod("partial-lora")], facts);
    expect(describePlan(made).rows[1]?.[1]).toBe("distilled (LoRA × 0.5)");
  });

  it("apg is refused beside a guidance rescale", () => {
    const rescaled = makePlan({
      mode: "distilled",
      distilled: { scheduler: scheduler("DDIMScheduler"), steps: 3, guidance: 5, guidanceRescale: 0.5 },
    });
    expect(refusal(() => withDiversity(rescaled, [readMethod("apg")], facts))).toContain("--guidance-rescale");
  });
});

describe("methods between the samples of a prompt", () => {
  it("mark the plan as one whose samples run together", () => {
    const grouped = (text: string) => isGrouped(withDiversity(plan(5), [readMethod(text)], facts));
    expect(METHOD_NAMES.filter(grouped)).toEqual(METHOD_NAMES.filter((name) => METHODS[name].needs.includes("group")));
  });

  it("have all samples of a prompt made again where one is missing", () => {
    const all = [0, 1].flatMap((prompt) => [5, 6].map((seed) => ({ prompt, seed })));
    const missing = [{ prompt: 1, seed: 6 }];
    expect(madeAgain(plan(), all, missing)).toEqual(missing);
    const grouped = withDiversity(plan(), [readMethod("particles")], facts);
    expect(madeAgain(grouped, all, missing)).toEqual(all.slice(2));
    expect(madeAgain(grouped, all, [])).toEqual([]);
  });
});

describe("a method that makes no sense is refused in one line", () => {
  it.each([
    ["cdas", '"cdas" is no diversity method; did you mean cads? (variegate methods lists them)'],
    ["blur", /^"blur" is no diversity method; expected one of cads, embedding-noise/],
    ["cads:taus=1", "cads has no setting taus; it has scale, tau1, tau2, mix"],
    ["cads:scale=-1", "cads: scale is -1; expected a number from 0 to 10"],
    ["cads:scale=much", "cads: scale is much; expected a number from 0 to 10"],
    ["cads:scale", 'cads: "scale" is no setting; expected setting=value, such as scale=0.25'],
    ["cads:scale=1,scale=2", "cads: scale is given twice"],
    ["embedding-noise:unit=volt", "embedding-noise: unit is volt; expected one of deviation, absolute"],
  ])("%s", (text, message) => {
    expect(refusal(() => readMethod(text))).toMatch(message);
  });

  it("twice, and with contradicting settings", () => {
    const twice = settledMethods([{ method: "cads" }, { method: "cads", scale: 1 }]);
    expect(refusal(() => withDiversity(plan(), twice, facts))).toBe(
      "--diversity: cads is given twice; expected it once",
    );
    const crossed = settledMethods([{ method: "cads", tau1: 0.9, tau2: 0.3 }]);
    expect(refusal(() => withDiversity(plan(), crossed, facts))).toContain("tau1 is 0.9, above tau2 0.3");
  });

  const needing = (need: string): readonly [MethodName, DiversityMethod][] =>
    METHOD_NAMES.filter((name) => METHODS[name].needs.some((n) => n === need)).map((name) => [name, readMethod(name)]);

  it("without the guidance that it needs", () => {
    for (const [name, method] of needing("guidance")) {
      const message = `${name} needs classifier-free guidance, and no step has it`;
      expect(refusal(() => withDiversity(plan(0), [method], facts))).toContain(message);
      expect(refusal(() => withDiversity(plan(5), [method], { ...facts, embedsGuidance: () => true }))).toContain(
        message,
      );
    }
  });

  it("on a distilled model with weights of its own where it needs a LoRA", () => {
    const [[name, method] = []] = needing("lora");
    if (!method) throw new Error("no method needs a LoRA");
    const refused = (isLora: boolean | undefined) =>
      refusal(() => withDiversity(plan(), [method], { ...facts, isLora }));
    expect(refused(false)).toContain(`${name} needs a distilled model that is a LoRA`);
    expect(refused(undefined)).toBe("nothing was refused");
  });

  it("with one seed where it acts between the images of a prompt", () => {
    for (const [name, method] of needing("group")) {
      expect(refusal(() => checkGroup([method], 1))).toContain(`${name} acts between the images of a prompt`);
      expect(() => checkGroup([method], 2)).not.toThrow();
    }
    expect(() => checkGroup([readMethod("cads")], 1)).not.toThrow();
  });
});
