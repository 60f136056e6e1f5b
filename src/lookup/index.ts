export {
  CATEGORIES,
  type Category,
  type FolderModel,
  findModel,
  listModels,
  type ModelFolder,
} from "./model-folders.js";
export {
  EMBEDDED_ADAPTERS,
  type LookupOptions,
  locate,
  locateByName,
  resolveReference,
  type SearchPath,
} from "./reference.js";
export { tokenizersIn } from "./tokenizers.js";
