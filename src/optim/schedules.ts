/** Learning rates over the updates of a run, by the names and formulas of diffusers' schedules (`diffusers.optimization`). */

export interface ScheduleOptions {
  /** Largest learning rate, reached after the warm-up. */
  readonly peak: number;
  /** Updates in which the rate rises linearly from 0. Default 0. */
  readonly warmup?: number;
  /** Updates of the whole run, for the schedules that fall. */
  readonly steps: number;
  /** Periods of the cosine: half of one by default; whole restarts for `cosineWithRestarts`, default 1. */
  readonly cycles?: number;
  /** Exponent of `polynomial`. Default 1. */
  readonly power?: number;
  /** Last rate of `polynomial`. Default 1e-7. */
  readonly end?: number;
}

/** Learning rate by the number of updates made before. */
export type Schedule = (o: ScheduleOptions) => (step: number) => number;

/** A schedule with a linear warm-up: `after` is the share of the peak at a share 0…1 of the updates that follow it. */
const warmed =
  (after: (progress: number, o: ScheduleOptions) => number): Schedule =>
  (o) =>
  (step) => {
    const { peak, warmup = 0, steps } = o;
    if (step < warmup) return (peak * step) / Math.max(1, warmup);
    return peak * after((step - warmup) / Math.max(1, steps - warmup), o);
  };

export const SCHEDULES = {
  constant:
    ({ peak }) =>
    () =>
      peak,
  constant_with_warmup: warmed(() => 1),
  linear: warmed((progress) => Math.max(0, 1 - progress)),
  cosine: warmed((progress, { cycles = 0.5 }) => Math.max(0, 0.5 * (1 + Math.cos(2 * Math.PI * cycles * progress)))),
  cosine_with_restarts: warmed((progress, { cycles = 1 }) =>
    progress >= 1 ? 0 : Math.max(0, 0.5 * (1 + Math.cos(Math.PI * ((cycles * progress) % 1)))),
  ),
  polynomial: warmed((progress, { peak, power = 1, end = 1e-7 }) =>
    progress > 1 ? end / peak : ((peak - end) * (1 - progress) ** power + end) / peak,
  ),
} as const satisfies Record<string, Schedule>;

export type ScheduleName = keyof typeof SCHEDULES;
