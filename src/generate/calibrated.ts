/** The calibrated setting of a pair in a request: it is taken as a whole, where the request names no part of a hand-off. */
import type { SamplingRequest } from "../sampling/index.js";
import type { PlanSource } from "./plan-source.js";
import { HYBRID_FIELDS } from "./request.js";
import type { Setting, Settings } from "./settings.js";

/** A request with the calibrated setting of the pair. The same request where another hand-off, or another mode, is asked for. */
export function withCalibrated<R extends SamplingRequest>(pair: PlanSource, request: R): R {
  const { calibrated } = pair;
  if (!calibrated || HYBRID_FIELDS.some((name) => request[name] !== undefined)) return request;
  const { mode } = calibrated.sampling;
  if (request.mode !== undefined && (request.mode !== "hybrid" || mode !== "hybrid")) return request;
  return { ...request, ...calibrated.sampling };
}

/** Names the calibration as the origin of the settings that it gave. */
export function originsOf(pair: PlanSource, asked: SamplingRequest, settings: Settings): Settings {
  const { calibrated } = pair;
  if (!calibrated || withCalibrated(pair, asked) === asked) return settings;
  const from = <T>(setting: Setting<T>): Setting<T> => ({
    value: setting.value,
    from: "calibrated",
    on: calibrated.on,
  });
  const { mode, switch: first, handoff, base } = settings;
  return {
    ...settings,
    ...(asked.mode === undefined && { mode: from(mode) }),
    ...(first && { switch: from(first) }),
    ...(handoff && calibrated.sampling.handoff !== undefined && { handoff: from(handoff) }),
    ...(base?.steps && calibrated.sampling.ratio && { base: { ...base, steps: from(base.steps) } }),
  };
}
