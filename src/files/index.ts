export { makeFolder } from "./folder.js";
export { locked } from "./lock.js";
export { writeWhole } from "./write.js";
