import { cpSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { UnsupportedConfigError } from "../../src/errors.js";
import { openPair } from "../../src/open/index.js";
import { temporaryFolder } from "../support/folder.js";

const BASE = fileURLToPath(new URL("../../embedded/base", import.meta.url));

/** The embedded base, its autoencoder's config asking for an activation that there is not. */
function withWrongDecoder(): string {
  const folder = temporaryFolder();
  for (const name of readdirSync(BASE)) {
    if (name === "vae") cpSync(path.join(BASE, name), path.join(folder, name), { recursive: true });
    else symlinkSync(path.join(BASE, name), path.join(folder, name));
  }
  const file = path.join(folder, "vae", "config.json");
  const config: unknown = JSON.parse(readFileSync(file, "utf8"));
  writeFileSync(file, JSON.stringify(Object.assign({}, config, { act_fn: "mish" })));
  return folder;
}

const threads = () => readdirSync("/proc/self/task").length;

it.runIf(process.platform === "linux")("a pair that cannot be opened leaves no thread", async () => {
  const base = withWrongDecoder();
  const fails = () => expect(openPair({ base })).rejects.toThrow(UnsupportedConfigError);
  // The first starts the threads that Node keeps for reading files.
  await fails();
  const before = threads();
  for (let i = 0; i < 3; i++) await fails();
  expect(threads()).toBe(before);
});
