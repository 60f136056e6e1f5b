import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";
import { openPair, sourceFiles } from "../../src/open/index.js";

const pair = await openPair({}, { threads: 1 });
afterAll(() => pair.close());
const fixture = (name: string) => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

// Float8 tensors are converted when read, so that their places in memory are not those in the file.
it.each(["eight-bit-floats/small.safetensors", "norm-layers/trained.safetensors"])(
  "hashes the tensors of a LoRA behind its header, as A1111 does: %s",
  async (name) => {
    const ref = fixture(name);
    const files = await sourceFiles(pair, { adapters: [{ ref }] }, { prompts: ["x"] });
    const bytes = readFileSync(ref);
    expect(files.filter(({ role }) => role === "adapter")).toEqual([
      {
        role: "adapter",
        ref,
        file: name.split("/")[1],
        sha256: sha256(bytes),
        weights: sha256(bytes.subarray(8 + Number(bytes.readBigUInt64LE()))),
      },
    ]);
  },
);
