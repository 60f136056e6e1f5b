/** Opens queues and stores by their addresses. */
import { queueAddress, storeAddress } from "./address.js";
import { folderQueue } from "./folder-queue.js";
import { folderStore } from "./folder-store.js";
import type { WorkQueue } from "./queue.js";
import { type QueueOptions, redisQueue } from "./redis-queue.js";
import { s3Store } from "./s3-store.js";
import type { ObjectStore } from "./store.js";

/** Opens a queue: redis://…, rediss://… or a folder. @throws RequestError, MachineError */
export async function openQueue(text: string, o: QueueOptions = {}): Promise<WorkQueue> {
  const address = queueAddress(text);
  return address.kind === "redis" ? redisQueue(address, o) : folderQueue(address.folder);
}

/** Opens a store, s3://… or a folder, and writes to it. @throws FileError if it cannot be written */
export async function openStore(text: string): Promise<ObjectStore> {
  const address = storeAddress(text);
  return address.kind === "s3" ? s3Store(address) : folderStore(address.folder);
}
