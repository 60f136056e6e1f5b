/** LoRAs that the prompts of a request name, in A1111's syntax: `<lora:name:1>`. */
import { type Adapter, constant, type Scale } from "../adapters/index.js";
import { FileError, RequestError } from "../errors.js";
import { lorasOf, type PromptLora } from "../text/index.js";
import type { AdapterUse } from "./adapters.js";
import type { Pair } from "./pair.js";
import type { GenerateRequest } from "./request.js";

/**
 * Opens the LoRAs of all prompts, for both models. Each applies to the samples of its prompt.
 * @throws RequestError, FileError when a name is not that of one LoRA in the model folders or the package
 */
export async function openPromptLoras(
  pair: Pick<Pair, "openAdapter">,
  { prompts, promptSyntax }: GenerateRequest,
): Promise<AdapterUse[]> {
  if (promptSyntax !== "a1111") return [];
  const lists = prompts.map(lorasOf);
  const same = lists.every((list) => JSON.stringify(list) === JSON.stringify(lists[0]));
  const uses: AdapterUse[] = [];
  for (const [prompt, list] of same ? [[null, lists[0] ?? []] as const] : lists.entries()) {
    for (const lora of list) {
      const adapter = await opened(pair, lora.name);
      uses.push(...usesOf(adapter, lora, prompt));
    }
  }
  return uses;
}

async function opened(pair: Pick<Pair, "openAdapter">, name: string): Promise<Adapter> {
  try {
    return await pair.openAdapter(name, { byName: true });
  } catch (cause) {
    if (!(cause instanceof FileError) || cause.file !== name) throw cause;
    throw new RequestError(
      `<lora:${name}> in the prompt is not found: ${cause.problem}; name a folder with --a1111 or --comfy`,
      { field: "prompts", cause },
    );
  }
}

/** Uses of an adapter with one scale for text encoders and one for the denoiser. @param prompt index of the only prompt; null for all */
function usesOf(adapter: Adapter, { text, denoiser }: PromptLora, prompt: number | null): AdapterUse[] {
  const scaleOf = (whole: number): Scale => ({
    ...constant(whole),
    ...(prompt !== null && { samples: [{ prompt, scale: 1 }, { scale: 0 }] }),
  });
  if (text === denoiser) return [{ adapter, scale: scaleOf(text), on: "both" }];
  const parts = partsOf(adapter);
  return [
    { adapter: parts.text, scale: scaleOf(text), on: "both" },
    { adapter: parts.denoiser, scale: scaleOf(denoiser), on: "both" },
  ];
}

/** Adapters cut into parts, so that the same file gives the same adapters in every run: sessions keep their inputs. */
const cut = new WeakMap<Adapter, { readonly text: Adapter; readonly denoiser: Adapter }>();

function partsOf(adapter: Adapter): { readonly text: Adapter; readonly denoiser: Adapter } {
  const known = cut.get(adapter) ?? {
    text: { ...adapter, targets: adapter.targets.filter(({ part }) => part !== "unet") },
    denoiser: { ...adapter, targets: adapter.targets.filter(({ part }) => part === "unet") },
  };
  cut.set(adapter, known);
  return known;
}
