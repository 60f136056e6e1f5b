/** The folder for files that can be made again: under XDG_CACHE_HOME, or the system's default. */
import os from "node:os";
import path from "node:path";

/** Path of the package's cache folder. It may not exist yet. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const places: Partial<Record<NodeJS.Platform, string>> = {
    darwin: path.join(os.homedir(), "Library", "Caches"),
    win32: env["LOCALAPPDATA"] ?? path.join(os.homedir(), "AppData", "Local"),
  };
  const root = env["XDG_CACHE_HOME"] || places[process.platform] || path.join(os.homedir(), ".cache");
  return path.join(root, "variegate");
}
