/** Parts of a request that other tools cannot run. */
import { RequestError } from "../errors.js";
import type { GenerateRequest } from "../generate/index.js";
import { METHOD_NAMES, METHODS } from "../sampling/index.js";

/** Methods whose rows differ in their guidance scales alone, which any plan has. */
const GUIDING = METHOD_NAMES.filter(
  (name) => METHODS[name].acts === "plan" && METHODS[name].needs.includes("guidance"),
);

/**
 * @param form name of the form that the plan is written in, as `--as` takes it
 * @throws RequestError for methods that act within a step, choices of seeds and jumps, which are of this program's loop
 */
export function refuseOwnMethods(form: string, request: GenerateRequest): void {
  const within = request.diversity?.find(({ method }) => !GUIDING.includes(method));
  if (within) {
    throw new RequestError(
      `--as ${form} takes only diversity methods that set guidance scales (${GUIDING.join(", ")}); leave --diversity ${within.method} out`,
      { field: "diversity" },
    );
  }
  if (request.choose) {
    throw new RequestError(
      `--as ${form} takes no choice of seeds; generate with --choose here, and give the kept seeds with --seeds`,
      { field: "choose" },
    );
  }
  if (request.anchor !== undefined) {
    throw new RequestError(`--as ${form} knows no jump; leave --anchor out`, { field: "anchor" });
  }
}
