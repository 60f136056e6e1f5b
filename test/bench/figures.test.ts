import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { comparedWith, PEAK, readFigures } from "../../bench/figures.js";
import { timesIn } from "../../bench/peer-sd-cli.js";
import { figuresOf } from "../../bench/peers.js";
import { temporaryFolder } from "../support/folder.js";

describe("a comparison with an earlier run", () => {
  const file = path.join(temporaryFolder(), "before.jsonl");
  const lines = [
    { name: PEAK, value: 400, unit: "GFLOP/s" },
    { name: "step", value: 2, unit: "s" },
    { name: "share", value: 0.9, unit: "share" },
  ];
  writeFileSync(file, lines.map((line) => JSON.stringify(line)).join("\n"));
  const earlier = readFigures(file);

  it("counts times in the MatMul peak of each run", () => {
    // A machine with half the peak that takes twice as long does as well.
    expect(comparedWith(earlier, { name: "step", value: 4, unit: "s" }, 200)?.value).toBeCloseTo(1);
    expect(comparedWith(earlier, { name: "step", value: 3, unit: "s" }, 400)?.value).toBeCloseTo(1.5);
    expect(comparedWith(earlier, { name: "share", value: 0.45, unit: "share" }, 200)?.value).toBeCloseTo(0.5);
  });

  it("leaves out what the earlier run lacks, and the peak itself", () => {
    expect(comparedWith(earlier, { name: "other", value: 4, unit: "s" }, 200)).toBeNull();
    expect(comparedWith(earlier, { name: "step", value: 4, unit: "ms" }, 200)).toBeNull();
    expect(comparedWith(earlier, { name: PEAK, value: 200, unit: "GFLOP/s" }, 200)).toBeNull();
    expect(comparedWith(new Map([...earlier].slice(1)), { name: "step", value: 4, unit: "s" }, 200)).toBeNull();
  });

  it("refuses a file that is no output of the benchmark", () => {
    writeFileSync(file, "MatMul peak  400 GFLOP/s");
    expect(() => readFigures(file)).toThrow("is not the output of npm run bench -- --json");
  });
});

describe("figures of engines", () => {
  const times = (step: number, decode: number) => ({ load: 1000, steps: [step, step, step, step], decode, peak: 8e9 });

  it("are medians over rounds, and ratios to float32 and to the others", () => {
    const found = new Map([
      ["variegate float32", [times(4000, 6000), times(4200, 6000), times(4100, 6000)]],
      ["variegate bfloat16 on openvino", [times(2050, 3000)]],
      ["PyTorch float32", [times(8200, 9000)]],
      ["OpenVINO bfloat16", [times(2255, 3000)]],
    ]);
    const value = (name: string) => figuresOf(found, 512).find((figure) => figure.name === name)?.value;
    expect(value("SDXL at 512 px, variegate float32: step")).toBe(4100);
    expect(value("SDXL at 512 px, variegate bfloat16 on openvino: four steps and decode")).toBe(4 * 2050 + 3000);
    expect(value("SDXL-sized step: best type / float32")).toBeCloseTo(0.5);
    expect(value("SDXL at 512 px: step, best of others / best of ours")).toBeCloseTo(1.1);
    expect(value("SDXL at 512 px: picture, PyTorch float32 / variegate float32")).toBeCloseTo(41800 / 22400);
  });
});

describe("the output of stable-diffusion.cpp", () => {
  // Progress overwrites its line; the first bar is that of reading the file.
  const bars = ["21.50s/it", "20.00s/it", "20.25s/it", "1.25it/s", "20.75s/it"].map(
    (time, i) => `\r  |====| ${i + 1}/5 - ${time}`,
  );
  const output = [
    "\r  |====| 5/5 - 1.25GB/s",
    "[INFO ] model.cpp:993 - loading tensors completed, taking 9.50s (process: 0.00s)",
    ...bars,
    "[INFO ] stable-diffusion.cpp:3432 - sampling completed, taking 103.00s",
    "[INFO ] stable-diffusion.cpp:3212 - decode_first_stage completed, taking 31.25s",
  ];

  it("tells times; the first step counts as loading", () => {
    expect(timesIn(output.join("\n"))).toEqual({
      load: 31000,
      steps: [20000, 20250, 800, 20750],
      decode: 31250,
    });
  });

  it("is refused where a time is missing", () => {
    expect(() => timesIn(output.slice(0, -1).join("\n"))).toThrow("decode_first_stage");
    expect(() => timesIn(output.slice(0, 3).join("\n"))).toThrow("expected the times of 5 steps, found 1");
  });
});
