/** What differs between the settings that made two images. Pure. */
import type { Image } from "./backend.js";
import { rowsByBase, type Settings } from "./settings.js";

/** A saved image with the settings that made it. */
export interface Made {
  readonly image: Image;
  readonly settings: Settings;
}

export interface Difference {
  readonly name: string;
  readonly values: readonly [string, string];
}

/** Models and hand-off in a few words: "distilled", "base", "switch 1". */
export function modeOf({ baseAlone, switch: k }: Settings): string {
  if (baseAlone) return "base";
  return rowsByBase(k) === 0 ? "distilled" : `switch ${rowsByBase(k) ?? "auto"}`;
}

/** Settings that an image shows, by name. Those at their default are left out. */
function shown({ image, settings }: Made): ReadonlyMap<string, string> {
  const { prompt, negative, baseSteps, baseGuidance, guidance, handoff, adapters, rest } = settings;
  const entries: readonly (readonly [name: string, value: unknown])[] = [
    ["prompt", prompt],
    ["seed", image.seed],
    ["models", modeOf(settings)],
    ["base guidance", baseGuidance],
    ["base steps", baseSteps],
    ["noise", handoff],
    ["guidance", guidance],
    ["negative prompt", negative],
    ...adapters
      .filter(({ only }) => only === null || only === image.seed)
      .map(({ ref, scale, on }) => [ref, on === "both" ? scale : `${scale}, ${on} rows`] as const),
    ...Object.entries(rest),
  ];
  return new Map(
    entries.flatMap(([name, value]) =>
      value === null || value === undefined
        ? []
        : [[name, typeof value === "object" ? JSON.stringify(value) : String(value)] as const],
    ),
  );
}

/** Settings in which two images differ; "–" where one has none. */
export function differences(a: Made, b: Made): Difference[] {
  const [first, second] = [shown(a), shown(b)];
  return [...new Set([...first.keys(), ...second.keys()])].flatMap((name) => {
    const values = [first.get(name) ?? "–", second.get(name) ?? "–"] as const;
    return values[0] === values[1] ? [] : [{ name, values }];
  });
}
