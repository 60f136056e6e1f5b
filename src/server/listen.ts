/** Node's HTTP server for a studio: its port, and its end. */
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { codeOf, MachineError, RequestError } from "../errors.js";
import { createApp } from "./app.js";
import { isLoopback } from "./guard.js";
import { createOtherModels } from "./other-models.js";
import { openStudio, type Studio, type StudioOptions } from "./studio.js";

export interface ServeOptions extends StudioOptions {
  /** Address to listen on. Another one than this machine's own needs a token. */
  readonly address: string;
  /** Port, or the next free one; 0 for any. */
  readonly port: number;
  readonly token: string | null;
}

export interface StudioServer {
  /** Address of the server, without the token. */
  readonly url: string;
  readonly port: number;
  /** Finishes writing, ends all connections and closes the models. */
  close(): Promise<void>;
}

/** Ports that are tried after a taken one. */
const TRIED = 20;
const MOST_CONNECTIONS = 1024;

/** Opens a studio and serves it. @throws RequestError, MachineError when the address cannot be used; as openStudio */
export async function serveStudio(options: ServeOptions): Promise<StudioServer> {
  const { address, token, onError } = options;
  if (token === null && !isLoopback(address)) {
    throw new RequestError(`${address} can be reached from other machines: that needs --token`, { field: "address" });
  }
  let studio = await openStudio(options);
  let port = options.port;
  const others = createOtherModels(
    () => studio,
    options,
    (opened) => {
      studio = opened;
      app = appOf(opened);
    },
  );
  const appOf = (served: Studio) => createApp(served, { token, port: () => port, onError, others });
  let app = appOf(studio);
  try {
    const server = createAdaptorServer({ fetch: (request, env) => app.fetch(request, env) }) as Server;
    server.maxConnections = MOST_CONNECTIONS;
    port = await listen(server, address, options.port);
    const host = address.includes(":") ? `[${address}]` : address;
    return {
      url: `http://${host}:${port}/`,
      port,
      async close() {
        const ended = new Promise<void>((resolve) => server.close(() => resolve()));
        server.closeIdleConnections();
        await others.stop();
        await studio.close();
        server.closeAllConnections();
        await ended;
      },
    };
  } catch (error) {
    await studio.close();
    throw error;
  }
}

/** Listens on a port, or on the next free one. Returns it. */
async function listen(server: Server, address: string, wanted: number): Promise<number> {
  const last = wanted === 0 ? 0 : Math.min(65_535, wanted + TRIED);
  for (let port = wanted; port <= last; port++) {
    try {
      return await bound(server, address, port);
    } catch (error) {
      const code = codeOf(error);
      if (code === "EADDRINUSE") continue;
      if (code === "EACCES")
        throw new MachineError(`port ${port} needs more rights; try --port 7860`, { cause: error });
      if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND") {
        throw new MachineError(`${address} is no address of this machine (${code})`, { cause: error });
      }
      throw error;
    }
  }
  throw new MachineError(`the ports ${wanted} to ${last} are taken; try --port 0`);
}

function bound(server: Server, address: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, address, () => {
      server.off("error", reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}
