/** The server of this machine as a backend: JSON over HTTP, events as server-sent events. */
import { type Backend, BackendError, type PairFacts, type PlanRow, type Run, type RunEvent } from "./backend.js";

/** Types of the events that the page reads. */
const EVENTS: { readonly [T in RunEvent["type"]]: true } = {
  queued: true,
  started: true,
  notice: true,
  step: true,
  preview: true,
  image: true,
  ended: true,
};

/** Name of this tab, so that two tabs do not supersede each other's runs. */
const tab = crypto.getRandomValues(new Uint32Array(2)).join("-");

/** Clients of this page whose runs are no grid. */
const OTHER_LANES = /^[\d-]+\.(?!grid$)/;

interface Problem {
  readonly error?: { readonly message?: string; readonly field?: string };
}

async function send<T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<T> {
  const init: RequestInit = { method, headers: { ...headers } };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { ...headers, "Content-Type": "application/json" };
  }
  let answer: Response;
  try {
    answer = await fetch(path, init);
  } catch {
    throw new BackendError("The studio does not answer. Was it ended? Start it again, then reload this page.");
  }
  if (answer.status === 204) return undefined as T;
  const isJson = answer.headers.get("content-type")?.startsWith("application/json") ?? false;
  if (answer.ok && isJson) return (await answer.json()) as T;
  const problem = isJson ? ((await answer.json()) as Problem) : {};
  const retry = Number(answer.headers.get("retry-after"));
  throw new BackendError(
    problem.error?.message ?? `${method} ${path}: ${answer.status} ${answer.statusText}`,
    problem.error?.field ?? null,
    retry > 0 ? retry : null,
  );
}

/** Reads the events of a run until it has ended. A lost connection goes on where it was. */
function follow(
  url: string,
  onEvent: (event: RunEvent) => void,
  signal: AbortSignal,
): Promise<RunEvent & { readonly type: "ended" }> {
  return new Promise((resolve, reject) => {
    const source = new EventSource(url);
    const leave = () => {
      source.close();
      reject(new DOMException("superseded", "AbortError"));
    };
    signal.addEventListener("abort", leave, { once: true });
    source.onerror = () => {
      if (source.readyState !== EventSource.CLOSED) return;
      signal.removeEventListener("abort", leave);
      reject(new BackendError("The events of this run cannot be read. Was the studio ended?"));
    };
    for (const type of Object.keys(EVENTS)) {
      source.addEventListener(type, ({ data }) => {
        const event = JSON.parse(String(data)) as RunEvent;
        onEvent(event);
        if (event.type !== "ended") return;
        signal.removeEventListener("abort", leave);
        source.close();
        resolve(event);
      });
    }
  });
}

export const httpBackend: Backend = {
  pair: () => send<PairFacts>("GET", "/api/pair"),
  async plan(request) {
    const { plan } = await send<{ plan: { rows: PlanRow[] } }>("POST", "/api/plan", request);
    return plan.rows;
  },
  async run(request, { previews, lane, onEvent, onAccepted, signal }) {
    const client = { "Variegate-Client": `${tab}.${lane}` };
    const run = await send<Run>("POST", `/api/runs?supersede=true&previews=${previews}`, request, client);
    onAccepted?.(run.id);
    signal.throwIfAborted();
    return follow(run.events, onEvent, signal);
  },
  cancel: (id) => send("POST", `/api/runs/${id}/cancel`),
  async forget(id) {
    try {
      const run = await send<Run>("GET", `/api/runs/${id}`);
      const isKept = run.state !== "superseded" || run.images.some(({ favourite }) => favourite);
      if (!isKept) await send("DELETE", `/api/runs/${id}`);
    } catch {
      // It stays in the history.
    }
  },
  favourite: (id, favourite) => send("PATCH", `/api/images/${id}`, { favourite }),
  async history() {
    const { runs } = await send<{ runs: Run[] }>("GET", "/api/runs?limit=100");
    return runs.filter(({ images, client }) => images.length > 0 && !OTHER_LANES.test(client));
  },
};
