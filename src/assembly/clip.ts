/** Opens CLIPModel folders, which judge images. */
import { z } from "zod";
import { type FileSystem, openComponentFolder, readFloats, readJson } from "../checkpoint/index.js";
import { RequestError } from "../errors.js";
import { type ClipScorer, createClip } from "../instruments/index.js";
import { parseClipConfig } from "../models/index.js";
import type { Precision } from "../networks/index.js";
import type { Runtime } from "../runtime/index.js";
import type { WeightIndex } from "../tensor/index.js";
import { createTokenizer } from "../text/index.js";
import type { ModelPlace } from "./place.js";

const preparationSchema = z.object({
  image_mean: z.tuple([z.number(), z.number(), z.number()]).default([0.48145466, 0.4578275, 0.40821073]),
  image_std: z.tuple([z.number(), z.number(), z.number()]).default([0.26862954, 0.26130258, 0.27577711]),
});

/** Opens a CLIPModel folder. @throws RequestError when it is another model, FileError when it cannot be read */
export async function openClipAt(
  files: FileSystem,
  { ref, path }: ModelPlace,
  runtime: Runtime,
  precision?: Precision,
): Promise<ClipScorer> {
  const folder = await openComponentFolder(files, path);
  const { config, configFile: file } = folder;
  if (config["model_type"] !== "clip") {
    throw new RequestError(
      `--clip ${ref} is not a CLIPModel folder: its config says model_type ${JSON.stringify(config["model_type"])}`,
    );
  }
  if (!folder.tokenizer) throw new RequestError(`--clip ${ref} has no tokenizer beside its weights`);
  const { text, image } = parseClipConfig({ file, config });
  const tokenizer = createTokenizer(folder.tokenizer, text.positions);
  const preparation = preparationSchema.parse(
    (await readJson(files, files.join(path, "preprocessor_config.json"), { optional: true })) ?? {},
  );
  return createClip(
    { text, image, tokenizer, weights: folder.weights, logitScale: () => logitScaleOf(folder.weights), preparation },
    runtime,
    precision,
  );
}

/** exp of `logit_scale`; 100 without one, the value that OpenAI's models end training with. */
async function logitScaleOf(weights: () => Promise<WeightIndex>): Promise<number> {
  const weight = (await weights()).weights.get("logit_scale");
  return weight ? Math.exp((await readFloats(weight))[0] ?? Number.NaN) : 100;
}
