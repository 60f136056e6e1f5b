import { describe, expect, it } from "vitest";
import { z } from "zod";
import { openPair, readFiles } from "../../src/open/index.js";
import { adamw, clipped, globalNorm, type Tensors } from "../../src/optim/index.js";
import { parseScheduler, schedule } from "../../src/sampling/index.js";
import { sample } from "../../src/tensor/index.js";
import { noisySample, openWord, openWordLoss, parameterOf, weightValues } from "../../src/train/index.js";
import { pairReference } from "../support/checkpoint.js";
import { description, farthest, namesIn, tensors } from "../support/parity.js";
import { noise } from "../support/trained.js";

const numbers = z.array(z.number());
const schema = z.object({
  checkpoint: z.string(),
  vectors: z.number(),
  prompts: z.array(z.string()),
  token: z.string(),
  like: z.string(),
  schedule: z.record(z.string(), z.unknown()),
  latents: numbers,
  rate: z.number(),
  times: z.array(numbers),
  losses: numbers,
  norms: numbers,
  /** Weights that are trained too, with the norm of their change. */
  moved: z.record(z.string(), z.number()).default({}),
});

describe.each(namesIn("trained-words"))(
  "ten updates of a textual inversion, %s, equal torch's",
  { timeout: 240_000 },
  (name) => {
    it("in loss, gradient norm and embeddings", async () => {
      const golden = description(`trained-words/${name}`, schema);
      const recorded = await tensors(`trained-words/${name}`);
      const reference = pairReference({ base: golden.checkpoint });
      const pair = await openPair(reference, { threads: 1 });
      const { token, vectors } = golden;
      const word = openWord(pair, (await readFiles(reference)).textEncoders, { token, vectors });
      const trained = { weights: Object.keys(golden.moved) };
      const network = await openWordLoss(pair, pair.base, word, { trained });
      try {
        const unchanged = await weightValues(trained, pair.base.denoiser, await pair.base.weights());
        const embeddings = await word.like(golden.like);
        let parameters: Tensors = { ...unchanged, ...embeddings };
        const encoders = Object.keys(embeddings).map((_, i) => i);
        for (const i of encoders) {
          const first = parameters[parameterOf(i)]?.data ?? new Float32Array();
          expect(farthest(first, recorded.float(`first/${i}`).data)).toBeLessThan(1e-6);
        }
        const prompts = golden.prompts.map((prompt) => word.prompt(prompt));
        const ddpm = { _class_name: "DDPMScheduler", ...golden.schedule };
        const { levelAt } = schedule(parseScheduler(ddpm, "scheduler_config.json"), { steps: 1 });
        const [, , height = 1, width = 1] = golden.latents;
        const optimizer = clipped(1, adamw({ learningRate: golden.rate }));
        let state = optimizer.init(parameters);
        for (const [update, times] of golden.times.entries()) {
          const [x0, eps] = [noise(golden.latents, 1000 + update), noise(golden.latents, 2000 + update)];
          const made = times.map((t, i) =>
            noisySample(sample(x0, i), sample(eps, i), { level: levelAt(t), prediction: "epsilon" }),
          );
          const found = await network.run(
            {
              latents: made.map((m) => m.xt),
              targets: made.map((m) => m.target),
              timestep: times,
              conditioning: prompts,
              size: { height: 8 * height, width: 8 * width },
              ...{ guidance: 0, scale: 1 },
            },
            parameters,
          );
          expect(found.loss / (golden.losses[update] ?? 0), `loss of update ${update + 1}`).toBeCloseTo(1, 4);
          expect(globalNorm(found.gradients) / (golden.norms[update] ?? 0), `norm of ${update + 1}`).toBeCloseTo(1, 2);
          ({ parameters, state } = optimizer.update(parameters, found.gradients, state));
        }
        for (const i of encoders) {
          const [ours, theirs] = [parameters[parameterOf(i)], recorded.float(`last/${i}`)];
          expect(ours?.shape).toEqual(theirs.shape);
          expect(farthest(ours?.data ?? new Float32Array(), theirs.data)).toBeLessThan(golden.rate);
          expect(farthest(recorded.float(`first/${i}`).data, theirs.data)).toBeGreaterThan(10 * golden.rate);
        }
        for (const [weight, norm] of Object.entries(golden.moved)) {
          const [before, after] = [unchanged[weight]?.data ?? [], parameters[weight]?.data ?? []];
          const change = Math.hypot(...Array.from(after, (v, i) => v - (before[i] ?? 0)));
          expect(change / norm, `change of ${weight}`).toBeCloseTo(1, 2);
        }
        expect(() => word.prompt("a red hat")).toThrow(/does not occur in the prompt/);
      } finally {
        await network.release();
        await word.release();
        await pair.close();
      }
    });
  },
);
