/** Guidance without the first steps, which decide the layout. */
import type { z } from "zod";
import { type Method, methodSchema, whole } from "./method.js";

export const lateGuidanceSchema = methodSchema("late-guidance", {
  skip: whole(1, 0, 1000, "number of first steps without guidance"),
});
type Settings = z.output<typeof lateGuidanceSchema>;

export const LATE_GUIDANCE: Method<Settings, never> = {
  title: "late guidance",
  about: "runs the first steps without guidance",
  acts: "plan",
  calls: "fewer by one for each of those steps",
  suits: "models that run with guidance: bases, and distilled models with a scale above 1",
  source: "Parmar et al. 2025, arXiv 2508.15773 (first step); Kynkäänniemi et al. 2024, arXiv 2404.07724 (high noise)",
  needs: ["guidance"],
  excludes: ["interval"],
  off: { method: "late-guidance", skip: 0 },
  at: ({ skip }, { step, guidance }) => (step >= skip || guidance <= 1 ? null : { guidance: 1 }),
};
