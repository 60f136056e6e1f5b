export { type AttributeRequest, attributesFor, checkedAttributes } from "./attribute-request.js";
export { readAttributes } from "./attributes.js";
export { type Group, type ImageFolder, readFolder, type Skipped } from "./folder.js";
export { type Instruments, measureFolder } from "./folder-measures.js";
export { type PromptList, readPrompts } from "./prompts.js";
export { type Measurement, type MeasureProgress, type MeasureRequest, measure } from "./request.js";
export type { FolderMeasures, Measure } from "./result.js";
export type { MeasuredAttributes } from "./self-check.js";

import type { Page } from "./page.js";

/** Renders a measurement as one HTML page. The plotting library is loaded on demand. */
export const measurePage = async (page: Page): Promise<string> => (await import("./page.js")).measurePage(page);
export { promptFor } from "./prompts.js";
