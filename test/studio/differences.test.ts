import { describe, expect, it } from "vitest";
import { differences, type Made } from "../../studio/src/differences.js";
import { settingsOf } from "../../studio/src/settings.js";

const made = (seed: number, request: Omit<Parameters<typeof settingsOf>[0], "prompts">): Made => ({
  image: {
    ...{ id: `${seed}`, run: "r", prompt: 0, seed, width: 64, height: 48, bytes: 1, sha256: "", favourite: false },
    ...{ created: "", url: "" },
  },
  settings: settingsOf({ prompts: ["a fox"], ...request }),
});

describe("differences of two images", () => {
  it("name the settings that are not alike, and those that only one has", () => {
    const smile = { ref: "smile", scale: 1.5, on: "base" as const };
    const a = made(3, { mode: "hybrid", switch: 1, adapters: [smile] });
    const b = made(4, { mode: "distilled", size: { width: 64, height: 48 } });
    expect(differences(a, b)).toEqual([
      { name: "seed", values: ["3", "4"] },
      { name: "models", values: ["switch 1", "distilled"] },
      { name: "smile", values: ["1.5, base rows", "–"] },
      { name: "size", values: ["–", '{"width":64,"height":48}'] },
    ]);
    expect(differences(a, a)).toEqual([]);
  });

  it("leave out a slider that is for another image", () => {
    const scale = {
      whole: 2,
      blocks: {},
      rows: [],
      samples: [
        { prompt: 0, seed: 4, scale: 1 },
        { prompt: 0, seed: 3, scale: 0 },
      ],
    };
    const adapters = [{ ref: "smile", scale }];
    expect(differences(made(3, { adapters }), made(3, {}))).toEqual([]);
    expect(differences(made(4, { adapters }), made(4, {}))).toEqual([{ name: "smile", values: ["2", "–"] }]);
  });
});
