/** Time from opening a pair of SDXL's size, whose files are in the page cache, to the first preview, phase by phase. */
import { MachineError } from "../src/errors.js";
import { generate } from "../src/generate/index.js";
import { openPair } from "../src/open/index.js";
import { openPreview } from "../src/trajectory/index.js";
import type { Report } from "./figures.js";
import { makeSyntheticPair } from "./synthetic.js";

const AIM = "≤ 3";
const TYPES = [
  { device: "cpu", compute: "float32" },
  { device: "cpu", compute: "int8" },
  { device: "openvino", compute: "bfloat16" },
] as const;

/** Writes random weights and measures the first step of a hybrid at 512 px. int8 runs twice, since it quantises the weights once. */
export async function runFirst(report: Report, threads: number): Promise<void> {
  process.stderr.write("writing 12.1 GB of random SDXL weights …\n");
  const { base, distilled, remove } = await makeSyntheticPair();
  try {
    for (const type of TYPES) {
      const name = `SDXL at 512 px, ${type.compute}${type.device === "cpu" ? "" : ` on ${type.device}`}`;
      try {
        if (type.compute === "int8") await firstPreview({ base, distilled }, { ...type, threads });
        const { ready, encoded, loaded, called, shown } = await firstPreview({ base, distilled }, { ...type, threads });
        const seconds = (ms: number) => ({ value: ms / 1000, unit: "s" }) as const;
        report({ name: `${name}: pair opened`, ...seconds(ready) });
        report({ name: `${name}: text encoded`, ...seconds(encoded - ready) });
        report({ name: `${name}: base loaded`, ...seconds(loaded - encoded) });
        report({ name: `${name}: first step`, ...seconds(called - loaded) });
        report({ name: `${name}: preview shown`, ...seconds(shown - called) });
        report({ name: `${name}: preview, beyond the step`, ...seconds(shown - called + loaded), aim: AIM });
      } catch (error) {
        if (!(error instanceof MachineError)) throw error;
        process.stderr.write(`${name} is left out: ${error.message}\n`);
      }
    }
  } finally {
    await remove();
  }
}

type Machine = Parameters<typeof openPair>[1];

/** Milliseconds since the start at which each phase had ended. */
async function firstPreview(models: { readonly base: string; readonly distilled: string }, machine: Machine) {
  const start = performance.now();
  const pair = await openPair(models, machine);
  const at = () => performance.now() - start;
  try {
    const ends = { ready: at(), encoded: 0, loaded: 0, called: 0, shown: 0 };
    const size = { width: 512, height: 512 };
    const request = { mode: "hybrid", steps: 4, prompts: ["a lighthouse in a storm"], seeds: [0], size } as const;
    for await (const event of generate(pair, request)) {
      if (event.type === "encoded") ends.encoded = at();
      if (event.type === "loaded") ends.loaded = at();
      if (event.type !== "step") continue;
      ends.called = at();
      await (await openPreview(pair, "rgb"))([event.x0]);
      ends.shown = at();
      break;
    }
    return ends;
  } finally {
    await pair.close();
  }
}
