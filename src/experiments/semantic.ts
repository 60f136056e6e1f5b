/** Attributes of an experiment: read from a file, and checked on every model that the rows use, before their entropy is reported. */
import { existsSync } from "node:fs";
import path from "node:path";
import type { AttributePredictors } from "../evaluation/index.js";
import { formatJson, writeWhole } from "../files/index.js";
import { type AttributeRequest, checkedAttributes, type MeasuredAttributes, readAttributes } from "../measure/index.js";
import { type Definition, promptSeeds } from "./definition.js";
import type { ModelCache, Models } from "./models.js";
import type { ExperimentRequest, RunOptions } from "./request.js";

/** Definitions that also measure the entropy of the request's attributes where they measure diversity. */
export const withAttributes = (definitions: readonly Definition[], { attributes }: AttributeRequest): Definition[] =>
  definitions.map((definition) => {
    const { measures } = definition;
    const at = measures.indexOf("distance");
    if (attributes === undefined || at < 0 || measures.includes("attribute-entropy")) return definition;
    return { ...definition, measures: measures.toSpliced(at + 1, 0, "attribute-entropy") };
  });

/**
 * Predictors of the attributes, by row name; empty without attributes. Only attributes that pass the self-check on every model are kept, so that
 * rows are compared over the same ones. The results of the checks are kept in the folder.
 * @throws FileError for an invalid attribute file
 */
export async function predictorsOf(
  request: ExperimentRequest,
  cache: Pick<ModelCache, "modelsOf">,
  o: Pick<RunOptions, "onProgress" | "onMessage" | "signal"> = {},
): Promise<ReadonlyMap<string, AttributePredictors>> {
  if (request.attributes === undefined) return new Map();
  const listed = await readAttributes(request.attributes);
  const rows = request.definitions.flatMap((d) => d.rows);
  const prompts = request.definitions.flatMap((d) => promptSeeds(d).flatMap(([first]) => first?.prompt ?? []));
  const found = new Map<Models, MeasuredAttributes>();
  for (const row of rows) {
    const models = await cache.modelsOf(row);
    if (!found.has(models)) found.set(models, await checked(request, models, { listed, prompts, at: found.size }, o));
  }
  const every = [...found.values()];
  const kept = listed.filter(({ name }) => every.every((m) => m.attributes.some((a) => a.name === name)));
  const named: [string, AttributePredictors][] = [];
  for (const row of rows) {
    const predictors = found.get(await cache.modelsOf(row))?.predictors ?? new Map();
    const some = kept.flatMap(({ name }) => {
      const predictor = predictors.get(name);
      return predictor ? [[name, predictor] as const] : [];
    });
    named.push([row.name, { attributes: kept, predictors: new Map(some) }]);
  }
  return new Map(named);
}

interface Wanted {
  readonly listed: Awaited<ReturnType<typeof readAttributes>>;
  readonly prompts: readonly string[];
  /** Number of models that were checked before. */
  readonly at: number;
}

async function checked(
  request: ExperimentRequest,
  { pair, evaluator }: Models,
  { listed, prompts, at }: Wanted,
  { onProgress, onMessage, signal }: Pick<RunOptions, "onProgress" | "onMessage" | "signal">,
): Promise<MeasuredAttributes> {
  const file = path.join(request.out, at === 0 ? "self-check.json" : `self-check-${at + 1}.json`);
  const { selfCheck = existsSync(file) ? file : undefined } = request;
  const result = await checkedAttributes(listed, [...new Set(prompts)], evaluator.clip, pair, {
    ...(selfCheck !== undefined && { selfCheck }),
    ...(signal && { signal }),
    onMessage: (text) => onMessage?.(text),
    onProgress: (done, total, attribute) => onProgress?.(done, total, `self-check: ${attribute}`),
  });
  for (const note of result.notes) onMessage?.(note);
  if (result.check) await writeWhole(file, Buffer.from(formatJson(result.check)));
  return result;
}
