/** References of models as Python expressions: arguments of `from_pretrained`, and paths of files. */
import { existsSync } from "node:fs";
import path from "node:path";
import { parseHubReference } from "../hub/index.js";
import { resolveReference } from "../lookup/index.js";
import { text } from "./python.js";

/** A Python expression, and the import that it needs. */
export interface Expression {
  readonly code: string;
  readonly imports: readonly string[];
}

export const isLocal = (ref: string): boolean => existsSync(resolveReference(ref));

/** Arguments of `from_pretrained`: a folder, or a Hub id with revision and subfolder. `inside` is a subfolder of the reference. */
export function folder(ref: string, inside = ""): string {
  const local = isLocal(ref);
  const { id = ref, revision = "main", path: given = "" } = (local ? null : parseHubReference(ref)) ?? {};
  const place = local ? path.resolve(resolveReference(ref)) : id;
  const subfolder = [given, inside].filter((part) => part !== "").join("/");
  const options = { ...(revision !== "main" && { revision }), ...(subfolder !== "" && { subfolder }) };
  return [text(place), ...Object.entries(options).map(([key, value]) => `${key}=${text(value)}`)].join(", ");
}

/** Path of a file: a local one, or one that is fetched from the Hub. */
export function file(ref: string): Expression {
  const hub = isLocal(ref) ? null : parseHubReference(ref);
  if (!hub) return { code: text(path.resolve(resolveReference(ref))), imports: [] };
  const at = hub.revision === "main" ? "" : `, revision=${text(hub.revision)}`;
  return {
    code: `hf_hub_download(${text(hub.id)}, ${text(hub.path)}${at})`,
    imports: ["from huggingface_hub import hf_hub_download"],
  };
}
