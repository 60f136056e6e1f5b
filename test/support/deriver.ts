/** A process that derives from a file and notes each weight that it makes: `deriver.ts SOURCE LOG`. */
import { appendFileSync } from "node:fs";
import { deriveInFile, openWeights } from "../../src/checkpoint/node/index.js";

const [source = "", log = ""] = process.argv.slice(2);
const { weights } = await openWeights(source);
// Long enough for every process to have started.
const derivations = [...weights.values()].map((from) => ({
  from,
  by: "copied slowly",
  makes: [{ name: from.name, dtype: "float32" as const, shape: from.shape }],
  make: (values: Float32Array) => {
    appendFileSync(log, `${from.name}\n`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
    return [new Uint8Array(values.buffer)];
  },
}));
await deriveInFile(derivations);
