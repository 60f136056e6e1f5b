/** Updates of a LoRA in a process of its own, for `bench --only train`: takes a TrainCase as JSON, prints TrainTimes as JSON. */
import { layersOf } from "../src/adapters/index.js";
import { unetDenoiser } from "../src/models/index.js";
import { floats, network } from "../src/networks/index.js";
import { adamw, clipped } from "../src/optim/index.js";
import { openRuntime } from "../src/runtime/node/index.js";
import { createRng, type FloatTensor, sample } from "../src/tensor/index.js";
import { type Batch, chooseLayers, firstValues, openLoss } from "../src/train/index.js";
import { mappedOnce, openMonitor } from "./memory-monitor.js";
import { openUNet } from "./synthetic.js";
import { LORAS, type TrainCase, type TrainTimes, WARM } from "./train.js";

const { folder, kind, batch, side, tokens, runs, threads, recompute }: TrainCase = JSON.parse(process.argv[2] ?? "");
const monitor = openMonitor();
monitor.phase();
let once = 0;
const count = () => {
  once = Math.max(once, mappedOnce() ?? monitor.peak().resident);
};
const counting = setInterval(count, 400);
const { config, index } = await openUNet(folder);
const denoiser = unetDenoiser(config, 8);
const weights = async () => index;
const engine = { runtime: openRuntime({ threads }), upcast: "per-call" } as const;
const unchanged = network("UNet", engine.runtime, denoiser.draw, weights, {
  precision: { compute: "float32", upcast: engine.upcast },
});
const lora = chooseLayers(layersOf([...index.weights].map(([name, w]) => [name, w.shape] as const)), LORAS[kind]);
const loss = await openLoss({ engine }, { denoiser, weights }, lora, { recompute });

const size = { width: 8 * side, height: 8 * side };
const drawn = (seed: number): FloatTensor[] => {
  const all = createRng(seed).randn([batch, denoiser.channels, side, side]);
  return Array.from({ length: batch }, (_, i) => sample(all, i));
};
const [latents, targets] = [drawn(0), drawn(1)];
const pooled = config.textTime && config.textTime.features - 6 * config.textTime.sinusoid.features;
const text = {
  streams: { text: createRng(2).randn([1, tokens, config.contextFeatures]) },
  ...(pooled && { pooled: createRng(3).randn([1, pooled]) }),
};
const call = { timestep: 499, guidance: 0, size };
const update: Batch = { ...call, latents, targets, conditioning: latents.map(() => text), scale: 1 };
const optimizer = clipped(1, adamw({ learningRate: 1e-4 }));
let parameters = firstValues(lora, 0);
let state = optimizer.init(parameters);
const milliseconds: number[] = [];
for (let run = 0; run < runs + WARM; run++) {
  const start = performance.now();
  if (kind === "slider") {
    for (const xt of latents) {
      const three = { ...call, latents: [xt, xt, xt], conditioning: [text, text, text] };
      const { outputs } = await unchanged.run({ height: side, width: side, tokens }, denoiser.inputs(three));
      floats(outputs["prediction"]);
    }
  }
  const { gradients } = await loss.run(update, parameters);
  ({ parameters, state } = optimizer.update(parameters, gradients, state));
  if (run >= WARM) milliseconds.push(performance.now() - start);
}
count();
clearInterval(counting);
const times: TrainTimes = { milliseconds, peak: once };
monitor.stop();
await loss.release();
await unchanged.release();
await engine.runtime.close();
process.stdout.write(`${JSON.stringify(times)}\n`);
