/** Hub references: repository, revision and path, parsed from the forms that users write. */

/** File or folder of a repository on the Hub. */
export interface HubReference {
  /** "owner/name". */
  readonly id: string;
  /** Branch, tag or commit. */
  readonly revision: string;
  /** Folder or file in the repository; "" is the whole repository. */
  readonly path: string;
}

const WORD = /^\w(?:[\w.-]{0,94}\w)?$/;
const isName = (word: string) =>
  WORD.test(word) && !word.includes("--") && !word.includes("..") && !word.endsWith(".git");
/** File extensions, which repository names do not have: `models/sd15.safetensors` is a path, not a repository. */
const FILE = /\.(safetensors|ckpt|bin|pt|pth|gguf|json|csv|txt|png|jpe?g|webp|parquet|ya?ml|zip)$/i;
/** Pull requests and conversions are revisions with slashes. Any other slash in a revision is written %2F. */
const REST = /^(?:@(refs\/(?:pr|convert)\/[^/:@]+|[^/:@]+))?((?:\/[^:@]*)?)(?:@([^/:@]+))?(?::([^:]+))?$/;
const URL_FORM =
  /^https?:\/\/(?:www\.)?(?:huggingface\.co|hf\.co)\/([^/?#]+\/[^/?#]+)(?:\/(?:tree|blob|resolve)\/([^/?#]+)((?:\/[^?#]*)?))?/;

/** True for a relative path that stays inside its folder, on every operating system. */
export const staysInside = (place: string): boolean =>
  !/[\\:]|\p{Cc}/u.test(place) && place.split("/").every((part) => part !== "" && part !== "." && part !== "..");

/**
 * Parses `owner/name`, `owner/name@revision`, `owner/name:subfolder`, `owner/name/path/file.safetensors`, and their URLs as a browser
 * shows them; null for any other text.
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

/** The reference as a user writes it. */
export function hubName({ id, revision, path }: HubReference): string {
  const at =
    revision === "main" ? "" : `@${/^refs\/(pr|convert)\//.test(revision) ? revision : encodeURIComponent(revision)}`;
  return `${id}${at}${path && `/${path}`}`;
}
