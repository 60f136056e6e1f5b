/** CLIP text encoders that several families share. `prefix` is that of their tensors in a single-file checkpoint. */
import type { TextEncoderFacts } from "./family.js";

type Place = Pick<TextEncoderFacts, "component" | "tokenizer" | "pooled"> & { readonly prefix: string };

const encoder = (
  about: string,
  width: number,
  names: "transformers" | "openclip",
  { prefix, ...place }: Place,
): TextEncoderFacts => ({
  kind: "clip",
  ...place,
  about,
  width,
  singleFile: { prefix, names },
  padding: names === "transformers" ? "<|endoftext|>" : "!",
});

const FIRST = { component: "text_encoder", tokenizer: "tokenizer", pooled: false } as const;
const SECOND = { component: "text_encoder_2", tokenizer: "tokenizer_2", pooled: true } as const;

/** OpenAI's CLIP ViT-L/14 (Radford et al. 2021). */
export const clipL = (prefix: string) => encoder("CLIP ViT-L", 768, "transformers", { ...FIRST, prefix });
/** OpenCLIP ViT-H/14. */
export const openClipH = (prefix: string) => encoder("OpenCLIP ViT-H", 1024, "openclip", { ...FIRST, prefix });
/** OpenCLIP ViT-bigG/14, whose pooled text conditions the denoiser. */
export const openClipBigG = (prefix: string) => encoder("OpenCLIP ViT-bigG", 1280, "openclip", { ...SECOND, prefix });
