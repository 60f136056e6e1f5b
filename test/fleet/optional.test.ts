import { expect, it } from "vitest";
import { MachineError } from "../../src/errors.js";
import { optional } from "../../src/fleet/optional.js";

it("a package that is not installed is named in one line, with the command that installs it", async () => {
  const name = "variegate-package-that-is-not-there";
  const loading = optional("--queue redis://…", [name, "ioredis"], () => import(/* @vite-ignore */ name));
  await expect(loading).rejects.toThrow(MachineError);
  await expect(loading).rejects.toThrow(
    `--queue redis://… needs packages that are not installed: npm install ${name} ioredis`,
  );
});

it("an error of a package that is installed stays as it is", async () => {
  const broken = () => Promise.reject(new TypeError("broken"));
  await expect(optional("x", ["y"], broken)).rejects.toThrow(new TypeError("broken"));
});
