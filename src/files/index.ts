export { csvRows } from "./csv.js";
export { isFolder, makeFolder } from "./folder.js";
export { imageUrl, thumbnailUrl } from "./image-url.js";
export { parseJson } from "./json.js";
export { isAlive, locked } from "./lock.js";
export { encodePng, readPngText, withPngText } from "./png.js";
export { writeWhole } from "./write.js";
