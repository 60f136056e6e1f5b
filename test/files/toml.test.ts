import { describe, expect, it } from "vitest";
import { FileError } from "../../src/errors.js";
import { tomlEntries } from "../../src/files/index.js";

const values = (text: string) =>
  tomlEntries("config.toml", text).map(({ path, value }) => [path.join("/"), value] as const);

describe("TOML of trainers", () => {
  it("is read with tables, strings, numbers, booleans and lists", () => {
    const text = `# a config
network_dim = 16 # rank
"learning_rate" = 1e-4
[general]
shuffle_caption = false
name = "a # \\"b\\"" # not this
[[datasets.subsets]]
image_dir = 'C:\\images'
resolution = [
  512, # width
  768,
]
betas = [0.9, 0.99]
steps = 1_600
text = """two
lines"""
inline = { rank = 4 }
`;
    expect(values(text)).toEqual([
      ["network_dim", 16],
      ["learning_rate", 1e-4],
      ["general/shuffle_caption", false],
      ["general/name", 'a # "b"'],
      ["datasets/subsets/image_dir", "C:\\images"],
      ["datasets/subsets/resolution", [512, 768]],
      ["datasets/subsets/betas", [0.9, 0.99]],
      ["datasets/subsets/steps", 1600],
      ["datasets/subsets/text", "two\nlines"],
      ["datasets/subsets/inline/rank", 4],
    ]);
  });

  it.each([
    ["a = 1\nb", 2],
    ["a = hello", 1],
    ["a = [1, 2", 1],
    ["[a b]\nc = 1", 1],
    ["= 1", 1],
  ])("refuses %j with its line", (text, line) => {
    expect(() => tomlEntries("config.toml", text)).toThrow(FileError);
    expect(() => tomlEntries("config.toml", text)).toThrow(new RegExp(`config.toml: line ${line}: .`));
  });
});
