/** Part of tests that runs in a page: networks of goldens on this browser's ONNX Runtime, with weights from addresses. */
import { webFiles } from "../../src/browser/file-system.ts";
import { openComponentWeights } from "../../src/checkpoint/component-weights.ts";
import { openRuntime } from "../../src/runtime/web/index.ts";
import { networkOutputs } from "./network.ts";

/** Outputs of each run as JSON; see NetworkInPage in in-chromium.ts. */
export async function compute({ network, stem, files, runs }) {
  const runtime = openRuntime({ threads: 1, files: { folder: "/ort/", gzip: true } });
  try {
    const system = webFiles({ embedded: "/none/", vocabulary: "/none" });
    const index = await openComponentWeights(system, system.mount(stem, new Map(Object.entries(files)), {}), stem);
    const all = [];
    for (const inputs of runs) {
      const outputs = Object.entries(await networkOutputs(runtime, network, index, inputs));
      all.push(outputs.map(([name, { shape, data }]) => ({ name, shape, data: [...data] })));
    }
    return all;
  } finally {
    await runtime.close();
  }
}
