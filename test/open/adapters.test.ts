import { utimesSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, expect, it } from "vitest";
import { safetensors } from "../../src/checkpoint/index.js";
import { openPair, readAdapterReference } from "../../src/open/index.js";
import { float } from "../../src/tensor/index.js";
import { temporaryFolder } from "../support/folder.js";

const pair = await openPair({}, { threads: 1 });
afterAll(() => pair.close());

it("an adapter is opened once, and again when its file has changed", async () => {
  const file = path.join(temporaryFolder(), "slider.safetensors");
  const write = (value: number, time: number) => {
    writeFileSync(file, safetensors({ "lora_unet_conv_out.diff_b": float([4], new Float32Array(4).fill(value)) }));
    utimesSync(file, time, time);
  };
  write(1, 1000);
  const first = await pair.openAdapter(file);
  expect(await pair.openAdapter(file)).toBe(first);
  // Same size, another time of change.
  write(2, 2000);
  const second = await pair.openAdapter(file);
  expect(second).not.toBe(first);
  const biasOf = (adapter: typeof first) => {
    const delta = adapter.targets[0]?.delta;
    return delta?.kind === "difference" ? delta.bias?.data[0] : undefined;
  };
  expect([biasOf(first), biasOf(second)]).toEqual([1, 2]);
  await expect(pair.openAdapter(`${file}.gone`)).rejects.toMatchObject({ exitCode: 3 });
});

it("a plain scale is a number, other scales are text", () => {
  expect(readAdapterReference("a.safetensors:0.8")).toEqual({ ref: "a.safetensors", scale: 0.8 });
  expect(readAdapterReference("a:-1e-1", "base")).toEqual({ ref: "a", scale: -0.1, on: "base" });
  expect(readAdapterReference("a:0@0-1,0.8@2-3")).toEqual({ ref: "a", scale: "0@0-1,0.8@2-3" });
});
