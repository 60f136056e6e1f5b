/** Sampling fields of a request: one schema for the library, the command line, pair files and experiments. */
import { z } from "zod";
import { grouped, type InputOf, option } from "../schema/index.js";
import { CHOOSE_BY } from "./choice-spec.js";
import { diversitySchema, readMethod } from "./hooks/methods.js";
import { SCHEDULE_TYPE_NAMES, scheduleTypeNamed } from "./schedule-types.js";

export const MODES = ["base", "distilled", "hybrid"] as const;
export const SPACINGS = ["leading", "trailing", "linspace"] as const;
/** What a base on the distilled schedule does with its noise: keeps it, renews it, or steps as the schedule's solver does. */
export const HANDOFFS = ["ddim", "lcm", "schedule"] as const;
export const PREDICTIONS = ["epsilon", "v_prediction", "sample"] as const;

const integer = (least: number) =>
  z.int({ error: `expected an integer, at least ${least}` }).min(least, `expected an integer, at least ${least}`);
const number = (low: number, high?: number) => {
  const error = high === undefined ? `expected a number, at least ${low}` : `expected a number from ${low} to ${high}`;
  const from = z.number({ error }).min(low, error);
  return high === undefined ? from : from.max(high, error);
};
/** Value of `switch` that takes the calibrated setting of the pair. */
const AUTO = "auto";
const SHARE = "expected a number above 0 and below 1";
const spacing = z.enum(SPACINGS, { error: `expected one of ${SPACINGS.join(", ")}` });

/** Integer of digits only, without a sign; NaN for any other text. */
const digits = (text: string): number => (/^\s*\d+\s*$/.test(text) ? Number(text) : Number.NaN);
const digitLists = (text: string): number[] => text.split(",").map(digits);

/** "2": a number of steps; "σ=0.8" or "sigma=0.8": a noise level. */
function readSwitch(text: string): number | { sigma: number } | undefined {
  const [, level] = /^\s*(?:σ|sigma)\s*=\s*(\d*\.?\d+)\s*$/i.exec(text) ?? [];
  if (level !== undefined) return Number(level) <= 1 ? { sigma: Number(level) } : undefined;
  return Number.isNaN(digits(text)) ? undefined : digits(text);
}

/** Sampling of one model: the fields that a named pair sets for each of its models. */
export const modelFields = grouped("sampler", {
  steps: option(integer(1), {
    flag: "--steps <n>",
    aliases: ["--num-inference-steps", "--num-steps", "--sampling-steps"],
    about: "number of sampling steps (default: the pair's); where modes are compared, the base keeps its own",
  }),
  timesteps: option(
    z
      .array(z.int({ error: "expected an integer from 0 to 999" }).min(0).max(999, "expected 0 to 999"))
      .min(1, "expected at least one timestep"),
    {
      flag: "--timesteps <list>",
      about: "timesteps, such as 999,749,499,249, instead of a number of steps",
      read: (text) => (digitLists(text).every((t) => t <= 999) ? digitLists(text) : undefined),
      expected: 'decreasing timesteps such as "999,749,499,249" (integers, 0 to 999)',
    },
  ),
  scheduler: option(z.string().min(1), {
    flag: "--scheduler <name>",
    aliases: ["--sampler", "--sampler-name", "--sampling-method"],
    about: 'scheduler, by its name in diffusers, ComfyUI or A1111: EulerDiscreteScheduler, dpmpp_2m, "DPM++ 2M Karras"',
  }),
  sigmas: option(
    z.enum(SCHEDULE_TYPE_NAMES, { error: `expected one of ${SCHEDULE_TYPE_NAMES.join(", ")}` }),
    {
      flag: "--sigmas <type>",
      aliases: ["--schedule-type", "--schedule"],
      about: `schedule type of the scheduler, by its name in ComfyUI or A1111: ${SCHEDULE_TYPE_NAMES.join(", ")}`,
      read: scheduleTypeNamed,
      expected: `one of ${SCHEDULE_TYPE_NAMES.join(", ")}`,
    },
    {
      flag: "--karras",
      about: "same as --sigmas karras",
      value: "karras",
    },
  ),
  spacing: option(spacing, { flag: "--spacing <kind>", about: "timestep spacing of the scheduler" }),
  prediction: option(z.enum(PREDICTIONS, { error: `expected one of ${PREDICTIONS.join(", ")}` }), {
    flag: "--prediction <kind>",
    about: "prediction type of the network",
  }),
  eta: option(number(0, 1), {
    flag: "--eta <x>",
    about: "stochasticity of DDIM (η) and TCD (γ), 0 to 1 (default: 0)",
  }),
  guidance: option(number(0), {
    flag: "--guidance <x>",
    aliases: ["--cfg", "--cfg-scale", "--guidance-scale"],
    about: "guidance scale; at 1 or less, one conditional forward pass",
  }),
} as const);

