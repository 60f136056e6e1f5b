export { findShelved, type Library, SHELVES, type Shelf, type Shelved, shelved } from "./model-folders.js";
export { locate, type Places, resolveReference, SHIPPED, type Sources } from "./reference.js";
