/** Whether a text encoder has embeddings for the tokens of a prompt. */
import { RequestError } from "../errors.js";

/** @throws RequestError for a token without an embedding in the text encoder, which a tokenizer of another model may have */
export function checkVocabulary(ids: readonly number[], vocabulary: number): void {
  const id = ids.find((i) => i >= vocabulary);
  if (id === undefined) return;
  throw new RequestError(
    `the prompt has a token with id ${id}, but the text encoder has embeddings for ids below ${vocabulary}; its tokenizer belongs to another model`,
  );
}
