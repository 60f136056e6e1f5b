/** Files of the embedded pairs that a page may need, below the address that it serves them from. */

const TOKENIZER = ["merges.txt", "tokenizer.json", "tokenizer_config.json", "vocab.json"];
const inFolder = (folder: string, names: readonly string[]): string[] => names.map((name) => `${folder}/${name}`);
const network = (folder: string, stem = "diffusion_pytorch_model"): string[] =>
  inFolder(folder, ["config.json", `${stem}.safetensors`]);

/** Paths in the package's folder `embedded/`. */
export const EMBEDDED_FILES: readonly string[] = [
  "base/model_index.json",
  "base/scheduler/scheduler_config.json",
  ...network("base/unet"),
  ...network("base/vae"),
  ...network("base/text_encoder", "model"),
  ...network("base/text_encoder_2", "model"),
  ...inFolder("base/tokenizer", TOKENIZER),
  ...inFolder("base/tokenizer_2", TOKENIZER),
  ...network("distilled/unet"),
  ...network("consistent/unet"),
  ...network("clip", "model"),
  "clip/preprocessor_config.json",
  ...inFolder("clip", TOKENIZER),
  ...["blueprint", "distilled"].map((name) => `adapters/${name}.safetensors`),
  ...["eye-size", "smile"].flatMap((name) => [
    `sliders/${name}.base.safetensors`,
    `sliders/${name}.distilled.safetensors`,
  ]),
];

/** Folders of adapters that a request names by a part of their file name. */
export const ADAPTER_FOLDERS = ["sliders/", "adapters/"] as const;
