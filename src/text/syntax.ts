/** Prompt syntaxes: the ways to write weights, chunk breaks, LoRAs and textual inversions in a prompt. */
import { RequestError } from "../errors.js";
import { a1111Pieces } from "./a1111.js";
import { bareName, comfyPieces } from "./comfy.js";
import type { Piece } from "./piece.js";

/** plain: text is text, as in diffusers. a1111, comfy: as in AUTOMATIC1111's stable-diffusion-webui and in ComfyUI. */
export const PROMPT_SYNTAXES = ["plain", "a1111", "comfy"] as const;
export type PromptSyntax = (typeof PROMPT_SYNTAXES)[number];

const PIECES: { readonly [S in PromptSyntax]: (prompt: string) => readonly Piece[] } = {
  plain: (text) => [{ kind: "text", text, weight: 1 }],
  a1111: a1111Pieces,
  comfy: comfyPieces,
};

/** @param encoder the text encoder's name, @throws RequestError for a syntax of weights and chunks, which belong to CLIP's hidden states */
export function mustBePlain(syntax: PromptSyntax, encoder: string): void {
  if (syntax === "plain") return;
  throw new RequestError(
    `--prompt-syntax ${syntax}: weights and chunks of a prompt are CLIP's; the text of this model is ${encoder}'s, which takes --prompt-syntax plain`,
    { field: "promptSyntax" },
  );
}

/** Splits a prompt into pieces. @throws RequestError for markup that is not supported or not valid */
export const piecesOf = (prompt: string, syntax: PromptSyntax): readonly Piece[] => PIECES[syntax](prompt);

/** Names of the textual inversions of a prompt, without folder and extension. @throws RequestError as `piecesOf` */
export const embeddingsIn = (prompt: string, syntax: PromptSyntax): readonly string[] =>
  piecesOf(prompt, syntax).flatMap((piece) => (piece.kind === "embedding" ? [bareName(piece.name)] : []));

/** The text of a prompt without its markup, as a person would read it: for measures that compare images with prompts. */
export const plainText = (prompt: string, syntax: PromptSyntax): string =>
  syntax === "plain"
    ? prompt
    : piecesOf(prompt, syntax)
        .map((piece) => (piece.kind === "text" ? piece.text : " "))
        .join("")
        .replace(/\s+/g, " ")
        .trim();
