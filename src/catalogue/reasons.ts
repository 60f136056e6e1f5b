/** Why claims of the paper do not hold on the embedded pair, and whether that is of its world, its models, or the claim. Shown where one fails. */
import type { Reason } from "./schema.js";

export const REASONS: readonly Reason[] = [
  {
    experiment: "table1",
    row: "smile (base) on distilled",
    than: "smile (base) on base",
    measures: ["change"],
    of: "model",
    because:
      "The embedded CLIP, with 64 features, does not distinguish smiles: the CLIP score changes by less than 3 % on either model. The classifier, which does, is the measure of this slider.",
  },
  ...(["base", "distilled"] as const).map(
    (trained): Reason => ({
      experiment: "table1",
      row: `eye-size (${trained}) on distilled`,
      than: `eye-size (${trained}) on base`,
      measures: ["attribute-change"],
      of: "world",
      because:
        "Eye size has a ceiling, 1, and the distilled model's eyes are larger than the base's before the slider acts, so less is left to change.",
    }),
  ),
  {
    experiment: "table1",
    row: "blueprint on distilled",
    than: "blueprint on base",
    of: "model",
    because: "Too few prompts for an interval within 5 %: the effect differs from prompt to prompt.",
  },
  {
    experiment: "table2",
    row: "hybrid",
    than: "base",
    of: "world",
    because:
      "The reference is drawn from the world that the base was trained on, and the base is near the floor. The paper holds SDXL against COCO, which SDXL was not trained on, so its base is far from the reference.",
  },
  {
    experiment: "table3",
    row: "hybrid",
    than: "base",
    of: "model",
    because:
      "One step of the base gives back about half of what this student lost. The rest is lost in its later rows, which draw new noise and decide again.",
  },
  ...(["frechet", "clip-score"] as const).map(
    (measure): Reason => ({
      experiment: "table4",
      row: "first timestep left out",
      than: "hybrid",
      measures: [measure],
      of: "model",
      because:
        "Without the first step the base begins at t = 749 from pure noise. In this pair's noise schedule a quarter of the variance there is signal (SDXL: 6 %), so the base sees inputs that it was never trained on.",
    }),
  ),
  {
    experiment: "fig5",
    row: "distilled",
    than: "base",
    of: "model",
    because:
      "The LCM steps of the distilled model add fresh noise: at t = 749 three quarters of the variance are new, and later steps decide again.",
  },
  {
    experiment: "fig7b",
    row: "k = 2",
    than: "k = 1",
    of: "model",
    because:
      "The first step gives back a part of the loss on this student, so a second one still adds some; the paper's students were distilled for longer.",
  },
  {
    experiment: "swaps",
    row: "base in row 1",
    than: "distilled",
    of: "model",
    because:
      "The first row leaves three quarters of the variance at t = 749 to fresh noise, so the second row still decides a part.",
  },
  ...[2, 3].map(
    (at): Reason => ({
      experiment: "swaps",
      row: `base in row ${at}`,
      than: "distilled",
      of: "claim",
      because: "The mean gain lies within 5 %, the interval over 64 prompts reaches beyond.",
    }),
  ),
  ...(["distance", "classifier-distance"] as const).map(
    (measure): Reason => ({
      experiment: "fig7c",
      row: "1:1",
      than: "8:1",
      measures: [measure],
      of: "claim",
      because: "A finer schedule adds about 5 % of distance; the paper claims none.",
    }),
  ),
];
