export { GROUPS, type Group } from "./groups.js";
export { expectedBy } from "./issue.js";
export { nearest } from "./nearest.js";
export {
  type Fields,
  formsOf,
  grouped,
  groupOf,
  type InputOf,
  type OptionForm,
  option,
  type ReadonlyData,
  required,
} from "./option.js";
export { expectation, issuesError, parseRequest, readPlain } from "./parse.js";
