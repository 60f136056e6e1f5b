export { queueAddress, showAddress, storeAddress, withoutCredentials } from "./address.js";
export { type ConsumeOptions, consume, type Tasks } from "./consume.js";
export { folderQueue } from "./folder-queue.js";
export { folderStore } from "./folder-store.js";
export { openQueue, openStore } from "./open.js";
export type { Batch, Counts, FailedTask, Lease, WorkerNote, WorkQueue } from "./queue.js";
export type { QueueOptions } from "./redis-queue.js";
export type { ObjectStore } from "./store.js";
