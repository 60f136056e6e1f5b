import { writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RequestError } from "../../src/errors.js";
import type { PromptedAttribute } from "../../src/evaluation/index.js";
import type { ClipScorer } from "../../src/instruments/index.js";
import { embeddedAttributes, readAttributes } from "../../src/measure/attributes.js";
import { refusals, type SelfCheckCost, selfCheck } from "../../src/measure/self-check.js";
import { type OpenedPair, openClip, openPair } from "../../src/open/index.js";
import { temporaryFolder } from "../support/folder.js";

/** What CLIP does not see, although captions name the smile. */
const UNSEEN = {
  smile: { template: "a {} cartoon character", values: ["sad", "calm", "smiling"] },
  "eye size": { template: "a cartoon character with {} eyes", values: ["small", "medium", "big"] },
};

describe("a self-check on the embedded pair", () => {
  let [pair, clip]: [OpenedPair | undefined, ClipScorer | undefined] = [undefined, undefined];
  let attributes: PromptedAttribute[] = [];
  const opened = () => {
    if (!pair || !clip) throw new Error("not opened");
    return { pair, clip };
  };
  beforeAll(async () => {
    pair = await openPair({ threads: 1 });
    clip = await openClip("embedded:clip", pair.engine.runtime);
    const file = path.join(temporaryFolder(), "unseen.json");
    writeFileSync(file, JSON.stringify(UNSEEN));
    const seen = (await embeddedAttributes()).filter((a) => ["color", "hat"].includes(a.name));
    attributes = [...(await readAttributes(file)), ...seen];
  });
  afterAll(async () => {
    await pair?.close();
  });

  it("refuses smile and eye size by name and number, and keeps colour and hat", { timeout: 240_000 }, async () => {
    const costs: SelfCheckCost[] = [];
    const {
      attributes: kept,
      predictors,
      check,
    } = await selfCheck(opened().pair, opened().clip, attributes, {
      onCost: (cost) => costs.push(cost),
    });
    expect(costs).toEqual([{ values: 19, images: 76, steps: 4, mode: "distilled" }]);
    expect(kept.map((a) => a.name)).toEqual(["color", "hat"]);
    expect([...predictors.keys()]).toEqual(["color", "hat"]);
    for (const { name, accuracy, images } of check?.attributes ?? []) {
      expect(images, name).toBe(4 * (attributes.find((a) => a.name === name)?.values.length ?? 0));
      if (name === "color" || name === "hat") expect(accuracy, name).toBeGreaterThan(0.9);
      else expect(accuracy, name).toBeLessThan(0.8);
    }
    const [smile = "", size = ""] = refusals(check);
    expect(smile).toMatch(/^smile is not measured: .* 0\.\d\d of 12 images .* at least 0\.8/);
    expect(size).toMatch(/^eye size is not measured/);

    // The result is read again for the same attributes and model only.
    const file = path.join(temporaryFolder(), "self-check.json");
    writeFileSync(file, JSON.stringify(check));
    const again = await selfCheck(opened().pair, opened().clip, attributes, { images: file });
    expect(again.check).toEqual(check);
    await expect(selfCheck(opened().pair, opened().clip, kept, { images: file })).rejects.toThrow(RequestError);
  });
});
