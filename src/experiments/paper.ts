/** Tables and figures of the paper (Gandikota and Bau 2025, arXiv 2503.10637) as experiment definitions. */
import type { Control } from "../catalogue/index.js";
import { type Definition, type DefinitionInput, definitionSchema } from "./definition.js";
import type { PAPER } from "./fields.js";

export type PaperName = (typeof PAPER)[number];

export interface PaperRequest {
  readonly prompts: readonly { readonly prompt: string; readonly seed: number }[];
  /** Number of images of every row. Default 1,024; the number of prompts, at most 2,048, in tables 2 and 4; 128 in table 1 and figure 5. */
  readonly images?: number;
  readonly controls: readonly Control[];
  /** Prompts of table 1, where the controls do not apply to all; default: `prompts`. */
  readonly controlPrompts?: readonly string[];
}

type Row = DefinitionInput["rows"][number];
type Claim = NonNullable<DefinitionInput["claims"]>[number];

const BASE: Row = { name: "base", sampling: { mode: "base" } };
const DISTILLED: Row = { name: "distilled", sampling: { mode: "distilled" } };
const HYBRID: Row = { name: "hybrid", sampling: { mode: "hybrid", switch: 1 } };

const claim = (says: string, measure: Claim["measure"], row: string, is: Claim["is"], than?: string): Claim => ({
  says,
  measure,
  row,
  is,
  ...(than !== undefined && { than }),
});

/** A claim about diversity, by all three measures that have no model of their own to fetch. */
const variety = (says: string, row: string, is: Claim["is"], than: string): Claim[] =>
  (["distance", "classifier-distance", "entropy"] as const).map((measure) => claim(says, measure, row, is, than));

/**
 * Prompts with several seeds each, for diversity: 64 × 16 for 1,024 images, 8 × 16 for 128, 4 × 8 for 32. Intervals are over prompts, so beyond 16
 * seeds another prompt tells more than another seed.
 */
function manySeeds({ prompts }: Pick<PaperRequest, "prompts">, images: number) {
  const texts = [...new Set(prompts.map((p) => p.prompt))];
  const some = texts.slice(0, Math.max(2, Math.round(Math.sqrt(images / 2)), Math.round(images / 16)));
  return { prompts: some, seeds: Math.max(2, Math.ceil(images / some.length)) };
}

/** Many prompts with one seed each, for fidelity. */
const manyPrompts = ({ prompts, images = 2048 }: PaperRequest) => ({ prompts: prompts.slice(0, images), seeds: 1 });

/** Measure of a slider's effect: by the classifier where it reads the concept, else by the CLIP score. */
const effectOf = ({ reads }: Control): Claim["measure"] => (reads === undefined ? "change" : "attribute-change");

const DIVERSITY = ["distance", "classifier-distance", "dreamsim-distance", "entropy"] as const;
const FIDELITY = ["frechet", "frechet-floor", "fid", "fid-floor", "inception-score", "precision", "recall"] as const;
const FID = { frechet: "FID", "clip-score": "CLIP score, ViT-B/16" };

