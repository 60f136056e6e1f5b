/** The page of the studio: files that `npm run build` writes into dist/studio. Only names that the folder lists are served. */
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { Context } from "hono";
import { compress } from "hono/compress";
import type { Api } from "./api.js";
import { Refusal } from "./refusal.js";

const FOLDER = fileURLToPath(new URL("../../dist/studio/", import.meta.url));

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** Serves the page at `/`, and the files that it loads. */
export function addPage(app: Api): void {
  const listed = async (): Promise<readonly string[]> => {
    const found = await readdir(FOLDER, { recursive: true }).catch(() => []);
    return found.map((name) => name.split(path.sep).join("/"));
  };
  async function serve(c: Context, name: string): Promise<Response> {
    const type = TYPES[path.extname(name)];
    if (type === undefined || !(await listed()).includes(name)) {
      const advice = name === "index.html" ? "the page is not built: run npm run build; " : "";
      throw new Refusal(404, `${advice}there is no ${c.req.path}; /openapi.json lists the routes`);
    }
    c.header("Content-Type", type);
    // The build names files in assets/ by their contents.
    if (name.startsWith("assets/")) c.header("Cache-Control", "private, max-age=31536000, immutable");
    return c.body(new Uint8Array(await readFile(path.join(FOLDER, name))), 200);
  }
  app.use("/assets/*", compress());
  app.get("/", (c) => serve(c, "index.html"));
  app.get("/icon.svg", (c) => serve(c, "icon.svg"));
  app.get("/assets/:name", (c) => serve(c, `assets/${c.req.param("name")}`));
}
