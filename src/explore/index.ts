export {
  type Direction,
  type Exploration,
  type ExploredMode,
  exploration,
  exploreRequests,
  type Kept,
} from "./explore.js";
export { type ExploreRequest, exploreFields } from "./request.js";
