import { describe, expect, it } from "vitest";
import { findingOf } from "../../src/cli/finding.js";
import type { Variety, VarietyMeasure } from "../../src/evaluation/index.js";

const variety = (
  share: number,
  interval: readonly [number, number] | null,
  measure: VarietyMeasure = "clip",
): Variety => ({
  measure,
  distance: { mean: share / 2, low: null, high: null, n: 8 },
  perPrompt: [share / 2],
  share: { mean: share, low: interval?.[0] ?? null, high: interval?.[1] ?? null, n: 1 },
});
const sample = { steps: 4, prompts: 6, seeds: 8 };

describe("the finding of a comparison", () => {
  it("says how much variety each model keeps, and claims no difference within noise", () => {
    const [first, second] = findingOf({
      ...sample,
      distilled: variety(0.6, [0.5, 0.7]),
      hybrid: variety(0.96, [0.9, 1.02]),
    });
    expect(first).toBe(
      "The four-step model keeps 60 % of the base's variety; the hybrid keeps 96 % (no difference from the base beyond noise).",
    );
    expect(second).toBe(
      "Variety: mean CLIP distance between the 8 images of each prompt, mean over 6 prompts. Intervals are over prompts.",
    );
  });

  it("says has where a model has more than the base, and names other step counts", () => {
    const [first] = findingOf({
      ...sample,
      steps: 12,
      distilled: variety(1.3, [1.1, 1.5]),
      hybrid: variety(0.8, [0.7, 0.9]),
    });
    expect(first).toBe("The 12-step model has 130 % of the base's variety; the hybrid keeps 80 %.");
  });

  it("gives means without an interval for fewer than five prompts", () => {
    const at = { steps: 4, distilled: variety(0.6, [0.5, 0.7]), hybrid: variety(1, [0.9, 1.1]) };
    expect(findingOf({ ...at, prompts: 1, seeds: 8 })[1]).toMatch(
      /fewer than 5 prompts.*this prompt, without an interval/,
    );
    expect(findingOf({ ...at, prompts: 4, seeds: 8 })[1]).toMatch(/these prompts, without an interval/);
  });

  it("says what pixels do not show", () => {
    const at = { distilled: variety(0.6, [0.5, 0.7], "pixels"), hybrid: variety(1, [0.9, 1.1], "pixels") };
    expect(findingOf({ ...sample, ...at })[1]).toMatch(
      /pixel distance.*not of content.*--clip.*--resume kept have none/,
    );
    const latents = [0.713, 0.958].map((mean) => ({ mean, low: null, high: null, n: 1 })) as never;
    expect(findingOf({ ...sample, ...at, latents })[1]).toMatch(/ By latents the shares are 71 % and 96 %\.$/);
  });

  it("says why there is no number", () => {
    const none = { measure: "clip", distance: null, perPrompt: [null], share: null } as const;
    expect(findingOf({ ...sample, seeds: 1, distilled: none, hybrid: none })).toEqual([
      expect.stringMatching(/one seed has no distance.*--seeds/),
    ]);
    expect(findingOf({ ...sample, distilled: none, hybrid: none })).toEqual([expect.stringMatching(/all equal/)]);
  });
});
