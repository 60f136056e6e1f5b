/** Parts of a request that other tools cannot run. */
import { RequestError } from "../errors.js";
import type { GenerateRequest } from "../generate/index.js";

/**
 * @param form name of the form that the plan is written in, as `--as` takes it
 * @throws RequestError for diversity methods, choices of seeds and jumps, which are written for this program's loop
 */
export function refuseOwnMethods(form: string, request: GenerateRequest): void {
  const { diversity: [method] = [] } = request;
  if (method) {
    throw new RequestError(`--as ${form} takes no diversity method; leave --diversity ${method.method} out`, {
      field: "diversity",
    });
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
