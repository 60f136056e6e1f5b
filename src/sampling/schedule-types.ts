/** Schedule types as ComfyUI ("scheduler") and A1111 ("schedule type") name them, and the fields of diffusers' configs that give them. */
import type { Given } from "./scheduler-fields.js";

/** Ways in which a class spaces its timesteps. "none": it has none. */
type Spacing = "whole" | "float" | "extra" | "distilled" | "none";

interface ScheduleTypeRow {
  /** Further names: those of A1111 for the same schedule. */
  readonly names?: readonly string[];
  readonly fields: Given;
  /** Field that the class must read, and its spacing, for the type to mean what it means elsewhere. */
  readonly needs: { readonly field: string; readonly spacings: readonly Spacing[] };
  /** For DPM-Solver and its kin, which drop the last of n + 1 timesteps: the type that is nearest. */
  readonly nearest?: string;
}

const PLAIN = {
  use_karras_sigmas: false,
  use_exponential_sigmas: false,
  use_beta_sigmas: false,
  use_lu_lambdas: false,
};
/** ComfyUI and A1111 space σ anew over the whole training range, which classes with a timestep spacing cover with linspace. */
const WHOLE_RANGE = { ...PLAIN, timestep_spacing: "linspace" };
const ANY: readonly Spacing[] = ["whole", "float", "extra", "none"];
const SPACED: readonly Spacing[] = ["whole", "float", "extra"];
const EVEN: readonly Spacing[] = ["whole", "float"];

const rows = {
  karras: {
    fields: { ...WHOLE_RANGE, use_karras_sigmas: true },
    needs: { field: "use_karras_sigmas", spacings: ANY },
  },
  exponential: {
    names: ["polyexponential"],
    fields: { ...WHOLE_RANGE, use_exponential_sigmas: true },
    needs: { field: "use_exponential_sigmas", spacings: ANY },
  },
  beta: { fields: { ...WHOLE_RANGE, use_beta_sigmas: true }, needs: { field: "use_beta_sigmas", spacings: ANY } },
  sgm_uniform: {
    fields: { ...PLAIN, timestep_spacing: "trailing" },
    needs: { field: "timestep_spacing", spacings: SPACED },
  },
  simple: {
    fields: { ...PLAIN, timestep_spacing: "trailing" },
    needs: { field: "timestep_spacing", spacings: SPACED },
  },
  normal: {
    names: ["uniform"],
    fields: { ...PLAIN, timestep_spacing: "linspace" },
    needs: { field: "timestep_spacing", spacings: EVEN },
    nearest: "sgm_uniform",
  },
  ddim_uniform: {
    names: ["ddim"],
    fields: { ...PLAIN, timestep_spacing: "leading", steps_offset: 1 },
    needs: { field: "timestep_spacing", spacings: EVEN },
    nearest: "sgm_uniform",
  },
} as const satisfies Readonly<Record<string, ScheduleTypeRow>>;

export type ScheduleType = keyof typeof rows;

export const SCHEDULE_TYPES: { readonly [K in ScheduleType]: ScheduleTypeRow } = rows;

/** Names of the schedule types. */
export const SCHEDULE_TYPE_NAMES = [
  "karras",
  "exponential",
  "beta",
  "sgm_uniform",
  "simple",
  "normal",
  "ddim_uniform",
] as const satisfies readonly ScheduleType[];

/** Key of a name of another tool: case, spaces, dashes and underscores do not matter, and + is p. "DPM++ 2M" and dpmpp_2m are one key. */
export const nameKey = (name: string): string =>
  name
    .toLowerCase()
    .replaceAll("+", "p")
    .replaceAll(/[^a-z0-9]/g, "");

/** Schedule type under a name of ComfyUI or A1111 ("SGM Uniform"); undefined for others ("Automatic"). */
export const scheduleTypeNamed = (name: string): ScheduleType | undefined =>
  SCHEDULE_TYPE_NAMES.find((type) =>
    [type, ...(SCHEDULE_TYPES[type].names ?? [])].some((known) => nameKey(known) === nameKey(name)),
  );
