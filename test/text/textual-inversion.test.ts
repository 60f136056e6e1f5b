import { describe, expect, it } from "vitest";
import { FileError, RequestError, WeightShapeError } from "../../src/errors.js";
import { type FloatTensor, float } from "../../src/tensor/index.js";
import { inversionInputs, textualInversion as readWord, wordsOf } from "../../src/text/textual-inversion.js";

const counting = (...shape: number[]): FloatTensor =>
  float(
    shape,
    Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => i + 1),
  );
const fileOf = (tensors: Readonly<Record<string, FloatTensor>>) => ({
  file: "pip.safetensors",
  tensors: new Map(Object.entries(tensors)),
});
/** The first word of a file. */
const textualInversion = (file: ReturnType<typeof fileOf>, token: string, widths: readonly number[]) => {
  const [word] = wordsOf(file.file, [...file.tensors.keys()]);
  if (!word) throw new Error("no word");
  return readWord(file, word, token, widths);
};
const failureOf = (read: () => unknown): unknown => {
  try {
    return read();
  } catch (error) {
    return error;
  }
};

describe("a file of a textual inversion", () => {
  it("has an embedding of one vector or of several", () => {
    const { token, embeddings } = textualInversion(fileOf({ "<pip>": counting(3) }), "<pip>", [3]);
    expect(token).toBe("<pip>");
    expect(embeddings).toEqual([float([1, 3], Float32Array.of(1, 2, 3))]);
    expect(textualInversion(fileOf({ emb_params: counting(2, 3) }), "x", [3]).embeddings).toEqual([counting(2, 3)]);
  });

  it("has embeddings for two text encoders by their names", () => {
    const file = fileOf({ clip_g: counting(2, 5), clip_l: counting(2, 3) });
    expect(textualInversion(file, "x", [3, 5]).embeddings).toEqual([counting(2, 3), counting(2, 5)]);
    expect(textualInversion(file, "x", [3]).embeddings).toEqual([counting(2, 3)]);
  });

  it("names its token, unless the tensor's name is the format's", () => {
    expect(["<pip>", "*", "emb_params"].map((name) => wordsOf("f", [name])[0]?.token)).toEqual(["<pip>", null, null]);
  });

  it("has one word or several", () => {
    expect(wordsOf("f", ["clip_g", "clip_l"])).toEqual([{ token: null, tensors: ["clip_l", "clip_g"] }]);
    expect(wordsOf("f", ["text_encoders_1", "text_encoders_0"])).toEqual([
      { token: null, tensors: ["text_encoders_0", "text_encoders_1"] },
    ]);
    expect(wordsOf("f", ["<pip>", "<pop>"])).toEqual([
      { token: "<pip>", tensors: ["<pip>"] },
      { token: "<pop>", tensors: ["<pop>"] },
    ]);
  });

  it.each([
    [[]],
    [["a.weight", "b.weight"]],
    [["clip_l", "clip_g", "<pip>"]],
    [["emb_params", "*"]],
    [["other", "emb_params"]],
  ])("is refused with tensors that are no embeddings of its words: %j", (names: string[]) => {
    expect(failureOf(() => wordsOf("f", names))).toBeInstanceOf(FileError);
  });

  it.each([
    ["clip_g", "has embeddings for the second text encoder (clip_g), and none for the first"],
    ["clip_l", "has embeddings for the first text encoder (clip_l), and none for the second"],
  ])("is refused by what it has and lacks with embeddings for one of two text encoders: %s", (name, message) => {
    const file = fileOf({ [name]: counting(2, name === "clip_g" ? 5 : 3) });
    expect(String(failureOf(() => textualInversion(file, "x", [3, 5])))).toContain(message);
  });

  it.each([
    ["of another width", { emb_params: counting(2, 7) }, [3], "emb_params", [2, 3], [2, 7]],
    [
      "of another width for the second encoder",
      { clip_l: counting(3), clip_g: counting(3) },
      [3, 5],
      "clip_g",
      [1, 5],
      [3],
    ],
    ["of three axes", { "<pip>": counting(1, 2, 3) }, [3], "<pip>", [1, 3], [1, 2, 3]],
  ])("is refused when %s, with both shapes", (_, tensors, widths, tensor, expected, actual) => {
    const failure = failureOf(() => textualInversion(fileOf(tensors), "x", widths));
    expect(failure).toBeInstanceOf(WeightShapeError);
    expect(failure).toMatchObject({ file: "pip.safetensors", tensor, expected, actual });
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    "is refused with a value of %f",
    (value) => {
      const clip_g = counting(2, 5);
      clip_g.data[7] = value;
      const failure = failureOf(() => textualInversion(fileOf({ clip_l: counting(2, 3), clip_g }), "x", [3, 5]));
      expect(failure).toBeInstanceOf(FileError);
      expect(failure).toMatchObject({ file: "pip.safetensors", message: expect.stringContaining("clip_g") });
    },
  );

  it.each<[string, Readonly<Record<string, FloatTensor>>, typeof FileError | typeof RequestError]>([
    ["one text encoder where there are two", { emb_params: counting(2, 3) }, RequestError],
    ["the first of two text encoders", { clip_l: counting(2, 3) }, FileError],
    ["different numbers of embeddings", { clip_l: counting(2, 3), clip_g: counting(1, 5) }, FileError],
    ["no embedding", { clip_l: counting(0, 3), clip_g: counting(0, 5) }, FileError],
  ])("is refused with %s", (_, tensors, kind) => {
    expect(failureOf(() => textualInversion(fileOf(tensors), "x", [3, 5]))).toBeInstanceOf(kind);
  });
});

describe("graph inputs of a textual inversion", () => {
  it("mask the ids that are not in the vocabulary and have their embeddings", () => {
    const inversions = [
      { token: "<pip>", name: "pip", embeddings: [counting(1, 2), counting(1, 3)] },
      { token: "<pop>", name: "pop", embeddings: [float([2, 2], Float32Array.of(10, 20, 30, 40)), counting(2, 3)] },
    ];
    // Ids 7, 8 and 9 are those of [1, 2], [10, 20] and [30, 40].
    expect(inversionInputs([5, 9, 7, 6, 8], 7, inversions, 0, 2)).toEqual({
      vocabulary_mask: float([1, 5, 1], Float32Array.of(1, 0, 0, 1, 0)),
      textual_inversion: float([1, 5, 2], Float32Array.of(0, 0, 30, 40, 1, 2, 0, 0, 10, 20)),
    });
  });
});
