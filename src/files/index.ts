export { csvRows } from "./csv.js";
export { makeFolder } from "./folder.js";
export { parseJson } from "./json.js";
export { locked } from "./lock.js";
export { encodePng, readPngText, withPngText } from "./png.js";
export { writeWhole } from "./write.js";
