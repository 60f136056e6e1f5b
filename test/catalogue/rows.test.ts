import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { PAIRS, pairNamed } from "../../src/catalogue/index.js";
import { RequestError } from "../../src/errors.js";

describe("pairs", () => {
  it("have names of their own", () => {
    const names = PAIRS.map((p) => p.name);
    expect(new Set(names).size).toBe(names.length);
  });

  it("has the embedded pair in three distillations over one base and the same instruments", () => {
    const [full, lora, lcm] = ["embedded", "embedded-lora", "embedded-lcm"].map((name) => pairNamed(name));
    for (const row of [lora, lcm]) {
      expect(row).toMatchObject({ base: full?.base, clip: full?.clip, judge: full?.judge, trial: full?.trial });
    }
    expect(lcm).toMatchObject({
      distilled: "embedded:consistent",
      guidanceFeatures: 64,
      sampling: { distilled: { scheduler: "LCMScheduler", steps: 4, guidance: 5 } },
    });
  });

  it("has the first two prompts of the card's list as default, not chosen ones", () => {
    const listed = JSON.parse(readFileSync(new URL("../../pair/prompts.json", import.meta.url), "utf8"));
    expect(pairNamed("embedded").prompts).toEqual(listed.slice(0, 2));
  });

  it("offers the nearest names for one that is not there", () => {
    expect(() => pairNamed("lightning")).toThrow(/sdxl-lightning-/);
    expect(() => pairNamed("sdxl-dmd3")).toThrow(/nearest are sdxl-dmd2,/);
    expect(() => pairNamed("nothing like it")).toThrow(RequestError);
  });
});
