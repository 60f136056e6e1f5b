/** What the environment says about the Hub, in the words of Hugging Face's own library: where it is, who asks, where files are kept. */
import { readFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { RequestError } from "../errors.js";

export interface HubSettings {
  /** Without a slash at the end. */
  readonly endpoint: string;
  readonly token: string | null;
  /** The folder of the cache. */
  readonly cache: string;
  /** Nothing is asked of the network. */
  readonly offline: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

const isOn = (value: string | undefined): boolean => /^(1|on|yes|true)$/i.test(value ?? "");

/** `~` and `$NAME` in a path, as a shell would. */
function expanded(text: string, env: Environment): string {
  const home = text.replace(/^~(?=$|[/\\])/, () => os.homedir());
  return home.replace(/\$(?:\{(\w+)\}|(\w+))/g, (all, a, b) => env[a ?? b] ?? all);
}

/** @throws RequestError when HF_ENDPOINT is no address */
export function hubSettings(env: Environment = process.env): HubSettings {
  const of = (...names: string[]) => names.map((n) => env[n]).find((v) => v !== undefined && v !== "");
  const place = (given: string | undefined, fallback: string) => path.resolve(expanded(given ?? fallback, env));
  const home = place(
    of("HF_HOME"),
    path.join(of("XDG_CACHE_HOME") ?? path.join(os.homedir(), ".cache"), "huggingface"),
  );
  const endpoint = (of("HF_ENDPOINT") ?? "https://huggingface.co").replace(/\/+$/, "");
  if (!/^https?:\/\/[^/]/.test(endpoint) || !URL.canParse(endpoint))
    throw new RequestError(
      `HF_ENDPOINT is ${JSON.stringify(endpoint)}: expected an address such as https://huggingface.co`,
    );
  const tokenFile = place(of("HF_TOKEN_PATH"), path.join(home, "token"));
  const token = isOn(env["HF_HUB_DISABLE_IMPLICIT_TOKEN"])
    ? null
    : (clean(of("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")) ?? clean(readToken(tokenFile)));
  return {
    endpoint,
    token,
    cache: place(of("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"), path.join(home, "hub")),
    offline: isOn(of("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")),
  };
}

function readToken(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    // No file, no token; one that may not be read is nobody's.
    return undefined;
  }
}

/** @throws RequestError, without showing it, when it cannot be one */
function clean(token: string | undefined): string | null {
  const bare = token?.trim() ?? "";
  if (bare === "") return null;
  if (/^[\x21-\x7e]+$/.test(bare)) return bare;
  throw new RequestError(
    "the Hub's token (HF_TOKEN or the token file) holds spaces or letters that no token has; copy it again",
  );
}
