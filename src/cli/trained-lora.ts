/** An adapter that a command trains, a LoRA or weights in full: its first values, its samples on the way, and its files. */
import {
  type Adapter,
  adapterTensors,
  constant,
  customDiffusionTensors,
  type LayerShape,
  layersOf,
} from "../adapters/index.js";
import { safetensors } from "../checkpoint/index.js";
import type { Model } from "../generate/index.js";
import type { OpenedPair } from "../open/index.js";
import {
  adapterOf,
  chooseLayers,
  customDiffusion,
  customDiffusionAdapter,
  firstValues,
  type LoraOptions,
  type TrainedLora,
  type TrainedWeights,
  trainedModel,
} from "../train/index.js";
import type { RunFolder } from "./run-folder.js";
import { type Prepared, placeOf, type Samples, sampleSize, type Training, type View, type Written } from "./train.js";

/** The parts of a training whose result is an adapter. */
export interface AdapterResult extends Pick<Prepared, "first" | "samples" | "written"> {
  readonly trained: TrainedLora | TrainedWeights;
}

/** Adaptable layers of a model's denoiser. */
export const layersOfModel = async (model: Model) =>
  layersOf([...(await model.weights()).weights].map(([layer, w]) => [layer, w.shape] as const));

/** A LoRA on a model, with its first values. */
export async function freshLora(model: Model, options: LoraOptions & { readonly seed?: number }) {
  const trained = chooseLayers(await layersOfModel(model), options);
  return { trained, first: firstValues(trained, options.seed ?? 0) };
}

/** The parts of a training whose result is a LoRA for one model of the pair. */
export async function loraResult(
  pair: OpenedPair,
  { request, name }: Pick<Training, "request" | "name">,
  shown: (file: string) => string,
): Promise<AdapterResult> {
  const { on = "base" } = request;
  const model = trainedModel(pair, on);
  const { trained, first } = await freshLora(model, request);
  return {
    ...{ trained, first },
    samples: (values, view) => sampling(pair, request, { ...view, adapter: adapterOf(trained, values) }),
    written: async (folder, values) =>
      writtenLora(folder, {
        name,
        request,
        adapter: adapterOf(trained, values),
        layers: await layersOfModel(model),
        shown,
      }),
  };
}

/** The parts of a training by Custom Diffusion, whose result replaces weights of a model of the pair. */
export async function customDiffusionResult(
  pair: OpenedPair,
  { request, name }: Pick<Training, "request" | "name">,
  shown: (file: string) => string,
): Promise<AdapterResult> {
  const { on = "base" } = request;
  const model = trainedModel(pair, on);
  return {
    ...(await customDiffusion(model)),
    samples: async (values, view) =>
      sampling(pair, request, { ...view, adapter: await customDiffusionAdapter(model, values) }),
    written: async (folder, values) => {
      const { targets } = await customDiffusionAdapter(model, values);
      const layers = await layersOfModel(model);
      const metadata = { "variegate.request": JSON.stringify(request) };
      const file = `${name}.safetensors`;
      const tensors = customDiffusionTensors(targets, layers.keys());
      const where = `${placeOf(folder)}/${file}`;
      return {
        files: [await folder.write(file, safetensors(tensors, metadata))],
        lines: [`${name.padEnd(7)} ${where} (Custom Diffusion, as diffusers reads it)`, `try     ${shown(where)}`],
      };
    },
  };
}

/** What makes samples with an adapter on both models. */
function sampling(
  pair: OpenedPair,
  request: Training["request"],
  { adapter, scale, prompt }: View & { readonly adapter: Adapter },
): Samples {
  const { on: mode = "base" } = request;
  const use = { adapter, scale: constant(scale), on: "both" } as const;
  return {
    pair: { ...pair, adapters: [...pair.adapters, use] },
    request: { mode, prompts: [prompt], ...sampleSize(pair, request) },
  };
}

/** Writes a LoRA in both formats. @param layers of the model that it is for */
export async function writtenLora(
  folder: RunFolder,
  o: Pick<Training, "name" | "request"> & {
    readonly adapter: Adapter;
    readonly layers: ReadonlyMap<string, LayerShape>;
    readonly shown: (file: string) => string;
  },
): Promise<Written> {
  const { name, request, adapter, shown } = o;
  const layers = new Map([["unet" as const, o.layers]]);
  const metadata = { "variegate.request": JSON.stringify(request) };
  const write = async (file: string, dialect: "peft" | "kohya") =>
    folder.write(file, safetensors(adapterTensors(adapter, dialect, layers), metadata));
  const [peft, kohya] = [`${name}.safetensors`, `${name}.kohya.safetensors`];
  const where = placeOf(folder);
  const files = [await write(peft, "peft"), await write(kohya, "kohya")];
  const lines = [
    `${name.padEnd(7)} ${where}/${peft} (PEFT), ${where}/${kohya}`,
    `try     ${shown(`${where}/${peft}`)}`,
  ];
  return { files, lines };
}
