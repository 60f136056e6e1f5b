/** Merges adapters into the weights of a copy of a model. */
import { existsSync, statSync } from "node:fs";
import { cp, rename, rm } from "node:fs/promises";
import path from "node:path";
import { applyBias, applyDelta, type Part, resolveScale, type Target } from "../adapters/index.js";
import { readFloats } from "../checkpoint/index.js";
import { openComponentFolder, writeTensors } from "../checkpoint/node/index.js";
import { RequestError } from "../errors.js";
import { explained, makeFolder, partialOf, removePartials } from "../files/index.js";
import { type LookupOptions, locate } from "../lookup/index.js";
import { type AdapterReference, openAdapters, openPair } from "../open/index.js";
import { type FloatTensor, float } from "../tensor/index.js";

/** Written folder, and the number of changed layers. */
export interface Merged {
  readonly folder: string;
  readonly parts: readonly { readonly part: Part; readonly layers: number }[];
}

/** Weight file of each component in a diffusers folder. */
const FILE: { readonly [P in Part]: string } = {
  unet: "diffusion_pytorch_model.safetensors",
  text_encoder: "model.safetensors",
  text_encoder_2: "model.safetensors",
  text_encoder_3: "model.safetensors",
};

/**
 * Writes `base` with `adapters` merged into its weights to the folder `out`, in float32.
 * @throws RequestError when `out` exists or a scale depends on row, block or sample; FileError when a file cannot be used
 */
export async function mergeAdapters(
  base: string,
  adapters: readonly AdapterReference[],
  out: string,
  progress: (done: number, total: number) => void = () => {},
  lookup: LookupOptions = {},
): Promise<Merged> {
  const target = path.resolve(out);
  if (existsSync(target)) throw new RequestError(`${out} already exists; choose another folder`);
  const folder = await locate(base, "pipeline", lookup);
  if (!statSync(folder).isDirectory()) {
    throw new RequestError(`${base} is not a diffusers folder; adapters are merged into a copy of one`);
  }
  const pair = await openPair({ base }, lookup);
  const uses = await openAdapters(pair, adapters).finally(() => pair.close());
  const changes = new Map<Part, Map<string, { delta: Target["delta"]; scale: number }[]>>();
  for (const { adapter, scale: asked = 1 } of uses) {
    const scale = resolveScale(asked);
    if (scale.rows.length > 0 || Object.keys(scale.blocks).length > 0 || scale.samples) {
      throw new RequestError(
        `${adapter.file}: expected one scale for all rows, blocks and samples, since the adapter is merged`,
      );
    }
    for (const { part, layer, delta } of adapter.targets) {
      const layers = changes.get(part) ?? new Map<string, { delta: Target["delta"]; scale: number }[]>();
      layers.set(layer, [...(layers.get(layer) ?? []), { delta, scale: scale.whole }]);
      changes.set(part, layers);
    }
  }
  await removePartials(path.dirname(target), path.basename(target));
  const partial = partialOf(target);
  await makeFolder(path.dirname(target));
  try {
    const replaced = [...changes.keys()].map((part) => path.join(folder, part));
    // Copies everything but the weights of merged components, which are written below.
    await cp(folder, partial, {
      recursive: true,
      dereference: true,
      filter: (file) =>
        !(replaced.includes(path.dirname(file)) && /\.(safetensors|bin)(\.index.*)?$|\.index\..*json$/.test(file)),
    });
    const total = [...changes.values()].reduce((n, layers) => n + layers.size, 0);
    let done = 0;
    for (const [part, layers] of changes) {
      const { weights } = await (await openComponentFolder(path.join(folder, part))).weights();
      await writeTensors(
        path.join(partial, part, FILE[part]),
        [...weights.values()].map((weight) => ({
          name: weight.name,
          shape: weight.shape,
          read: async (): Promise<FloatTensor> => {
            const tensor = float(weight.shape, await readFloats(weight));
            const [, layer = "", what] = /^(.+)\.(weight|bias)$/.exec(weight.name) ?? [];
            const here = layers.get(layer) ?? [];
            if (what === "weight" && here.length > 0) progress(++done, total);
            const apply = what === "weight" ? applyDelta : applyBias;
            return here.reduce((t, { delta, scale }) => apply(delta, t, scale), tensor);
          },
        })),
      );
    }
    await rename(partial, target);
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw explained(error, out, "cannot be written");
  }
  return { folder: target, parts: [...changes].map(([part, layers]) => ({ part, layers: layers.size })) };
}
