/** Part of this room that describes requests. Help loads it without zod. */
export { GROUPS, type Group } from "./groups.js";
export { nearest } from "./nearest.js";
