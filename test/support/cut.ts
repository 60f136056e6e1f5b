/** Ways to cut the network between a worker and Redis, without either noticing: packets vanish. */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { atEnd } from "./ending.js";

export interface Cut {
  /** Address of the server on the far side. */
  readonly url: string;
  /** Words before a command on the far side. */
  readonly under: readonly string[];
  cut(): void;
  mend(): void;
}

const ip = (...args: readonly string[]) => spawnSync("ip", args).status === 0;
const NAME = `vg${process.pid}`;
const [NEAR, FAR] = [`10.203.${process.pid % 250}.1`, `10.203.${process.pid % 250}.2`];

/** Why network namespaces are not tried; null where this machine allows them. */
export const NO_NETNS: string | null =
  process.platform === "linux" && ip("netns", "add", `${NAME}try`) && ip("netns", "del", `${NAME}try`)
    ? null
    : "network namespaces are not allowed here";

/** Host of a server that a namespace is to reach. */
export const NEAR_HOST = NEAR;

/** A network namespace that reaches this machine over a pair of virtual devices. */
export function namespaceTo(): { under: readonly string[]; cut(): void; mend(): void } {
  const device = `${NAME}a`;
  atEnd(() => {
    ip("netns", "del", NAME);
    ip("link", "del", device);
  });
  const commands = [
    `netns add ${NAME}`,
    `link add ${device} type veth peer name ${NAME}b`,
    `link set ${NAME}b netns ${NAME}`,
    `addr add ${NEAR}/30 dev ${device}`,
    `link set ${device} up`,
    `-n ${NAME} addr add ${FAR}/30 dev ${NAME}b`,
    `-n ${NAME} link set ${NAME}b up`,
    `-n ${NAME} link set lo up`,
  ];
  for (const command of commands) if (!ip(...command.split(" "))) throw new Error(`ip ${command} failed`);
  return {
    under: ["ip", "netns", "exec", NAME],
    cut: () => ip("link", "set", device, "down"),
    mend: () => ip("link", "set", device, "up"),
  };
}

/** A proxy that stops passing bytes on, and keeps its connections open. */
export async function proxyTo(port: number): Promise<Cut> {
  let isCut = false;
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on("data", (bytes) => {
        if (!isCut) to.write(bytes);
      });
      from.on("error", () => {});
      from.on("close", () => {
        if (!isCut) to.destroy();
      });
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  atEnd(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return {
    url: `redis://127.0.0.1:${typeof address === "object" ? address?.port : 0}`,
    under: [],
    cut: () => {
      isCut = true;
    },
    mend() {
      isCut = false;
      // Bytes are missing from these streams.
      for (const socket of sockets) socket.destroy();
      sockets.clear();
    },
  };
}