const DEFINITIONS: { readonly [N in PaperName]: (request: PaperRequest) => Omit<DefinitionInput, "name"> } = {
  table1: (request) => ({
    title: "Table 1: sliders of one model on the other",
    found:
      "Sliders and LoRAs trained on SDXL change its distilled models about as much as SDXL itself, without training (mean change of the CLIP score to the concept).",
    ...manySeeds(
      { prompts: request.controlPrompts?.map((prompt) => ({ prompt, seed: 0 })) ?? request.prompts },
      request.images ?? 128,
    ),
    measures: ["change", "attribute-change", "identity"],
    rows: [
      ...[BASE, DISTILLED, HYBRID],
      ...request.controls.flatMap((c) =>
        [BASE, DISTILLED, HYBRID].map((plain): Row => {
          const paper =
            c.paper && (plain === BASE ? c.paper.base : plain === DISTILLED ? c.paper.distilled : undefined);
          return {
            name: `${c.name} on ${plain.name}`,
            sampling: plain.sampling,
            adapter: { ref: c.ref, scale: c.scale },
            concept: c.concept,
            against: plain.name,
            ...(c.reads !== undefined && { attribute: c.reads }),
            ...(paper !== undefined && { paper: { change: paper } }),
          };
        }),
      ),
    ],
    claims: request.controls.flatMap((c) => {
      const measure = effectOf(c);
      // The paper's own numbers are of the CLIP score.
      const measures = c.paper && measure !== "change" ? (["change", measure] as const) : [measure];
      return measures.map((m) =>
        claim(
          `${c.name} has at least the same effect on the distilled model as on the base`,
          m,
          `${c.name} on distilled`,
          "at least as much",
          `${c.name} on base`,
        ),
      );
    }),
    effects: request.controls.map((c) => ({
      says: c.name,
      measure: effectOf(c),
      rows: Object.fromEntries(["base", "distilled", "hybrid"].map((model) => [model, `${c.name} on ${model}`])),
    })),
  }),
  table2: (request) => ({
    title: "Table 2: fidelity, adherence and time",
    found:
      "The hybrid has the best FID of all three, in the time of the distilled model (COCO-10k, 1024 px, DMD2, one A100).",
    ...manyPrompts(request),
    measures: [...FIDELITY, "clip-score", "accuracy", "calls", "time"],
    paperMeasures: FID,
    rows: [
      { ...BASE, paper: { frechet: 12.74, "inception-score": 24.74, "clip-score": 31.83, time: 9220 } },
      { ...DISTILLED, paper: { frechet: 15.52, "inception-score": 27.2, "clip-score": 31.69, time: 640 } },
      { ...HYBRID, paper: { frechet: 10.79, "inception-score": 26.13, "clip-score": 32.12, time: 640 } },
    ],
    claims: [
      claim("the distilled model has lower fidelity than the base", "frechet", "distilled", "more", "base"),
      claim("the hybrid has higher fidelity than the distilled model", "frechet", "hybrid", "less", "distilled"),
      claim("the hybrid has higher fidelity than the base", "frechet", "hybrid", "less", "base"),
      claim("the hybrid has higher recall than the distilled model", "recall", "hybrid", "more", "distilled"),
      claim(
        "the hybrid has the prompt adherence of the distilled model",
        "clip-score",
        "hybrid",
        "as much",
        "distilled",
      ),
      claim("the hybrid takes as much time as the distilled model", "time", "hybrid", "as much", "distilled"),
    ],
  }),
  table3: (request) => ({
    title: "Table 3: distance between seeds",
    found:
      "Distillation loses a fifth of the base's diversity; the hybrid has more than the base (average DreamSim distance).",
    ...manySeeds(request, request.images ?? 1024),
    measures: [...DIVERSITY, "clip-score", "accuracy"],
    byPrompt: "distance",
    paperMeasures: { distance: "DreamSim" },
    rows: [
      { ...BASE, paper: { distance: 0.337 } },
      { ...DISTILLED, paper: { distance: 0.264 } },
      { ...HYBRID, paper: { distance: 0.35 } },
    ],
    claims: [
      ...variety("the distilled model is less diverse than the base", "distilled", "less", "base"),
      ...variety("the hybrid is more diverse than the distilled model", "hybrid", "more", "distilled"),
      ...variety("the hybrid is more diverse than the base", "hybrid", "more", "base"),
    ],
  }),
  table4: (request) => ({
    title: "Table 4: without the first timestep",
    found: "A hybrid that skips the first timestep takes three steps instead of four, and has an even better FID.",
    ...manyPrompts(request),
    measures: [...FIDELITY, "clip-score", "accuracy", "calls", "time"],
    paperMeasures: FID,
    rows: [
      { ...HYBRID, paper: { frechet: 10.79, "inception-score": 26.13, "clip-score": 32.12, time: 640 } },
      {
        name: "first timestep left out",
        sampling: { mode: "hybrid", switch: 1, skip: 1 },
        paper: { frechet: 10.12, "inception-score": 24.69, "clip-score": 31.71, time: 530 },
      },
    ],
    claims: [
      claim("skipping the first timestep improves fidelity", "frechet", "first timestep left out", "less", "hybrid"),
      claim("skipping the first timestep saves time", "time", "first timestep left out", "less", "hybrid"),
      claim(
        "skipping the first timestep keeps prompt adherence",
        "clip-score",
        "first timestep left out",
        "as much",
        "hybrid",
      ),
    ],
  }),
  fig5: (request) => ({
    title: "Figure 5: commitment",
    found:
      "The first step of the distilled model already shows the final image; the base needs about 30 % of its steps.",
    ...manySeeds(request, request.images ?? 128),
    measures: ["committed", "committed-level", "first-agreement", "distance"],
    rows: [
      { ...BASE, follow: true, paper: { committed: 0.3 } },
      { ...DISTILLED, follow: true, paper: { committed: 0.25 } },
      { ...HYBRID, follow: true },
    ],
    claims: [
      claim(
        "the distilled model commits at a higher noise level than the base",
        "committed-level",
        "distilled",
        "more",
        "base",
      ),
      claim(
        "the first x0 of the distilled model shows more of its image than the base's",
        "first-agreement",
        "distilled",
        "more",
        "base",
      ),
    ],
  }),
  fig7a: (request) => ({
    title: "Figure 7a: guidance scale of the base",
    found: "The base's step is best without guidance: diversity is highest around 0 and falls with the guidance scale.",
    ...manySeeds(request, request.images ?? 1024),
    axis: "guidance scale of the base's step",
    measures: [...DIVERSITY, "clip-score", "accuracy"],
    rows: [0, 2, 3, 4, 5, 7].map((x) => ({
      name: `guidance ${x}`,
      x,
      sampling: { mode: "hybrid", switch: 1, baseGuidance: x },
    })),
    claims: [
      // Above 4 images break, and broken images are far apart.
      ...variety("diversity is higher without guidance than at guidance 4", "guidance 0", "more", "guidance 4"),
    ],
  }),
  fig7b: (request) => ({
    title: "Figure 7b: number of steps run by the base",
    found: "One step of the base restores diversity; more steps add little.",
    ...manySeeds(request, request.images ?? 1024),
    axis: "number of steps run by the base, of four",
    measures: [...DIVERSITY, "clip-score", "accuracy"],
    rows: [0, 1, 2, 3, 4].map((k) => ({
      name: `k = ${k}`,
      x: k,
      sampling: { mode: k === 0 ? "distilled" : "hybrid", ...(k > 0 && { switch: k }) },
    })),
    claims: [
      claim("one step of the base increases diversity", "distance", "k = 1", "more", "k = 0"),
      ...variety("a second step adds little diversity", "k = 2", "as much", "k = 1"),
    ],
  }),
  fig7c: (request) => ({
    title: "Figure 7c: base steps for one distilled step",
    found: "One step of the base in place of the distilled model's first is best; a finer schedule does not help.",
    ...manySeeds(request, request.images ?? 1024),
    axis: "number of base steps in place of the first distilled step",
    measures: [...DIVERSITY, "clip-score", "accuracy"],
    rows: [1, 2, 4, 8].map((x) => ({
      name: `${x}:1`,
      x,
      sampling: { mode: "hybrid", ratio: { base: x, distilled: 1 }, baseGuidance: 0 },
    })),
    claims: [
      claim("one step is at least as diverse as eight", "distance", "1:1", "at least as much", "8:1"),
      claim("one step is at least as diverse as eight", "classifier-distance", "1:1", "at least as much", "8:1"),
      claim("one step has at least the prompt adherence of eight", "clip-score", "1:1", "at least as much", "8:1"),
    ],
  }),
  swaps: (request) => ({
    title: "Causal swaps: the base in single rows",
    found: "The first timestep decides the diversity of the images; the base in its place restores it.",
    ...manySeeds(request, request.images ?? 1024),
    measures: [...DIVERSITY, "clip-score", "accuracy"],
    rows: [
      DISTILLED,
      BASE,
      ...[0, 1, 2, 3].map((i): Row => ({ name: `base in row ${i}`, sampling: { mode: "hybrid", switch: [i] } })),
      // Without guidance the base's row differs from the distilled model's in two ways. This row leaves one of them.
      { name: "base in row 0, guidance 5", sampling: { mode: "hybrid", switch: [0], baseGuidance: 5 } },
    ],
    claims: [
      ...variety("the base in row 0 alone increases diversity", "base in row 0", "more", "distilled"),
      ...[1, 2, 3].map((i) =>
        claim(`the base in row ${i} alone adds little`, "distance", `base in row ${i}`, "as much", "distilled"),
      ),
      ...variety("so does the base with guidance", "base in row 0, guidance 5", "more", "distilled"),
    ],
  }),
};

/** Creates the definition of one of the paper's tables or figures. */
export const paperExperiment = (name: PaperName, request: PaperRequest): Definition =>
  definitionSchema.parse({ name, ...DEFINITIONS[name](request) });
