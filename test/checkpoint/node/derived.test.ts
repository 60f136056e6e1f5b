import { spawn } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { beforeEach, describe, expect, it } from "vitest";
import { type Derivation, safetensors } from "../../../src/checkpoint/index.js";
import { derivedFolder, deriveInFile, openWeights } from "../../../src/checkpoint/node/index.js";
import { readFloats } from "../../../src/checkpoint/weights.js";
import { FileError } from "../../../src/errors.js";
import { float, type Weight } from "../../../src/tensor/index.js";
import { temporaryFolder } from "../../support/folder.js";

const DERIVER = fileURLToPath(new URL("../../support/deriver.ts", import.meta.url));

let source = "";
beforeEach(() => {
  const folder = temporaryFolder();
  process.env["XDG_CACHE_HOME"] = folder;
  source = path.join(folder, "source.safetensors");
  writeFileSync(
    source,
    safetensors({ a: float([2, 3], Float32Array.of(1, 2, 3, 4, 5, 6)), b: float([4], Float32Array.of(-1, 0, 0.5, 8)) }),
  );
});

/** Twice each weight's values, and how often that was worked out. */
async function doubling() {
  const { weights } = await openWeights(source);
  let made = 0;
  const derivations = [...weights.values()].map(
    (from): Derivation => ({
      from,
      by: "doubled",
      makes: [{ name: from.name, dtype: "float32", shape: from.shape }],
      make: (values) => {
        made++;
        return [new Uint8Array(values.map((v) => 2 * v).buffer)];
      },
    }),
  );
  return { derivations, made: () => made };
}
async function valuesOf(weights: ReadonlyMap<string, Weight>) {
  const values: Record<string, number[]> = {};
  for (const [name, weight] of weights) values[name] = [...(await readFloats(weight))];
  return values;
}
const DOUBLED = { a: [2, 4, 6, 8, 10, 12], b: [-2, 0, 1, 16] };

describe("derive", { timeout: 240_000 }, () => {
  it("makes a file once for calls at the same time, all of which succeed", async () => {
    const { derivations, made } = await doubling();
    const progress: [number, number][][] = [[], [], []];
    const all = await Promise.all(
      progress.map((seen) => deriveInFile(derivations, (done, total) => void seen.push([done, total]))),
    );
    for (const weights of all) expect(await valuesOf(weights)).toEqual(DOUBLED);
    expect(made()).toBe(2);
    // 6 and 4 float32 values.
    for (const seen of progress)
      expect(seen).toEqual([
        [24, 40],
        [40, 40],
      ]);
    expect(await valuesOf(await deriveInFile(derivations))).toEqual(DOUBLED);
    expect(made()).toBe(2);
    expect(readdirSync(derivedFolder())).toHaveLength(1);
  });

  it("makes a file once for processes at the same time", async () => {
    const log = path.join(temporaryFolder(), "made");
    const ended = await Promise.all(
      Array.from(
        { length: 3 },
        () =>
          new Promise((resolve) => {
            spawn(process.execPath, ["--import", "tsx", DERIVER, source, log], { stdio: "inherit" }).on(
              "exit",
              resolve,
            );
          }),
      ),
    );
    expect(ended).toEqual([0, 0, 0]);
    expect(readFileSync(log, "utf8").trim().split("\n").sort()).toEqual(["a", "b"]);
    expect(readdirSync(derivedFolder())).toHaveLength(1);
  });

  it("tries again after a failure, and removes what a killed process left", async () => {
    const { derivations } = await doubling();
    const broken = derivations.map((d) => ({
      ...d,
      make: () => {
        throw new FileError(source, "spoilt");
      },
    }));
    await expect(deriveInFile(broken)).rejects.toBeInstanceOf(FileError);
    expect(readdirSync(derivedFolder())).toEqual([]);
    await deriveInFile(derivations);
    const [name = ""] = readdirSync(derivedFolder());
    rmSync(path.join(derivedFolder(), name));
    writeFileSync(path.join(derivedFolder(), `.${name}.${2 ** 22 + 1}-0123abcd.partial`), "half");
    expect(await valuesOf(await deriveInFile(derivations))).toEqual(DOUBLED);
    expect(readdirSync(derivedFolder())).toEqual([name]);
  });

  it("says which folder cannot be written, and what to set", async () => {
    const { derivations } = await doubling();
    process.env["XDG_CACHE_HOME"] = source;
    const error = await deriveInFile(derivations).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(FileError);
    expect(String(error)).toMatch(/\(ENOTDIR\); set XDG_CACHE_HOME/);
  });
});
