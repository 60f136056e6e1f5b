import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { safetensors } from "../../src/checkpoint/index.js";
import { adapterFile, openCheckpoint, openWeights } from "../../src/checkpoint/node/index.js";
import { FileError } from "../../src/errors.js";
import { openDecoder } from "../../src/open/index.js";
import { openRuntime } from "../../src/runtime/node/index.js";
import { float } from "../../src/tensor/index.js";
import { temporaryFolder } from "../support/folder.js";
import { torchFile } from "../support/torchfile.js";

const root = temporaryFolder();
const write = (name: string, content: string | Uint8Array): string => {
  writeFileSync(path.join(root, name), content);
  return path.join(root, name);
};
const page = '\n<!DOCTYPE html>\n<html lang="en"><head><title>Sign in</title>';
const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:31e3\nsize 6938078334\n";
/** protocol 2, GLOBAL os.system, a word, a tuple of it, REDUCE, STOP. */
const code = Buffer.from("\x80\x02cposix\nsystem\nU\x02id\x85R.", "latin1");

describe.each(["safetensors", "ckpt", "gguf", "bin"])("under a name that ends in .%s", (ending) => {
  it.each<[string, string | Uint8Array, RegExp]>([
    ["a web page", page, /is a web page, not weights: .* fetch the file itself/],
    ["an XML message", '<?xml version="1.0"?><Error><Code>AccessDenied</Code>', /is a web page/],
    [
      "a JSON message",
      '{"error":"Repository not found"}',
      /is a JSON text, not weights; it says "Repository not found"/,
    ],
    ["a Git LFS pointer", pointer, /Git LFS pointer, not weights \(the file itself has 6\.94 GB\): run `git lfs pull`/],
    ["nothing", "", /is empty: .* fetch it again/],
    ["a pickle that wants code", code, /asks for posix\.system; only tensors are read, nothing was run/],
  ])("%s is called what it is", async (_, content, message) => {
    const file = write(`bad.${ending}`, content);
    const failure = await openWeights(file).catch((e: unknown) => e);
    expect(failure).toBeInstanceOf(FileError);
    expect(String(failure)).toMatch(message);
    expect(String(failure).split("\n")).toHaveLength(1);
  });
});

describe("under a name with the wrong ending", () => {
  const tensors = { a: float([2, 3], Float32Array.of(1, 2, 3, 4, 5, 6)) };
  it.each(["right.ckpt", "right.pt", "right.bin", "right.sft", "right"])("safetensors opens as %s", async (name) => {
    const { weights } = await openWeights(write(name, safetensors(tensors)));
    expect(weights.get("a")).toMatchObject({ shape: [2, 3], dtype: "float32" });
  });

  it("a PyTorch file opens as .safetensors", async () => {
    const bytes = new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6).buffer);
    const file = write("torch.safetensors", torchFile([{ name: "a", dtype: "F32", shape: [2, 3], bytes }]));
    expect((await openWeights(file)).weights.get("a")).toMatchObject({ shape: [2, 3] });
  });

  it("something else is refused with the endings that are read", async () => {
    await expect(openWeights(write("notes.txt", "hello there"))).rejects.toThrow(
      /weights are read from \.safetensors, .*\.gguf/,
    );
    await expect(openWeights(write("config.json", '{"a":1}'))).rejects.toThrow(
      /is a JSON file, .* name the folder that it is in/,
    );
  });
});

describe("a file where a folder was expected, and the reverse", () => {
  const folder = (name: string, ...files: string[]): string => {
    mkdirSync(path.join(root, name));
    for (const file of files) write(`${name}/${file}`, "");
    return path.join(root, name);
  };

  it("is said, with what is there", async () => {
    await expect(openWeights(folder("one"))).rejects.toThrow(/is a folder; expected a file/);
    await expect(openCheckpoint(folder("two", "a.safetensors"))).rejects.toThrow(
      /is no diffusers folder: .* it has: a\.safetensors; a file in it may be named itself/,
    );
    await expect(openCheckpoint(folder("three", "notes.txt"))).rejects.toThrow(/it has: notes\.txt$/);
    const runtime = openRuntime({ threads: 1 });
    await expect(openDecoder(runtime, folder("four", "x"))).rejects.toThrow(/holds no autoencoder .* it has: x/);
    await runtime.close();
  });

  it("is an adapter's folder where diffusers or PEFT saved one", async () => {
    const saved = folder("five", "pytorch_lora_weights.safetensors");
    expect(await adapterFile(saved)).toBe(path.join(saved, "pytorch_lora_weights.safetensors"));
    await expect(adapterFile(folder("six", "x"))).rejects.toThrow(/is a folder without an adapter .* it has: x/);
  });

  // Whoever is root may read everything.
  it.skipIf(process.getuid?.() === 0)("without permission to read is said so", async () => {
    const closed = folder("seven");
    chmodSync(closed, 0o000);
    await expect(openCheckpoint(closed)).rejects.toThrow(/cannot be read \(EACCES\)/);
    chmodSync(closed, 0o700);
  });
});
