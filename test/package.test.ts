import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { temporaryFolder } from "./support/folder.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const manifest = z
  .object({
    files: z.array(z.string()),
    repository: z.object({ url: z.string() }),
    homepage: z.url(),
    bugs: z.url(),
    keywords: z.array(z.string()).min(5),
    scripts: z.record(z.string(), z.string()),
  })
  .parse(JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")));

/** Relative links of a Markdown file, without anchors, as paths from the root of the package. */
const linksOf = (file: string): string[] =>
  [...readFileSync(path.join(root, file), "utf8").matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)/g)].map(
    ([, link = ""]) => path.posix.join(path.posix.dirname(file), link),
  );

describe("the package", () => {
  it("names its repository, which npm's page needs to resolve relative links", () => {
    expect(manifest.repository.url).toMatch(/^git\+https:\/\/.*\.git$/);
    const repository = manifest.repository.url.replace(/^git\+|\.git$/g, "");
    expect(manifest.homepage.startsWith(repository)).toBe(true);
    expect(manifest.bugs.startsWith(repository)).toBe(true);
  });

  it("contains every file that it lists", () => {
    for (const name of manifest.files.filter((f) => !f.startsWith("!"))) {
      expect(existsSync(path.join(root, name)), name).toBe(true);
    }
  });

  it.each([
    "README.md",
    ...readdirSync(path.join(root, "docs")).flatMap((f) => (f.endsWith(".md") ? `docs/${f}` : [])),
  ])("has no dead link in %s", (file) => {
    for (const link of linksOf(file)) expect(existsSync(path.join(root, link)), `${file}: ${link}`).toBe(true);
  });
});

/** Copies ONNX Runtime's package and this package's script to an empty project. Returns its folder. */
function project(): string {
  const folder = path.join(temporaryFolder(), "node_modules");
  const [ours, runtime] = [path.join(folder, "variegate"), path.join(folder, "onnxruntime-node")];
  mkdirSync(path.join(runtime, "bin"), { recursive: true });
  mkdirSync(path.join(ours, "scripts"), { recursive: true });
  cpSync(path.join(root, "scripts/preinstall.js"), path.join(ours, "scripts/preinstall.js"));
  cpSync(path.join(root, "package.json"), path.join(ours, "package.json"));
  for (const part of ["package.json", "script"]) {
    cpSync(path.join(root, "node_modules/onnxruntime-node", part), path.join(runtime, part), { recursive: true });
  }
  // As published: npm has run preinstall.js on the package here.
  const install = path.join(runtime, "script/install.js");
  writeFileSync(
    install,
    readFileSync(install, "utf8").replace(/^\/\/ Added by variegate[\s\S]*?(?=\/\/ Copyright)/, ""),
  );
  // Dependencies of the install script.
  for (const entry of readdirSync(path.join(root, "node_modules"))) {
    if (entry.startsWith(".") || entry.startsWith("onnxruntime")) continue;
    symlinkSync(path.join(root, "node_modules", entry), path.join(folder, entry));
  }
  return folder;
}

/** Runs a script as npm does. No feed can be reached: the proxy is a closed port. */
function asNpm(event: string, file: string, set: Readonly<Record<string, string>> = {}) {
  const inherited = Object.entries(process.env).filter(([key]) => !/onnxruntime|^npm_package_json/i.test(key));
  const env = {
    ...Object.fromEntries(inherited),
    npm_lifecycle_event: event,
    GLOBAL_AGENT_HTTPS_PROXY: "http://127.0.0.1:9",
    ...set,
  };
  return spawnSync(process.execPath, [file], { env, encoding: "utf8", cwd: path.dirname(path.dirname(file)) });
}

/** Only linux-x64 has files that ONNX Runtime's script fetches. */
describe.skipIf(process.platform !== "linux" || process.arch !== "x64")("an installation without NuGet", () => {
  const folder = project();
  const install = path.join(folder, "onnxruntime-node/script/install.js");
  const asked = { npm_config_onnxruntime_node_install: "true" };

  it("fails in ONNX Runtime's script as it is published", () => {
    expect(asNpm("postinstall", install, asked).status).toBe(1);
  });

  it("succeeds after preinstall.js, which changes the script once", () => {
    const before = readFileSync(install, "utf8");
    for (const _ of [1, 2]) {
      const ours = asNpm("preinstall", path.join(folder, "variegate/scripts/preinstall.js"));
      expect(ours).toMatchObject({ status: 0, stdout: "", stderr: "" });
    }
    const after = readFileSync(install, "utf8");
    expect(after.endsWith(before)).toBe(true);
    expect(after.split("Added by variegate").length).toBe(2);
    expect(asNpm("postinstall", install)).toMatchObject({ status: 0, stdout: "" });
  });

  it("says that the CUDA provider is missing where it was asked for", () => {
    const { status, stderr } = asNpm("postinstall", install, asked);
    expect(status).toBe(0);
    expect(stderr).toMatch(/CUDA provider .* was not fetched: .*docs\/gpu\.md/);
  });

  it("still fails when a user runs the script by hand", () => {
    expect(asNpm("", install, asked).status).toBe(1);
  });
});
