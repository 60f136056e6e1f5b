/** What the Hub's refusals mean, and what to do about each. */
import { FileError } from "../errors.js";
import type { HubReference } from "./reference.js";
import type { HubSettings } from "./settings.js";

/** The Hub does not give it: no such thing, no right to it, or no way there. */
export class HubError extends FileError {
  /** HTTP's; null where there was no answer. */
  readonly status: number | null;
  readonly problem: string;

  constructor(file: string, problem: string, status: number | null, options?: ErrorOptions) {
    super(file, problem, options);
    this.status = status;
    this.problem = problem;
  }
}

export interface Answer {
  readonly status: number;
  /** X-Error-Code. */
  readonly code: string | null;
  /** X-Error-Message. */
  readonly message: string | null;
}

/** The error that an answer stands for. */
export function refusal(
  { id, revision }: HubReference,
  place: string,
  answer: Answer,
  settings: HubSettings,
): HubError {
  const { status, code, message } = answer;
  const page = `${settings.endpoint}/${id}`;
  const tokens = `${settings.endpoint}/settings/tokens`;
  const say = (problem: string) => new HubError(id, problem, status);
  if (code === "GatedRepo") {
    const then = settings.token
      ? "with the account of your token (a fine-grained token must allow gated repositories)"
      : `and set HF_TOKEN to a token of your account (${tokens})`;
    return say(`is gated: accept its licence at ${page} ${then}`);
  }
  if (code === "RevisionNotFound")
    return say(`has no branch, tag or commit ${JSON.stringify(revision)}; see ${page}/tree/main`);
  if (code === "EntryNotFound") return say(`has no file ${place} at ${revision}; see ${page}/tree/${revision}`);
  if (status === 401 && /invalid (credentials|username)/i.test(message ?? ""))
    return say(`the Hub does not accept the token of HF_TOKEN or of the token file; make a new one at ${tokens}`);
  if (status === 401 || status === 404 || code === "RepoNotFound") {
    const or = settings.token
      ? "or it is private and your token may not read it"
      : `or it is private: then set HF_TOKEN (${tokens})`;
    return say(`is not on the Hub (${settings.endpoint}): perhaps it is spelled otherwise, ${or}`);
  }
  if (status === 403) return say(`the Hub does not allow it (403${message ? `: ${message}` : ""}); see ${page}`);
  return say(`the Hub answered ${status}${message ? ` (${message})` : ""}`);
}
