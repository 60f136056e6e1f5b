/** Times updates of a LoRA and of a slider on the embedded pair, beside PyTorch with PEFT on the same threads. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { layersOf } from "../src/adapters/index.js";
import { floats } from "../src/networks/index.js";
import { openPair } from "../src/open/index.js";
import { adamw, clipped } from "../src/optim/index.js";
import { createRng, sample } from "../src/tensor/index.js";
import { type Batch, chooseLayers, firstValues, openLoss } from "../src/train/index.js";
import { findPython } from "./diffusers.js";
import { middle, type Report } from "./figures.js";

const SCRIPT = fileURLToPath(new URL("../parity/train_time.py", import.meta.url));
const UNET = fileURLToPath(new URL("../embedded/base/unet/", import.meta.url));
const [BATCH, RUNS, WARM] = [4, 20, 3];
/** Options of each kind: those that `train lora` and `train slider` have by default. */
const KINDS = {
  lora: { rank: 4, alpha: 4, layers: "full", type: "lierla" },
  slider: { rank: 4, alpha: 1, layers: "noxattn", type: "c3lier" },
} as const;
type Kind = keyof typeof KINDS;

/** One update each: a LoRA's, and a slider's with its three predictions for each sample, without the runs that its states come from. */
export async function timeTraining(threads: number, report: Report): Promise<void> {
  const python = findPython();
  for (const kind of ["lora", "slider"] as const) {
    const label = `${kind} update, embedded UNet, batch ${BATCH}`;
    const { median: ours, note, shape } = await ownUpdate(kind, threads);
    report({ name: label, value: ours, unit: "ms", note });
    if ("missing" in python) continue;
    const sizes = [BATCH, shape.height, shape.width, shape.tokens, RUNS, threads].map(String);
    const { stdout, stderr, status } = spawnSync(python.python, [SCRIPT, UNET, kind, ...sizes], { encoding: "utf8" });
    const theirs = Number(stdout.trim().split("\n").at(-1));
    if (status !== 0 || !(theirs > 0)) throw new Error(`PEFT could not be timed: ${stderr.slice(-300)}`);
    report({ name: `${label}: PyTorch + PEFT`, value: theirs, unit: "ms" });
    report({ name: `${label}: PEFT / variegate time`, value: theirs / ours, unit: "ratio", aim: "≥ 1" });
  }
  if ("missing" in python) process.stderr.write(`PEFT is not compared: ${python.missing}\n`);
}

async function ownUpdate(kind: Kind, threads: number) {
  const pair = await openPair({}, { threads });
  try {
    const { denoiser, network, weights } = pair.base;
    const index = await weights();
    const lora = chooseLayers(layersOf([...index.weights].map(([name, w]) => [name, w.shape] as const)), KINDS[kind]);
    const loss = await openLoss(pair, pair.base, lora);
    const text = await pair.text.encode("a cartoon character", 0);
    const { size } = pair;
    const [, , height, width] = denoiser.latents(size);
    const shape = { height, width, tokens: pair.text.tokens };
    const [xs, ts] = [createRng(0), createRng(1)].map((rng) => rng.randn([BATCH, denoiser.channels, height, width]));
    if (!xs || !ts) throw new RangeError("two tensors were drawn");
    const [latents, targets] = [xs, ts].map((all) => Array.from({ length: BATCH }, (_, i) => sample(all, i)));
    if (!latents || !targets) throw new RangeError("two lists were made");
    const call = { timestep: 499, guidance: 0, size };
    const batch: Batch = { ...call, latents, targets, conditioning: latents.map(() => text), scale: 1 };
    const optimizer = clipped(1, adamw({ learningRate: 1e-4 }));
    let parameters = firstValues(lora, 0);
    let state = optimizer.init(parameters);
    const times: number[] = [];
    for (let run = 0; run < RUNS + WARM; run++) {
      const start = performance.now();
      if (kind === "slider") {
        const conditioning = [text, text, text];
        for (const xt of latents) {
          const { outputs } = await network.run(
            shape,
            denoiser.inputs({ ...call, latents: [xt, xt, xt], conditioning }),
          );
          floats(outputs["prediction"]);
        }
      }
      const { gradients } = await loss.run(batch, parameters);
      ({ parameters, state } = optimizer.update(parameters, gradients, state));
      if (run >= WARM) times.push(performance.now() - start);
    }
    await loss.release();
    return { ...middle(times), shape };
  } finally {
    await pair.close();
  }
}
