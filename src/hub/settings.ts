/** Settings of the Hub from the environment variables of huggingface_hub: endpoint, token, cache, offline mode. */
import { readFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { RequestError } from "../errors.js";

export interface HubSettings {
  /** URL without a trailing slash. */
  readonly endpoint: string;
  readonly token: string | null;
  /** Folder of the cache. */
  readonly cache: string;
  /** No requests are sent. */
  readonly offline: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

const isOn = (value: string | undefined): boolean => /^(1|on|yes|true)$/i.test(value ?? "");

/** Expands `~` and `$NAME` in a path, as a shell does. */
function expanded(text: string, env: Environment): string {
  const home = text.replace(/^~(?=$|[/\\])/, () => os.homedir());
  return home.replace(/\$(?:\{(\w+)\}|(\w+))/g, (all, a, b) => env[a ?? b] ?? all);
}

/** @throws RequestError when HF_ENDPOINT is not a URL or the token is malformed */
export function hubSettings(env: Environment = process.env): HubSettings {
  const of = (...names: string[]) => names.map((n) => env[n]).find((v) => v !== undefined && v !== "");
  const place = (given: string | undefined, fallback: string) => path.resolve(expanded(given ?? fallback, env));
  const home = place(
    of("HF_HOME"),
    path.join(of("XDG_CACHE_HOME") ?? path.join(os.homedir(), ".cache"), "huggingface"),
  );
  const endpoint = (of("HF_ENDPOINT") ?? "https://huggingface.co").replace(/\/+$/, "");
  if (!/^https?:\/\/[^/]/.test(endpoint) || !URL.canParse(endpoint))
    throw new RequestError(`HF_ENDPOINT is ${JSON.stringify(endpoint)}: expected a URL such as https://huggingface.co`);
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
    // A missing or unreadable file means no token.
    return undefined;
  }
}

/** The trimmed token. @throws RequestError, without the token in its message, when it has characters that no token has */
function clean(token: string | undefined): string | null {
  const bare = token?.trim() ?? "";
  if (bare === "") return null;
  if (/^[\x21-\x7e]+$/.test(bare)) return bare;
  throw new RequestError(
    "the token of the Hub (HF_TOKEN or the token file) has spaces or characters that are not allowed; copy it again",
  );
}
