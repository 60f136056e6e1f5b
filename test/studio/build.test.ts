import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { studioForTests } from "../support/studio.js";

const folder = fileURLToPath(new URL("../../dist/studio", import.meta.url));
const client = studioForTests();

describe("the built page", () => {
  it("has at most 150 kB in gzip", () => {
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const sizes = files.map(({ parentPath, name }) => gzipSync(readFileSync(path.join(parentPath, name))).length);
    expect(sizes.length).toBeGreaterThan(2);
    expect(sizes.reduce((n, size) => n + size, 0)).toBeLessThan(150_000);
  });

  it("is served with everything that it names, and with no other file", async () => {
    const page = await client.send("GET", "");
    expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
    const html = String(page.body);
    const names = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, name = ""]) => name);
    expect(names.length).toBeGreaterThanOrEqual(3);
    for (const name of names) {
      expect(name).toMatch(/^\/[^/]/);
      const { status, headers } = await client.send("GET", name);
      expect([status, headers.get("x-content-type-options")], name).toEqual([200, "nosniff"]);
    }
    // Neither a script nor a style is in the page itself.
    expect(html).not.toMatch(/<style|<script(?![^>]*\ssrc=)|\son\w+=|\sstyle=/);
    for (const other of ["assets/..%2f..%2findex.js", "assets/%2e%2e/index.html", "assets/index.html", "index.js"]) {
      expect((await client.send("GET", other)).status, other).toBe(404);
    }
  });
});

describe("types of the API", { timeout: 240_000 }, () => {
  it("are those of the server's OpenAPI document", async () => {
    const script = fileURLToPath(new URL("../../scripts/studio-types.js", import.meta.url));
    const ended = await promisify(execFile)(process.execPath, [script, "--check"]);
    expect(ended).toEqual({ stdout: "", stderr: "" });
  });
});
