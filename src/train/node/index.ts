export { type FolderOptions, readImages } from "./images.js";
