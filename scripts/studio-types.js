/**
 * Writes studio/src/api.d.ts, the types of the studio's HTTP API, from the OpenAPI document that the server makes. Needs a build.
 *
 *     node scripts/studio-types.js            write the file
 *     node scripts/studio-types.js --check    exit with 1 if it is out of date
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import openapi, { astToString } from "openapi-typescript";

const FILE = fileURLToPath(new URL("../studio/src/api.d.ts", import.meta.url));

/** The types, as they should be. */
async function studioTypes() {
  const { serveStudio } = await import("../dist/server/index.js");
  const workspace = mkdtempSync(join(tmpdir(), "studio-types-"));
  const server = await serveStudio({
    ...{ models: {}, workspace, address: "127.0.0.1", port: 0, token: null },
    onError: (error) => {
      throw error;
    },
  });
  try {
    const document = await (await fetch(new URL("openapi.json", server.url))).json();
    // The version of the package would make the file out of date at each release.
    document.info.version = "0";
    const types = astToString(await openapi(document, { alphabetize: true, immutable: true }));
    return `/** Types of the studio's HTTP API, written by scripts/studio-types.js from its OpenAPI document. */\n\n${types}`;
  } finally {
    await server.close();
    rmSync(workspace, { recursive: true, force: true });
  }
}

const types = await studioTypes();
if (process.argv[2] !== "--check") writeFileSync(FILE, types);
else if (readFileSync(FILE, "utf8") !== types) {
  process.stderr.write("studio/src/api.d.ts is out of date; run npm run docs\n");
  process.exitCode = 1;
}
