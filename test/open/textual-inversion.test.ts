import { writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { safetensors } from "../../src/checkpoint/index.js";
import { FileError, WeightShapeError } from "../../src/errors.js";
import { openTextualInversions } from "../../src/open/index.js";
import { type FloatTensor, float } from "../../src/tensor/index.js";
import { temporaryFolder } from "../support/folder.js";

function written(name: string, tensors: Readonly<Record<string, FloatTensor>>): string {
  const file = path.join(temporaryFolder(), name);
  writeFileSync(file, safetensors(tensors));
  return file;
}
const fixture = (name: string) => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));
const row = (...values: number[]) => float([1, values.length], Float32Array.from(values));

describe("files of textual inversions", () => {
  it("give the token that is asked for, else the one in the file, else the file's name", async () => {
    const named = written("a.safetensors", { "<toy>": row(1, 2) });
    const nameless = written("easy.negative.safetensors", { emb_params: row(3, 4) });
    const opened = await openTextualInversions([{ ref: named, token: "x" }, { ref: named }, { ref: nameless }], [2]);
    expect(opened).toEqual([
      { token: "x", name: "a", embeddings: [row(1, 2)] },
      { token: "<toy>", name: "a", embeddings: [row(1, 2)] },
      { token: "<easy.negative>", name: "easy.negative", embeddings: [row(3, 4)] },
    ]);
  });

  it("give every word of a file with several", async () => {
    const file = written("words.safetensors", { "<toy>": row(1, 2), "<box>": row(3, 4) });
    expect(await openTextualInversions([{ ref: file }], [2])).toEqual([
      { token: "<toy>", name: "words", embeddings: [row(1, 2)] },
      { token: "<box>", name: "words", embeddings: [row(3, 4)] },
    ]);
    await expect(openTextualInversions([{ ref: file, token: "x" }], [2])).rejects.toThrow(
      /has 2 words \(<toy>, <box>\), which keep their tokens; leave out =x/,
    );
  });

  it("of pivotal tuning have the vectors of both text encoders", async () => {
    const [mine, same] = await openTextualInversions(
      ["trained", "the-same"].map((name) => ({ ref: fixture(`learned-words/${name}.safetensors`), token: "zq" })),
      [64, 96],
    );
    expect(mine?.embeddings.map((e) => e.shape)).toEqual([
      [2, 64],
      [2, 96],
    ]);
    expect(mine?.embeddings).toEqual(same?.embeddings);
    await expect(
      openTextualInversions([{ ref: fixture("learned-words/one-encoder.safetensors"), token: "zq" }], [64, 96]),
    ).rejects.toMatchObject({
      exitCode: 3,
      problem: expect.stringContaining("second text encoder (clip_g), and none"),
    });
  });

  it("are refused by name", async () => {
    const infinite = written("a.safetensors", { "<toy>": row(1, Number.POSITIVE_INFINITY) });
    await expect(openTextualInversions([{ ref: infinite }], [2])).rejects.toThrow(FileError);
    await expect(openTextualInversions([{ ref: infinite }], [2])).rejects.toMatchObject({ file: infinite });
    const wide = written("b.safetensors", { "<toy>": row(1, 2, 3) });
    await expect(openTextualInversions([{ ref: wide }], [2])).rejects.toThrow(WeightShapeError);
    await expect(openTextualInversions([{ ref: wide }], [2])).rejects.toMatchObject({
      expected: [1, 2],
      actual: [1, 3],
    });
  });
});