const rows = z.union([integer(0), z.array(integer(0)).min(1), z.strictObject({ sigma: number(0, 1) })], {
  error: "expected a number of rows, a list of row numbers, or a noise level",
});

/** Sampling of a run. */
export const samplingFields = grouped("hybrid", {
  mode: option(z.enum(MODES, { error: `expected one of ${MODES.join(", ")}` }), {
    flag: "--mode <mode>",
    group: "what",
    about: "models that run (default: hybrid where there is a distilled model)",
  }),
  switch: option(
    z.union([...rows.options, z.literal(AUTO)], {
      error: "expected a number of rows, a list of row numbers, a noise level, or auto",
    }),
    {
      flag: "--switch <k>",
      about:
        "hybrid: number of initial steps run by the base, the noise level it ends near, such as σ=0.8, or auto: the calibrated setting (default: the calibrated, the pair's or the family's)",
      read: (text) => (text.trim() === AUTO ? AUTO : readSwitch(text)),
      expected: 'an integer, at least 0, a noise level from 0 to 1 such as "σ=0.8", or auto',
    },
    {
      flag: "--base-rows <list>",
      about: "hybrid: rows run by the base, by number, such as 0,2",
      read: (text) => (digitLists(text).some(Number.isNaN) ? undefined : [...new Set(digitLists(text))]),
      expected: 'a list of row numbers such as "0,2"',
    },
  ),
  skip: option(integer(0), {
    flag: "--skip <n>",
    group: "sampler",
    about: "number of initial steps to skip (default: 0)",
  }),
  ...modelFields,
  diversity: option(z.array(diversitySchema), {
    flag: "--diversity <method>",
    group: "sampler",
    about: "diversity method with its settings, such as cads:scale=0.1 (repeatable; variegate methods lists them)",
    repeatable: true,
    read: readMethod,
    expected: "a method with its settings, such as cads:scale=0.1",
  }),
  choose: option(
    z
      .strictObject({ keep: integer(2), of: integer(3) })
      .refine(({ keep, of }) => keep < of, { error: "expected fewer seeds to keep than to choose from" }),
    {
      flag: "--choose <m/n>",
      group: "seeds",
      about: "run the first step for n seeds, keep the m that differ most and fit the prompt, finish only those",
      read: (text) => {
        const [, keep = "", of = ""] = /^(\d+)\/(\d+)$/.exec(text) ?? [];
        return Number(keep) >= 2 && Number(of) > Number(keep) ? { keep: Number(keep), of: Number(of) } : undefined;
      },
      expected: 'seeds to keep, at least 2, and more to choose from, such as "8/32"',
    },
  ),
  chooseBy: option(z.enum(CHOOSE_BY, { error: `expected one of ${CHOOSE_BY.join(", ")}` }), {
    flag: "--choose-by <kind>",
    group: "seeds",
    about: "with --choose: compare latents, or images by CLIP (default: latents)",
  }),
  chooseFit: option(number(0), {
    flag: "--choose-fit <x>",
    group: "seeds",
    about: "with --choose: weight of how well an image fits its prompt by CLIP, beside the distances (default: 0.1)",
  }),
  choosePrune: option(z.number({ error: SHARE }).gt(0, SHARE).lt(1, SHARE), {
    flag: "--choose-prune <x>",
    group: "seeds",
    about: "with --choose: drop this share of the seeds after each step, instead of all at once after the first",
    expected: SHARE.replace("expected ", ""),
  }),
  trueGuidance: option(number(0), {
    flag: "--true-guidance <x>",
    aliases: ["--true-cfg-scale"],
    group: "sampler",
    about:
      "scale of guidance by two forward passes for networks that take the guidance scale as an input, such as FLUX.1-dev; at 1 or less, none (default: 1)",
  }),
  guidanceRescale: option(number(0, 1), {
    flag: "--guidance-rescale <x>",
    group: "sampler",
    about: "guidance rescale φ, 0 to 1 (default: 0)",
  }),
  guidanceNormalization: option(number(0), {
    flag: "--guidance-normalization <x>",
    aliases: ["--cfg-normalization"],
    group: "sampler",
    about: "largest norm of the guided prediction, as a multiple of the conditional one's (default: no limit)",
  }),
  guidanceTruncation: option(number(0, 1), {
    flag: "--guidance-truncation <x>",
    aliases: ["--cfg-truncation"],
    group: "sampler",
    about: "no guidance once this share of the timesteps is done, 0 to 1 (default: 1)",
  }),
  baseGuidance: option(number(0), {
    flag: "--base-guidance <x>",
    about: "hybrid: guidance scale of the base (default: 0)",
  }),
  handoff: option(z.enum(HANDOFFS, { error: `expected one of ${HANDOFFS.join(", ")}` }), {
    flag: "--handoff <kind>",
    about:
      "hybrid: steps of the base keep their noise (ddim), renew it (lcm), or follow the distilled schedule's solver (schedule) (default: the pair's, else schedule)",
  }),
  baseScheduler: option(z.string().min(1), {
    flag: "--base-scheduler <name>",
    about: "hybrid: scheduler of a separate schedule for the base",
  }),
  baseSteps: option(integer(1), {
    flag: "--base-steps <n>",
    about: "hybrid: number of steps of a separate schedule for the base",
  }),
  baseSpacing: option(spacing, {
    flag: "--base-spacing <kind>",
    about: "hybrid: timestep spacing of the base's separate schedule",
  }),
  anchor: option(integer(1), {
    flag: "--anchor <k>",
    about:
      "hybrid: k steps of the base's separate schedule (30 unless --base-steps), then a jump along their mean velocity to the switch",
  }),
  ratio: option(z.strictObject({ base: integer(1), distilled: integer(1) }), {
    flag: "--ratio <a:b>",
    about: "hybrid: a steps of the base's separate schedule replace b distilled rows",
    read: (text) => {
      const [, base = "", distilled = ""] = /^(\d+):(\d+)$/.exec(text) ?? [];
      return Number(base) > 0 && Number(distilled) > 0
        ? { base: Number(base), distilled: Number(distilled) }
        : undefined;
    },
    expected: 'two integers such as "2:1" (base steps for distilled rows)',
  }),
} as const);

