/** Where references of a page lead: files of the user, the embedded folder, addresses, and repositories of the Hub. */
import { z } from "zod";
import { FileError, RequestError } from "../errors.js";
import { ask } from "./download.js";
import { ADAPTER_FOLDERS } from "./embedded.js";
import type { WebFiles } from "./file-system.js";
import type { WebOptions } from "./reference.js";
import { keep, kept } from "./store.js";

export type ModelKind = "pipeline" | "unet" | "text encoder" | "autoencoder" | "adapter" | "textual inversion";

export interface Locate {
  /** Path of a reference. @throws FileError naming what was tried; RequestError for an ambiguous name */
  path(ref: string, kind: ModelKind): Promise<string>;
  /** Names of adapters: embedded ones, and files of the user. */
  adapterNames(): string[];
}

const HUB = "https://huggingface.co";

/** `owner/name`, `owner/name@revision`, and a folder or file in it behind a slash or a colon. */
const HUB_ID = /^([\w.-]+\/[\w.-]+?)(?:@([^/:@]+))?(?:[/:](.+))?$/;

const stem = (name: string): string => name.replace(/\.(safetensors|sft|gguf|ckpt|pt|pth|bin)$/i, "");

export function locator(files: WebFiles, { hub = HUB, token, signal }: WebOptions): Locate {
  const embedded = (): string[] =>
    ADAPTER_FOLDERS.flatMap((folder) => files.below(`embedded:${folder}`).map((name) => `${folder}${name}`));

  function embeddedAdapter(ref: string): string | null {
    const found = embedded().filter((file) => file.slice(file.indexOf("/") + 1).includes(ref));
    const [only] = found;
    if (found.length > 1) throw new RequestError(`"${ref}" could be ${found.join(" or ")}; name one of them`);
    return only === undefined ? null : `embedded:${only}`;
  }

  return {
    async path(ref, kind) {
      const named = [...files.given.keys()].find((name) => name === ref || stem(name) === ref);
      if (named !== undefined) return `file:${named}`;
      if (/^(embedded:|https?:)/.test(ref)) return ref.replace(/\/$/, "");
      const own = kind === "adapter" ? embeddedAdapter(ref) : null;
      if (own !== null) return own;
      const [, id, revision = "main", inside] = HUB_ID.exec(ref) ?? [];
      if (id !== undefined) return onTheHub(files, { hub, token, signal }, id, revision, inside);
      throw new FileError(
        ref,
        "is neither a file that was given to this page, an address, nor a Hub id (owner/name, owner/name/file)",
      );
    },
    adapterNames: () => [
      ...embedded().map((file) => stem(file.slice(file.indexOf("/") + 1))),
      ...[...files.given.keys()].map(stem),
    ],
  };
}

interface Hub {
  readonly hub: string;
  readonly token: string | undefined;
  readonly signal: AbortSignal | undefined;
}

const infoSchema = z.object({ sha: z.string(), siblings: z.array(z.object({ rfilename: z.string() })) });

/** Lists a repository, and returns the path of a place in it. */
async function onTheHub(
  files: WebFiles,
  { hub, token, signal }: Hub,
  id: string,
  revision: string,
  inside = "",
): Promise<string> {
  const headers: Record<string, string> = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  const { sha, siblings } = await listed(`${hub}/api/models/${id}/revision/${encodeURIComponent(revision)}`, id, {
    headers,
    ...(signal && { signal }),
  });
  const address = (file: string) => `${hub}/${id}/resolve/${sha}/${file.split("/").map(encodeURIComponent).join("/")}`;
  const addresses = new Map(siblings.map(({ rfilename }) => [rfilename, address(rfilename)]));
  const root = files.mount(`${id}@${sha}`, addresses, headers);
  return inside === "" ? root : `${root}/${inside}`;
}

/** The list of a repository's files: of now, or the last one where the Hub cannot be reached. */
async function listed(address: string, id: string, init: RequestInit): Promise<z.output<typeof infoSchema>> {
  let response: Response;
  try {
    response = await ask(address, init);
  } catch (error) {
    const before = error instanceof FileError ? await kept(address) : null;
    if (!before) throw error;
    return infoSchema.parse(JSON.parse(await before.text()));
  }
  if (!response.ok) {
    const why = response.status === 401 || response.status === 403 ? "; it is private or gated: give a token" : "";
    throw new FileError(id, `as a Hub id: the Hub answered ${response.status}${why}`);
  }
  const list = infoSchema.parse(await response.json());
  const text = new Blob([JSON.stringify(list)]);
  await keep(address, text.stream(), text.size);
  return list;
}
