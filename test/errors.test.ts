import { describe, expect, it } from "vitest";
import {
  AdapterShapeError,
  FileError,
  MachineError,
  RequestError,
  UnsupportedConfigError,
  WeightMissingError,
  WeightShapeError,
} from "../src/errors.js";

const file = "a/b.safetensors";

describe("an error's problem", () => {
  it.each([
    [new RequestError("no such option"), "no such option", "no such option"],
    [new MachineError("the disk is full"), "the disk is full", "the disk is full"],
    [new FileError(file, "is cut short"), "is cut short", "a/b.safetensors: is cut short"],
    [
      new UnsupportedConfigError({ file, key: "act_fn", actual: "mish", supported: "silu" }),
      'act_fn = "mish" is not supported; supported: silu',
      'a/b.safetensors: act_fn = "mish" is not supported; supported: silu',
    ],
    [
      new WeightMissingError({ file, tensor: "conv_in.weight" }),
      "conv_in.weight is missing; the config asks for it",
      "conv_in.weight is missing from a/b.safetensors; the config asks for it",
    ],
    [
      new WeightShapeError({ file, tensor: "w", expected: [2, 3], actual: [3, 2] }),
      "w is [3, 2]; the config asks for [2, 3]",
      "w in a/b.safetensors is [3, 2]; the config asks for [2, 3]",
    ],
    [
      new AdapterShapeError({ file, tensor: "up", layer: "conv_in", expected: [2, "rank"], actual: [3, 4] }),
      "up is [3, 4]; conv_in asks for [2, rank]",
      "a/b.safetensors: up is [3, 4]; conv_in asks for [2, rank]",
    ],
  ])("is the message without the file: $name", (error, problem, message) => {
    expect(error).toMatchObject({ problem, message, name: error.constructor.name });
  });

  it("keeps the cause", () => {
    const cause = new Error("below");
    expect(new FileError(file, "cannot be read", { cause }).cause).toBe(cause);
  });
});
