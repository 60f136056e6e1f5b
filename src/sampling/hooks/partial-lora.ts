/** The distilled LoRA at a smaller scale in its first steps, which are then nearer to the base. */
import type { z } from "zod";
import { amount, type Method, methodSchema, whole } from "./method.js";

export const partialLoraSchema = methodSchema("partial-lora", {
  scale: amount(0.5, 0, 2, "scale of the distilled LoRA in those steps; 1 is the distilled model"),
  steps: whole(1, 0, 1000, "number of first steps of the distilled model with it"),
});
type Settings = z.output<typeof partialLoraSchema>;

export const PARTIAL_LORA: Method<Settings, never> = {
  title: "distilled LoRA partly off",
  about: "runs the first steps of the distilled model with a smaller scale of its LoRA",
  acts: "plan",
  calls: "none",
  suits: "distilled models that are a LoRA on the base",
  source: "usage in ComfyUI workflows, such as those of Wan 2.2 Lightning",
  needs: ["lora"],
  excludes: [],
  off: { method: "partial-lora", scale: 1, steps: 1 },
  at: ({ scale, steps }, { model, stepOfModel }) =>
    model === "base" || scale === 1 || stepOfModel >= steps ? null : { loraScale: scale },
};
