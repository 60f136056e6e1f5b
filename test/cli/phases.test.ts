import { describe, expect, it } from "vitest";
import { phases } from "../../src/cli/terminal.js";

describe("progress in phases", () => {
  it("begins a bar for each amount of work, so that the time left is that of the phase", () => {
    const shown: [number, number[]][] = [];
    const progress = phases({
      progress(total) {
        const own: number[] = [];
        shown.push([total, own]);
        return { update: (done) => own.push(done), stop: () => {} };
      },
    });
    for (const done of [1, 30_000, 66_816]) progress.update(done, 66_816, "hybrid");
    for (const done of [0, 1]) progress.update(done, 2, "measuring");
    progress.stop();
    expect(shown).toEqual([
      [66_816, [1, 30_000, 66_816]],
      [2, [0, 1]],
    ]);
  });
});
