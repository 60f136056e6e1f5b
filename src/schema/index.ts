export { nearest } from "./nearest.js";
export {
  type Fields,
  formsOf,
  GROUPS,
  type Group,
  grouped,
  groupOf,
  type InputOf,
  type OptionForm,
  option,
  type ReadonlyData,
  required,
} from "./option.js";
export { expectation, issuesError, parseRequest, readPlain } from "./parse.js";