/** Sampling of a run that does not depend on a calibration: experiments, and calibrations themselves. */
export const settledFields = { ...samplingFields, switch: rows.exactOptional() } as const;

/** Sampling of one model. Missing fields come from the checkpoint. */
export type ModelSampling = InputOf<typeof modelFields>;

/**
 * Sampling of a run. Missing fields come from the pair or the checkpoint.
 *
 * `switch` is the number of initial steps run by the base in a hybrid, a list of its rows, or a noise level σ / (α + σ), which stands for the
 * number of steps after which the distilled schedule is nearest to it; default b with a ratio a:b, else what the pair or the family has, 1 for
 * Stable Diffusion. "auto" takes the calibrated hand-off of the pair as a whole; without a calibration the default. `ratio` a:b replaces b rows
 * of the distilled schedule by a steps of a separate base schedule (Gandikota and Bau 2025, Fig. 7c), instead of `baseSteps`. `anchor` runs that
 * many steps of a separate base schedule and jumps from there to the switch (Wu et al. 2026, DP-DMD, with the base in place of a trained first
 * step). `skip` drops initial steps. `guidanceRescale` is φ of Lin et al. 2023, §3.4.
 * `diversity` are methods that bring back variety between seeds, in the order of their list. `choose` runs the first step for `of` seeds and
 * finishes `keep` of them.
 */
export type SamplingRequest = InputOf<typeof samplingFields>;
/** Sampling of a run whose `switch` is decided: not `auto`. */
export type SettledRequest = Settled<SamplingRequest>;
/** A request in which `switch` is decided. */
export type Settled<R extends Pick<SamplingRequest, "switch">> = Omit<R, "switch"> & {
  readonly switch?: Exclude<NonNullable<R["switch"]>, "auto">;
};
export type Ratio = NonNullable<SamplingRequest["ratio"]>;
export type Handoff = (typeof HANDOFFS)[number];
export type Spacing = (typeof SPACINGS)[number];
