/** The folders for files that can be made again, and for the user's settings. */
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

/** Path of the user's settings of the package: under XDG_CONFIG_HOME, or the system's default. It may not exist yet. */
export function configFolder(env: NodeJS.ProcessEnv = process.env): string {
  const places: Partial<Record<NodeJS.Platform, string>> = {
    darwin: path.join(os.homedir(), "Library", "Application Support"),
    win32: env["APPDATA"] ?? path.join(os.homedir(), "AppData", "Roaming"),
  };
  const root = env["XDG_CONFIG_HOME"] || places[process.platform] || path.join(os.homedir(), ".config");
  return path.join(root, "variegate");
}
