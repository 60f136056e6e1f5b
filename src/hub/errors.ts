/** Errors of the Hub: the class, its kinds, and the message for each refusal, with the remedy. */
import { FileError } from "../errors.js";
import type { HubReference } from "./reference.js";
import type { HubSettings } from "./settings.js";

/** Reason why the Hub, or the cache in its place, does not provide a file. */
export type HubErrorKind =
  /** No such repository, revision or file; also a private repository without access, which the Hub does not tell apart. */
  | "not-found"
  /** The licence has to be accepted first. */
  | "gated"
  /** The token is not valid. */
  | "unauthorized"
  | "forbidden"
  /** Any other status that a retry does not change. */
  | "refused"
  /** No connection to the endpoint. */
  | "unreachable"
  /** All retries failed. The partial download is kept. */
  | "interrupted"
  /** The response does not come from a Hub. */
  | "invalid-answer"
  /** Offline, and the cache does not contain the repository at this revision. */
  | "not-cached"
  /** Offline, and the cache contains only some of the files. */
  | "incomplete-cache";

/** The Hub, or the cache in its place, does not provide a file. */
export class HubError extends FileError {
  override readonly name: string = "HubError";
  readonly kind: HubErrorKind;
  /** HTTP status; null without a response. */
  readonly status: number | null;

  constructor(
    file: string,
    problem: string,
    facts: { readonly kind: HubErrorKind; readonly status?: number },
    options?: ErrorOptions,
  ) {
    super(file, problem, options);
    this.kind = facts.kind;
    this.status = facts.status ?? null;
  }
}

/** The parts of a response that identify an error. */
export interface Answer {
  readonly status: number;
  /** X-Error-Code. */
  readonly code: string | null;
  /** X-Error-Message. */
  readonly message: string | null;
}

/** The error for a response of the Hub. */
export function hubErrorFor(reference: HubReference, place: string, answer: Answer, settings: HubSettings): HubError {
  const kind = kindOf(answer);
  const problem = PROBLEMS[kind]({ reference, place, answer, settings });
  return new HubError(reference.id, problem, { kind, status: answer.status });
}

type Refusal = "not-found" | "gated" | "unauthorized" | "forbidden" | "refused";

function kindOf({ status, code, message }: Answer): Refusal {
  if (code === "GatedRepo") return "gated";
  if (code === "RevisionNotFound" || code === "EntryNotFound") return "not-found";
  if (status === 401 && /invalid (credentials|username)/i.test(message ?? "")) return "unauthorized";
  if (status === 401 || status === 404 || code === "RepoNotFound") return "not-found";
  return status === 403 ? "forbidden" : "refused";
}

interface Context {
  readonly reference: HubReference;
  readonly place: string;
  readonly answer: Answer;
  readonly settings: HubSettings;
}

const page = ({ reference, settings }: Context): string => `${settings.endpoint}/${reference.id}`;
const tokens = ({ settings }: Context): string => `${settings.endpoint}/settings/tokens`;

const PROBLEMS: { readonly [K in Refusal]: (context: Context) => string } = {
  gated: (c) =>
    `is gated: accept its licence at ${page(c)} ${
      c.settings.token
        ? "with the account of your token (a fine-grained token must allow gated repositories)"
        : `and set HF_TOKEN to a token of your account (${tokens(c)})`
    }`,
  "not-found": missing,
  unauthorized: (c) => `the Hub rejects the token from HF_TOKEN or the token file; create a new one at ${tokens(c)}`,
  forbidden: (c) => `the Hub denies access (403${c.answer.message ? `: ${c.answer.message}` : ""}); see ${page(c)}`,
  refused: ({ answer: { status, message } }) => `the Hub answered ${status}${message ? ` (${message})` : ""}`,
};

function missing(context: Context): string {
  const { reference, place, answer, settings } = context;
  const { revision } = reference;
  if (answer.code === "RevisionNotFound")
    return `has no branch, tag or commit ${JSON.stringify(revision)}; see ${page(context)}/tree/main`;
  if (answer.code === "EntryNotFound")
    return `has no file ${place} at ${revision}; see ${page(context)}/tree/${revision}`;
  const or = settings.token
    ? "or it is private and your token has no access to it"
    : `or it is private: then set HF_TOKEN (${tokens(context)})`;
  return `is not on the Hub (${settings.endpoint}): the name may be misspelt, ${or}`;
}
