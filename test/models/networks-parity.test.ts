import { afterAll, describe, expect, it } from "vitest";
import { openComponentWeights } from "../../src/checkpoint/node/index.js";
import { openRuntime } from "../../src/runtime/node/index.js";
import { type ComponentGolden, componentFolder, componentGolden, fileTensors, stemOf } from "../support/checkpoint.js";
import { networkOutputs } from "../support/network.js";
import { expectOutputs, networkSchema } from "../support/network-golden.js";
import { description, namesIn, type Recorded, tensors } from "../support/parity.js";

const runtime = openRuntime({ threads: 1 });
afterAll(() => runtime.close());

describe.each(namesIn("networks"))("%s", async (name) => {
  const { component, runs } = description(`networks/${name}`, networkSchema);
  const golden = componentGolden(component);
  const recorded: Recorded = await tensors(`networks/${name}`);

  it("grows the same weights", () => {
    const [sum, squares] = golden.weights.fingerprint;
    const grown = fingerprint(golden);
    expect(Math.abs(grown.sum - sum) / Math.sqrt(squares)).toBeLessThan(1e-5);
    expect(Math.abs(grown.squares / squares - 1)).toBeLessThan(1e-7);
  });

  it.each(runs.map((run, i) => ({ run, i, title: `run ${i}` })))("$title", async ({ run, i }) => {
    const index = await openComponentWeights(componentFolder(component), stemOf(golden));
    expectOutputs(await networkOutputs(runtime, golden, index, run.inputs), run, i, recorded);
  });
});

function fingerprint(golden: ComponentGolden): { sum: number; squares: number } {
  let [sum, squares] = [0, 0];
  for (const { dtype, bytes } of fileTensors(golden)) {
    if (dtype === "I64") continue;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const size = dtype === "F32" ? 4 : 2;
    for (let at = 0; at < bytes.length; at += size) {
      const v = dtype === "F32" ? view.getFloat32(at, true) : wide(view.getUint16(at, true), dtype);
      sum += v;
      squares += v * v;
    }
  }
  return { sum, squares };
}

const scratch = new DataView(new ArrayBuffer(4));
/** float16 or bfloat16 bits → number. */
function wide(bits: number, dtype: "F16" | "BF16"): number {
  if (dtype === "BF16") {
    scratch.setUint32(0, bits << 16);
    return scratch.getFloat32(0);
  }
  const exponent = (bits >> 10) & 31;
  const size = exponent === 0 ? (bits & 1023) * 2 ** -24 : (1024 + (bits & 1023)) * 2 ** (exponent - 25);
  return bits & 0x8000 ? -size : size;
}
