export { type DownloadEvent, type Fetching, gigabytes, type PlannedFile } from "./events.js";
export { type HubOptions, type HubPlan, type PlanFile, planFetch } from "./plan.js";
export { fetchPlan, fetchReference, mustHaveRoom } from "./pull.js";
export { type HubReference, hubName, parseHubReference } from "./reference.js";
export { HubError } from "./refusal.js";
export type { Wanted } from "./selection.js";
export { type HubSettings, hubSettings } from "./settings.js";
export { type CachedRepository, type CachedRevision, cachedRepositories, type Removal, removeCached } from "./stock.js";
export { VARIANTS, type Variant } from "./weights.js";
