import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { differenceOf } from "../../bench/figures.js";

it("differences of images are of the same image and pixel, and NaN where there is none", () => {
  const [a, b] = [Uint8Array.of(0, 10, 20, 30), Uint8Array.of(5, 5, 5, 5)];
  expect(differenceOf([a, b], [a, b])).toMatchObject({ mean: 0, largest: 0 });
  // (1 + 0 + 0 + 3) / 4
  expect(differenceOf([a], [Uint8Array.of(1, 10, 20, 33)])).toMatchObject({ mean: 1, largest: 3 });
  // (5 + 5 + 15 + 25 + the same) / 8, where the images are swapped.
  expect(differenceOf([a, b], [b, a])).toMatchObject({ mean: 12.5, largest: 25 });
  expect(differenceOf([a, b], [a]).mean).toBeNaN();
  expect(differenceOf([a], [a.slice(0, 3)]).mean).toBeNaN();
});

it("npm run device has a row for the CPU, and says why the other devices are missing", () => {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const args = ["--import", "tsx", "bench/device.ts", "--quick", "--json"];
  const env = { ...process.env, LD_LIBRARY_PATH: "", VK_ICD_FILENAMES: "/missing.json" };
  const { status, stdout } = spawnSync(process.execPath, args, { cwd: root, env, encoding: "utf8" });
  const { rows, missing } = JSON.parse(stdout);
  expect(status).toBe(0);
  expect(rows[0]).toMatchObject({ device: "cpu", step: null, problems: [] });
  expect(rows[0].images.float32).toBeGreaterThan(0);
  const names = [...rows, ...missing].map((found: { device: string }) => found.device);
  expect(names.toSorted((a, b) => a.localeCompare(b))).toEqual(["coreml", "cpu", "cuda", "dml", "openvino", "webgpu"]);
  for (const { why } of missing) expect(why).toMatch(/\w+/);
}, 240_000);
