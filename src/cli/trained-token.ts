/** A new token that a command trains: captions with it, its first embeddings, samples on the way, and its file. */
import { safetensors } from "../checkpoint/index.js";
import { RequestError } from "../errors.js";
import type { Pair } from "../generate/index.js";
import { type PairReference, readFiles } from "../open/index.js";
import type { Tensors } from "../optim/index.js";
import { type CaptionedImage, openWord, type TrainedWord, withWord, wordFile } from "../train/index.js";
import type { RunFolder } from "./run-folder.js";
import { placeOf, type Training, type Written } from "./train.js";

type EncodeOptions = Parameters<Pair["text"]["encode"]> extends [string, ...infer Rest] ? Rest : never;

/** Word that the embeddings begin with. */
const LIKE = "object";

/** Caption of an image without one. */
export const plainest = (token: string): string => `a photo of ${token}`;

/** The image with a caption that has the token. */
export const captioned = (image: CaptionedImage, token: string): CaptionedImage =>
  image.caption.includes(token) ? image : { ...image, caption: plainest(token) };

/** @throws RequestError for a caption of every image without the token */
export function mustName(token: string, caption: string | undefined): void {
  if (caption !== undefined && !caption.includes(token))
    throw new RequestError(`--caption has no ${token}: write it where the word is to stand`);
}

/** Opens the text encoders of a pair with a new token. Release them with `release`. */
export async function openToken(
  models: PairReference,
  pair: Pair,
  word: TrainedWord,
  { request, initialize = LIKE }: Pick<Training, "request"> & { readonly initialize?: string | undefined },
) {
  const parts = (await readFiles(models)).textEncoders;
  const encoders = openWord(pair, parts, word);
  const { token } = word;
  const opened: Pair["text"][] = [];
  return {
    encoders,
    first: await encoders.like(initialize),
    /** A pair whose captions with the token are encoded anew at each update. */
    encoding: <P extends Pair>(own: P): P => ({
      ...own,
      text: {
        ...own.text,
        encode: async (caption: string, ...rest: EncodeOptions) =>
          caption.includes(token) ? encoders.prompt(caption) : own.text.encode(caption, ...rest),
      },
    }),
    /** A pair whose prompts may have the token, with these embeddings. */
    async sampling<P extends Pair>(own: P, values: Tensors): Promise<P> {
      const made = await withWord(own, parts, word, values);
      opened.push(made.text);
      return made;
    },
    async written(run: RunFolder, values: Tensors): Promise<Written & { readonly use: string }> {
      const name = "embedding.safetensors";
      const metadata = { "variegate.request": JSON.stringify(request) };
      const files = [await run.write(name, safetensors({ ...wordFile(word, values) }, metadata))];
      const file = `${placeOf(run)}/${name}`;
      return { files, lines: [`embedding ${file}`], use: `--embedding "${file}=${token}"` };
    },
    async release() {
      for (const text of opened) await text.release();
      await encoders.release();
    },
  };
}
