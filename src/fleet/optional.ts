/** Packages that only fleets need. They are not installed with this package, and loaded when an address asks for them. */
import { codeOf, MachineError } from "../errors.js";

/** Loads optional packages. @throws MachineError with the command that installs them */
export async function optional<T>(what: string, packages: readonly string[], load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    if (codeOf(error) !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new MachineError(
      `${what} needs packages that are not installed: npm install ${packages.join(" ")} (in the folder of variegate, or -g beside it)`,
      { cause: error },
    );
  }
}
