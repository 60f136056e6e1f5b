import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readFloats } from "../../src/checkpoint/index.js";
import { openWeights } from "../../src/checkpoint/node/index.js";
import { VariegateError } from "../../src/errors.js";
import { temporaryFolder } from "../support/folder.js";

const fixture = (name: string) => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));

describe("PyTorch files", () => {
  it.each(["state.pt", "wrapped.ckpt", "old.pt"])("%s: tensors in place, rearranged ones copied", async (name) => {
    const { weights } = await openWeights(fixture(name));
    const values = async (key: string) => {
      const weight = weights.get(key);
      if (!weight) throw new Error(`${key} is missing`);
      return { shape: weight.shape, in: weight.bytes.in, values: [...(await readFloats(weight))] };
    };
    expect(await values("plain")).toEqual({
      shape: [2, 3, 4],
      in: "source",
      values: Array.from({ length: 24 }, (_, i) => i),
    });
    expect(await values("half")).toEqual({ shape: [2], in: "source", values: [1, -2] });
    expect(await values("bf")).toEqual({ shape: [2], in: "source", values: [3, -0.5] });
    // Rows of arange(12).view(3, 4), turned: columns become rows.
    expect(await values("turned")).toEqual({
      shape: [4, 3],
      in: "memory",
      values: [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11],
    });
    expect(await values("window")).toEqual({ shape: [2, 2], in: "memory", values: [16, 17, 20, 21] });
    expect(await values("shared")).toEqual({ shape: [4], in: "source", values: [5, 6, 7, 8] });
    expect(await values("param")).toEqual({ shape: [1, 1], in: "source", values: [1.5] });
    expect(weights.get("count")?.dtype).toBe("int64");
  });

  it.each<[string, RegExp]>([
    ["evil.pt", /asks for posix\.system; only tensors are read, nothing was run/],
    ["eval.bin", /asks for \w*builtin\w*\.eval/],
    ["new-object.pt", /asks for argparse\.Namespace/],
    ["in-place-of-a-weight.pt", /a\.weight is no tensor/],
    ["two-drawers.pt", /its tensors lie under ema and generator; save one of them alone: torch\.save/],
    ["module.pt", /asks for torch\.nn\.modules\.linear\.Linear/],
    ["list.pt", /something else than a dictionary/],
  ])("refuses %s", async (name, message) => {
    const failure = await openWeights(fixture(name)).catch((e: unknown) => e);
    expect(failure).toBeInstanceOf(VariegateError);
    expect(String(failure)).toMatch(message);
    expect(existsSync("/tmp/variegate-was-here")).toBe(false);
  });

  it("what trainers store beside the weights is not read: classes by name, numpy's numbers, sets", async () => {
    const { weights } = await openWeights(fixture("trainer.ckpt"));
    expect([...weights.keys()]).toEqual(["a.weight"]);
    const weight = weights.get("a.weight");
    expect(weight && [...(await readFloats(weight))]).toEqual([1, 2]);
  });

  it("float8 is read", async () => {
    const { weights } = await openWeights(fixture("float8.pt"));
    for (const name of ["e4m3", "e5m2", "turned"]) {
      const weight = weights.get(name);
      expect(weight && [...(await readFloats(weight))], name).toEqual(name === "turned" ? [1, 3, 2, 4] : [1, 2, 3, 4]);
    }
  });

  it("a damaged file gives its tensors or an error of ours, never another", async () => {
    const whole = readFileSync(fixture("state.pt"));
    const folder = temporaryFolder();
    let serial = 0;
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(255), fc.nat(2 * whole.length), async (at, value, keep) => {
        const bytes = Uint8Array.from(whole);
        bytes[at] = value;
        const file = path.join(folder, `${serial++}.pt`);
        writeFileSync(file, bytes.subarray(0, Math.min(keep, whole.length)));
        try {
          await openWeights(file);
        } catch (error) {
          expect(error).toBeInstanceOf(VariegateError);
        }
      }),
      { numRuns: 400 },
    );
  });
});
