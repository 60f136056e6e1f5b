/** Part of this room that other rooms load without queues and stores. */
export { withoutCredentials } from "./address.js";
