/** How a script for a family of transformers loads LoRAs: those of the request, on each of its networks, and the distilled model where it is one. */
import { type GenerateRequest, loraScaleOf, type PlanSource } from "../generate/index.js";
import type { PairReference } from "../open/index.js";
import type { StepRow } from "../sampling/index.js";
import { ADAPT_IMPORT, ADAPT_LINES, adaptersOf, DISTILLED_LORA, type ScriptAdapters } from "./diffusers-adapters.js";
import type { Distilled } from "./flow-parts.js";
import { python, text } from "./python.js";

/** @throws RequestError for scales by row, block or sample, and for kinds that diffusers does not load */
export async function lorasOf(
  source: PlanSource,
  request: GenerateRequest,
  reference: PairReference,
  rows: readonly StepRow[],
  distilled: Distilled | null,
): Promise<ScriptAdapters> {
  const models = [...new Set(rows.map((row) => row.model))];
  const isLora = distilled?.lora === true;
  const asked = { family: source.family, reference, request, models, distilled: isLora ? ("lora" as const) : null };
  const own = await adaptersOf(asked);
  if (!isLora && own.scales === null) return own;
  const scale = loraScaleOf(source);
  const scales = Object.fromEntries(
    models.map((model) => {
      const given = own.scales?.[model] ?? {};
      return [model, isLora && model === "distilled" ? { ...given, [DISTILLED_LORA]: scale } : given];
    }),
  );
  const second = distilled && !isLora && own.scales !== null;
  return {
    imports: [ADAPT_IMPORT, ...own.imports.filter((line) => line !== ADAPT_IMPORT)],
    functions: ADAPT_LINES,
    load: [
      ...(isLora ? [`pipe.load_lora_weights(${distilled.file}, adapter_name=${text(DISTILLED_LORA)})`] : []),
      ...own.load.filter((line) => !line.startsWith("scales = ")),
      ...(second
        ? [
            'pipe.transformer = networks["distilled"]',
            "for name, file in loras.items():",
            "    pipe.load_lora_weights(file, adapter_name=name)",
          ]
        : []),
      `scales = ${python(scales)}`,
    ],
    scales,
  };
}
