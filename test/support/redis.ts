/** A real redis-server for tests: started on a free port, stopped when the test file is done. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { atEnd } from "./ending.js";
import { temporaryFolder } from "./folder.js";

/** Why tests with Redis are skipped; null where it is installed. */
export const NO_REDIS: string | null =
  spawnSync("redis-server", ["--version"]).status === 0
    ? null
    : "redis-server is not installed (apt-get install redis-server)";
if (NO_REDIS !== null) process.stderr.write(`${NO_REDIS}: tests with Redis are skipped\n`);

export interface RedisServer {
  readonly port: number;
  readonly url: string;
  readonly pid: number;
  /** Kills the server as a power cut would, and starts it again on what it had written. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address ? address.port : 0;
}

/** Starts a server that appends every change to its file. `options`: further words of its command line. */
export async function startRedis(options: readonly string[] = [], host = "127.0.0.1"): Promise<RedisServer> {
  const port = await freePort();
  const dir = temporaryFolder();
  const fixed = ["--dir", dir, "--save", "", "--appendonly", "yes", "--appendfsync", "always", "--bind", host];
  // A server with TLS listens on --tls-port only.
  const ports = options.includes("--tls-cert-file")
    ? ["--port", "0", "--tls-port", String(port)]
    : ["--port", String(port)];
  let child: ChildProcess | undefined;
  const start = async () => {
    child = spawn("redis-server", [...fixed, ...ports, ...options], { stdio: "ignore" });
    await answering(port, host);
  };
  const stop = async (signal: NodeJS.Signals) => {
    const ended = child && child.exitCode === null && child.signalCode === null ? once(child, "exit") : null;
    child?.kill(signal);
    await ended;
  };
  await start();
  atEnd(() => stop("SIGKILL"));
  return {
    port,
    url: `redis://${host}:${port}`,
    get pid() {
      return child?.pid ?? 0;
    },
    async restart() {
      await stop("SIGKILL");
      await start();
    },
    stop: () => stop("SIGTERM"),
  };
}

async function answering(port: number, host: string): Promise<void> {
  for (let i = 0; i < 200; i++) {
    const socket = connect(port, host);
    const isOpen = await Promise.race([
      once(socket, "connect").then(() => true),
      once(socket, "error").then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (isOpen) return;
    await sleep(25);
  }
  throw new Error(`redis-server does not answer on port ${port}`);
}
