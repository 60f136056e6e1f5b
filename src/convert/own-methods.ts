/** Parts of a request that other tools cannot run. */
import { RequestError } from "../errors.js";
import type { GenerateRequest } from "../generate/index.js";

/**
 * @param form name of the form that the plan is written in, as `--as` takes it
 * @throws RequestError for diversity methods, which are written for this program's loop
 */
export function refuseOwnMethods(form: string, { diversity: [method] = [] }: GenerateRequest): void {
  if (!method) return;
  throw new RequestError(`--as ${form} takes no diversity method; leave --diversity ${method.method} out`, {
    field: "diversity",
  });
}
