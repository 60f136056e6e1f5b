/** `variegate studio`: serves until it is interrupted, then finishes writing and ends with 0. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { VariegateError } from "../errors.js";
import type { OpenOptions, PairReference } from "../open/index.js";
import { serveStudio } from "../server/index.js";
import { fetching } from "./fetching.js";
import { openBrowser } from "./open-browser.js";
import type { Terminal } from "./terminal.js";

export interface StudioCommandOptions {
  readonly workspace?: string;
  readonly port?: number;
  readonly address?: string;
  /** Opens the page in the browser. */
  readonly open?: boolean;
  /** True for a random token. */
  readonly token?: string | true;
}

/** A1111's port. */
const PORT = 7860;

export async function runStudio(
  terminal: Terminal,
  models: PairReference & OpenOptions,
  { workspace = "out/studio", port = PORT, address = "127.0.0.1", open = false, token: asked }: StudioCommandOptions,
  signal: AbortSignal,
): Promise<void> {
  // A flag without a text must not hide the variable.
  const token =
    asked === true ? process.env["VARIEGATE_TOKEN"] || randomBytes(24).toString("base64url") : (asked ?? null);
  const server = await serveStudio({
    ...{ models, workspace, address, port, token },
    opening: fetching(terminal, signal),
    onError: (error) =>
      terminal.warn(
        error instanceof VariegateError
          ? error.message
          : `internal error: ${error instanceof Error ? error.stack : String(error)}`,
      ),
  });
  try {
    if (port !== 0 && server.port !== port) terminal.warn(`port ${port} is taken; this is port ${server.port}`);
    const url = token === null ? server.url : `${server.url}?token=${encodeURIComponent(token)}`;
    terminal.emit({ url, ...(token !== null && { token }) });
    terminal.print(`${url}\nThe API is described at ${server.url}openapi.json. Ctrl-C ends the studio.`);
    if (open) openBrowser(url, terminal.warn);
    if (!signal.aborted) await once(signal, "abort");
  } finally {
    await server.close();
  }
}
