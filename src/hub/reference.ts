/** Names on the Hub: which repository, at which revision, and where in it; and what is no such name but a path. */

/** A place on the Hub. */
export interface HubReference {
  /** "owner/name". */
  readonly id: string;
  /** A branch, a tag, or a commit. */
  readonly revision: string;
  /** A folder or a file in the repository; "" is all of it. */
  readonly path: string;
}

const WORD = /^\w(?:[\w.-]{0,94}\w)?$/;
const isName = (word: string) =>
  WORD.test(word) && !word.includes("--") && !word.includes("..") && !word.endsWith(".git");
/** Endings of files, which no repository's name has: `models/sd15.safetensors` is a path that is not there. */
const FILE = /\.(safetensors|ckpt|bin|pt|pth|gguf|json|csv|txt|png|jpe?g|webp|parquet|ya?ml|zip)$/i;
/** Pull requests and conversions are revisions with slashes; any other slash in a revision is written %2F. */
const REST = /^(?:@(refs\/(?:pr|convert)\/[^/:@]+|[^/:@]+))?((?:\/[^:@]*)?)(?:@([^/:@]+))?(?::([^:]+))?$/;
const URL_FORM =
  /^https?:\/\/(?:www\.)?(?:huggingface\.co|hf\.co)\/([^/?#]+\/[^/?#]+)(?:\/(?:tree|blob|resolve)\/([^/?#]+)((?:\/[^?#]*)?))?/;

/** Whether a path stays in its folder, on every system. */
export const staysInside = (place: string): boolean =>
  !/[\\:]|\p{Cc}/u.test(place) && place.split("/").every((part) => part !== "" && part !== "." && part !== "..");

/**
 * `owner/name`, `owner/name@revision`, `owner/name:subfolder`, `owner/name/path/file.safetensors`, and what a browser shows of
 * them. Null: it is no name on the Hub.
 */
export function parseHubReference(text: string): HubReference | null {
  const [, address, given = "", below = ""] = URL_FORM.exec(text) ?? [];
  if (address !== undefined) return parseHubReference(`${address}${given && `@${given}`}${below.replace(/\/+$/, "")}`);
  const [, owner = "", name = "", rest = ""] = /^(?:hf:\/\/)?([^/@:\\]+)\/([^/@:\\]+)(.*)$/s.exec(text) ?? [];
  const parts = REST.exec(rest);
  if (!parts || !isName(owner) || !isName(name)) return null;
  const [, before, inside = "", after, subfolder = ""] = parts;
  const path = [inside, subfolder]
    .flatMap((p) => p.split("/"))
    .filter((p) => p !== "")
    .join("/");
  if ((before !== undefined && after !== undefined) || (path === "" && FILE.test(name))) return null;
  const revision = decoded(before ?? after ?? "main");
  if (revision === null || !staysInside(revision) || (path !== "" && !staysInside(path))) return null;
  return { id: `${owner}/${name}`, revision, path };
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

/** A reference as one would type it. */
export function hubName({ id, revision, path }: HubReference): string {
  const at =
    revision === "main" ? "" : `@${/^refs\/(pr|convert)\//.test(revision) ? revision : encodeURIComponent(revision)}`;
  return `${id}${at}${path && `/${path}`}`;
}
