export { commitOf, repositoryOf } from "./cache.js";
export {
  type CachedRepository,
  type CachedRevision,
  cachedRepositories,
  type Removal,
  removeCached,
} from "./cache-list.js";
export { HubError, type HubErrorKind } from "./errors.js";
export type { DownloadEvent, DownloadOptions, PlannedFile } from "./events.js";
export { type HubOptions, type HubPlan, type PlanFile, planFetch } from "./plan.js";
export { checkDiskSpace, fetchPlan, fetchReference } from "./pull.js";
export { type HubReference, hubName, parseHubReference, staysInside } from "./reference.js";
export { retryAfter, TransientError, withRetries } from "./retry.js";
export { type ModelKind, select } from "./selection.js";
export { type HubSettings, hubSettings } from "./settings.js";
export { VARIANTS, type Variant } from "./weight-files.js";
