/** SentencePiece models (Kudo & Richardson 2018): the vocabulary and the normalisation in a spiece.model, a message of protocol buffers. */
import { FileError } from "../errors.js";

/** Content of a model that a unigram tokenizer needs. */
export interface SentencePieceModel {
  /** Tokens with their log probabilities, by id. */
  readonly pieces: readonly (readonly [token: string, score: number])[];
  /** Id of the unknown token. */
  readonly unknown: number;
  /** The model has a table of characters to replace, which all released T5s have: that of NFKC. */
  readonly normalises: boolean;
}

/** Fields by number: sentencepiece_model.proto. */
const MODEL = { pieces: 1, trainer: 2, normalizer: 3 } as const;
const PIECE = { token: 1, score: 2 } as const;
const TRAINER = { type: 3, unknown: 40 } as const;
const NORMALIZER = { table: 2 } as const;
/** The kind of model that T5 has, which is the default. */
const UNIGRAM = 1;

/** A field of a message: an integer, four or eight raw bytes, or a string of bytes. */
interface Field {
  readonly field: number;
  readonly integer: number;
  readonly bytes: Uint8Array;
}

/** Reads a model. @throws FileError for bytes that are no SentencePiece model of the unigram kind */
export function readSentencePiece(file: string, bytes: Uint8Array): SentencePieceModel {
  const pieces: [string, number][] = [];
  let [unknown, normalises] = [0, false];
  for (const { field, bytes: inner } of fields(file, bytes)) {
    if (field === MODEL.pieces) pieces.push(piece(file, inner));
    if (field === MODEL.trainer) {
      for (const { field: own, integer } of fields(file, inner)) {
        if (own === TRAINER.unknown) unknown = integer;
        if (own === TRAINER.type && integer !== UNIGRAM) {
          throw new FileError(file, `is a SentencePiece model of kind ${integer}; T5 has a unigram model (${UNIGRAM})`);
        }
      }
    }
    if (field === MODEL.normalizer) {
      normalises = fields(file, inner).some(
        ({ field: own, bytes: { length } }) => own === NORMALIZER.table && length > 0,
      );
    }
  }
  if (pieces.length === 0) throw new FileError(file, "holds no tokens; expected a SentencePiece model");
  return { pieces, unknown, normalises };
}

function piece(file: string, bytes: Uint8Array): [string, number] {
  let [token, score] = ["", 0];
  for (const { field, bytes: value } of fields(file, bytes)) {
    if (field === PIECE.token) token = new TextDecoder().decode(value);
    if (field === PIECE.score) score = new DataView(value.buffer, value.byteOffset).getFloat32(0, true);
  }
  return [token, score];
}

/** Fields of a message in their order. @throws FileError where the bytes end early, or a field has an unknown form */
function fields(file: string, bytes: Uint8Array): Field[] {
  const found: Field[] = [];
  let at = 0;
  const varint = (): number => {
    let [value, factor] = [0, 1];
    for (;;) {
      const byte = bytes[at++];
      if (byte === undefined) throw new FileError(file, "ends inside a field; expected a SentencePiece model");
      value += (byte & 127) * factor;
      if (byte < 128) return value;
      factor *= 128;
    }
  };
  const take = (length: number): Uint8Array => {
    if (at + length > bytes.length) throw new FileError(file, "ends inside a field; expected a SentencePiece model");
    at += length;
    return bytes.subarray(at - length, at);
  };
  /** Reads a value by its wire type. */
  const forms: Readonly<Record<number, () => Omit<Field, "field">>> = {
    0: () => ({ integer: varint(), bytes: new Uint8Array() }),
    1: () => ({ integer: 0, bytes: take(8) }),
    2: () => ({ integer: 0, bytes: take(varint()) }),
    5: () => ({ integer: 0, bytes: take(4) }),
  };
  while (at < bytes.length) {
    const tag = varint();
    const read = forms[tag % 8];
    if (!read) throw new FileError(file, `has a field of form ${tag % 8}; expected a SentencePiece model`);
    found.push({ field: Math.floor(tag / 8), ...read() });
  }
  return found;
}
