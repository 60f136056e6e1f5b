import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { afterAll, describe, expect, it } from "vitest";
import { libraryCode } from "../../src/convert/index.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const examples = readdirSync(path.join(root, "examples")).filter((f) => f.endsWith(".ts"));

/** README's library example as a file in this package, so that "variegate" is this package as built. */
const folder = path.join(root, "out", `readme-${process.pid}`);
const fromReadme = path.join(folder, "library.ts");
const [, code = ""] = /```ts\n([\s\S]*?)```/.exec(readFileSync(path.join(root, "README.md"), "utf8")) ?? [];
mkdirSync(folder, { recursive: true });
writeFileSync(fromReadme, code);
/** Library code as the studio writes it. */
const copied = path.join(folder, "copied.ts");
const adapters = [{ ref: "smile.base", scale: { whole: 1, samples: [{ seed: 3, scale: 0 }] }, on: "both" as const }];
writeFileSync(copied, libraryCode({ pair: "embedded" }, { prompts: ["a fox"], mode: "hybrid", switch: 2, adapters }));
afterAll(() => rmSync(folder, { recursive: true }));

const files = [...examples.map((file) => path.join(root, "examples", file)), fromReadme];

/** Text that an example must print. */
const PRINTED: Readonly<Record<string, RegExp>> = {
  "01-compare.ts": /hybrid: 4 steps, CLIP distance 0\.\d+, pixel distance 0\.\d+/,
  "02-cancel.ts": /five steps are enough/,
  "05-experiment.ts": /more diverse: agrees$/m,
  "07-train.ts": /scale -2: smile -\d\.\d+\n.*\nscale 2: smile \d/,
  "library.ts": /^CLIP distance 0\.\d+, pixel distance 0\.\d+$/m,
};

describe("examples", { timeout: 240_000 }, () => {
  it("type-check against the built package with the strictest options of a user", () => {
    const program = ts.createProgram([...files, copied], {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      lib: ["lib.es2023.d.ts"],
      types: ["node"],
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      noPropertyAccessFromIndexSignature: true,
      noEmit: true,
      skipLibCheck: true,
      typeRoots: [path.join(root, "node_modules/@types")],
    });
    const problems = ts.getPreEmitDiagnostics(program);
    const host = { getCanonicalFileName: (f: string) => f, getCurrentDirectory: () => root, getNewLine: () => "\n" };
    expect(ts.formatDiagnostics(problems, host)).toBe("");
    expect(program.getSourceFile(path.join(root, "dist/index.d.ts"))).toBeDefined();
  });

  it.each(files)("%s runs as it stands", (file) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ["--import", "tsx", file], {
      encoding: "utf8",
      cwd: root,
    });
    expect(stderr).toBe("");
    expect(status).toBe(0);
    expect(stdout).toMatch(PRINTED[path.basename(file)] ?? /.+\n.+\n.+/);
  });
});
