/** Guidance in an interval of noise levels. Kynkäänniemi et al. 2024, "Applying Guidance in a Limited Interval Improves Sample and Distribution Quality in Diffusion Models" (arXiv 2404.07724), eq. 5. */
import type { z } from "zod";
import { RequestError } from "../../errors.js";
import { karrasSigma } from "../level.js";
import { amount, type Method, methodSchema } from "./method.js";

const HIGHEST = 1e6;

export const intervalSchema = methodSchema("interval", {
  low: amount(0.28, 0, HIGHEST, "noise level σ/α down to which steps are guided, itself not"),
  high: amount(5.42, 0, HIGHEST, "noise level σ/α up to which steps are guided"),
});
type Settings = z.output<typeof intervalSchema>;

export const INTERVAL: Method<Settings, never> = {
  title: "guidance in an interval",
  about: "guides only the steps between two noise levels",
  acts: "plan",
  calls: "fewer by one for each step outside the interval",
  suits: "models that run with guidance: bases, and distilled models with a scale above 1",
  source: "Kynkäänniemi et al. 2024, arXiv 2404.07724",
  needs: ["guidance"],
  excludes: ["late-guidance"],
  off: { method: "interval", low: 0, high: HIGHEST },
  at({ low, high }, { level, guidance }) {
    if (low >= high) throw new RequestError(`interval: low is ${low} and high ${high}; expected low below high`);
    const sigma = Math.min(karrasSigma(level), HIGHEST);
    const inside = sigma > low && sigma <= high;
    return inside || guidance <= 1 ? null : { guidance: 1 };
  },
};
