import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { temporaryFolder } from "../support/folder.js";

const scripts = fileURLToPath(new URL("../../scripts", import.meta.url));

it("never installs through a linked node_modules, which npm would empty for the checkouts that share it", () => {
  const folder = temporaryFolder();
  const [shared, checkout] = [path.join(folder, "shared"), path.join(folder, "checkout")];
  const kept = path.join(shared, "node_modules", "kept");
  mkdirSync(kept, { recursive: true });
  mkdirSync(path.join(checkout, "src"), { recursive: true });
  for (const name of ["ensure.js", "build.js"]) cpSync(path.join(scripts, name), path.join(checkout, "scripts", name));
  // The lock file is newer than what is installed.
  utimesSync(kept, new Date(0), new Date(0));
  for (const name of ["package.json", "package-lock.json"]) {
    writeFileSync(path.join(checkout, name), '{ "type": "module", "lockfileVersion": 3, "packages": {} }');
  }
  symlinkSync(path.join(shared, "node_modules"), path.join(checkout, "node_modules"), "junction");
  const { status, stderr } = spawnSync(process.execPath, ["scripts/ensure.js"], { cwd: checkout, encoding: "utf8" });
  expect(status).toBe(1);
  expect(stderr).toMatch(/^node_modules is a link to .*shared.node_modules: run npm ci beside that folder\n$/);
  expect(existsSync(kept)).toBe(true);
});
