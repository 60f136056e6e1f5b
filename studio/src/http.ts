/** The server of this machine as a backend: JSON over HTTP, events as server-sent events. */
import type { components } from "./api.js";
import {
  type AdapterFacts,
  type Backend,
  BackendError,
  FORMS,
  type Image,
  type PairFacts,
  type PlanRow,
  type Run,
  type RunEvent,
  type Trace,
} from "./backend.js";

type Schemas = components["schemas"];

/** Types of the events that the page reads. */
const EVENTS: { readonly [T in RunEvent["type"]]: true } = {
  queued: true,
  started: true,
  notice: true,
  step: true,
  preview: true,
  chosen: true,
  image: true,
  ended: true,
};

const TAB = "tab";
/**
 * Name of this tab, so that two tabs do not supersede each other's runs. It is there only between two loads of the page: a tab that is
 * duplicated in the meantime gets a name of its own.
 */
const tab = sessionStorage.getItem(TAB) ?? crypto.getRandomValues(new Uint32Array(2)).join("-");
sessionStorage.removeItem(TAB);
addEventListener("pagehide", () => sessionStorage.setItem(TAB, tab));
addEventListener("pageshow", () => sessionStorage.removeItem(TAB));

/** Clients of pages: those whose runs are a grid, and the others. */
const GRIDS = /^[\d-]+\.grid$/;
const OTHER_LANES = /^[\d-]+\.(?!grid$)/;

interface Problem {
  readonly error?: { readonly message?: string; readonly field?: string };
}

function send<T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<T> {
  if (body === undefined) return answerOf<T>(path, { method, headers });
  const type = { "Content-Type": "application/json" };
  return answerOf<T>(path, { method, headers: { ...headers, ...type }, body: JSON.stringify(body) });
}

const sendFile = <T>(path: string, file: File): Promise<T> =>
  answerOf<T>(path, { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: file });

async function answerOf<T>(path: string, init: RequestInit): Promise<T> {
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
    problem.error?.message ?? `${path}: ${answer.status} ${answer.statusText}`,
    problem.error?.field ?? null,
    retry > 0 ? retry : null,
  );
}

/** The event of an image has its record, without the address that lists have. */
const addressed = (event: RunEvent): RunEvent =>
  event.type === "image" ? { ...event, image: { ...event.image, url: `/api/images/${event.image.id}` } } : event;

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
        const event = addressed(JSON.parse(String(data)) as RunEvent);
        onEvent(event);
        if (event.type !== "ended") return;
        signal.removeEventListener("abort", leave);
        source.close();
        resolve(event);
      });
    }
  });
}

/** An adapter by the name of its file, without the ending. */
const titled = (facts: AdapterFacts): AdapterFacts => ({
  ...facts,
  name: facts.name.replace(/\.(safetensors|pt|pth|bin|ckpt)$/i, ""),
});

/** Distances of CLIP features where there is a CLIP, else of latents. */
const traceOf = ({ steps, commit, concepts }: Schemas["ImageTrace"]): Trace => ({
  frames: steps.map(({ x0, timestep, model }, step) => ({
    ...{ image: x0, timestep, model },
    distance: (commit.perceptual ?? commit.latent)[step] ?? 0,
  })),
  concepts: concepts.map(({ phrase, similarity, finding, step }) => ({
    ...{ phrase, similarity },
    // As the server finds them: seen above the middle of the range.
    threshold: (Math.min(...similarity) + Math.max(...similarity)) / 2,
    finding: finding === null ? null : { kind: finding, step: step ?? 0 },
  })),
});

export const httpBackend: Backend = {
  takes: { about: "A path, a Hub id, or a name in ComfyUI's or A1111's folders.", options: false },
  pair: () => send<PairFacts>("GET", "/api/pair"),
  async plan(request) {
    const { plan, settings } = await send<{
      plan: { rows: PlanRow[] };
      settings: { switch?: { from: string; on?: string; pair?: string } };
    }>("POST", "/api/plan", request);
    const { from = "", on = "", pair = "" } = settings.switch ?? {};
    const words: Readonly<Record<string, string>> = {
      calibrated: `by the calibration of ${on}`,
      pair: `by the pair ${pair}`,
      default: "the default; variegate calibrate finds this pair’s own",
    };
    return { rows: plan.rows, switchFrom: words[from] ?? "" };
  },
  async run(request, { previews, lane, onEvent, onAccepted, signal }) {
    const client = { "Variegate-Client": `${tab}.${lane}` };
    const run = await send<Run>("POST", `/api/runs?supersede=true&previews=${previews}`, request, client);
    onAccepted?.(run.id);
    signal.throwIfAborted();
    return follow(run.events, onEvent, signal);
  },
  async going() {
    const { runs } = await send<{ runs: Run[] }>("GET", "/api/runs?limit=100");
    const going = runs.filter(({ state, client }) => (state === "queued" || state === "running") && GRIDS.test(client));
    return going.find(({ client }) => client === `${tab}.grid`) ?? going[0] ?? null;
  },
  follow: ({ events }, { onEvent, signal }) => follow(events, onEvent, signal),
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
  remove: (id) => send("DELETE", `/api/runs/${id}`),
  one: (id) => send("GET", `/api/runs/${id}`),
  favourites: async () => (await send<{ images: Image[] }>("GET", "/api/favourites?limit=100")).images,
  async adapters() {
    const { adapters } = await send<{ adapters: AdapterFacts[] }>("GET", "/api/adapters");
    return adapters.map(titled);
  },
  addAdapter: async (file) => titled(await sendFile(`/api/adapters?name=${encodeURIComponent(file.name)}`, file)),
  restore: (file) => sendFile(`/api/restore?name=${encodeURIComponent(file.name)}`, file),
  forms: FORMS,
  write: (request, form) => send("POST", `/api/export?as=${form}`, request),
  diversity: (images) => send("POST", "/api/diversity", { images }),
  async trace(image, phrases) {
    const asked = encodeURIComponent(phrases.join(","));
    return traceOf(await send<Schemas["ImageTrace"]>("GET", `/api/images/${image}/trace?phrases=${asked}`));
  },
  models: () => send("GET", "/api/models"),
  checkModel: (ref, base) => send("POST", "/api/models/check", { ref, base }),
  async openPair(reference, onProgress) {
    await send("POST", "/api/pair", reference);
    for (;;) {
      const pair = await send<PairFacts>("GET", "/api/pair");
      if (!pair.opening) return pair;
      if (pair.opening.error !== null) throw new BackendError(pair.opening.error);
      onProgress(pair.opening.text);
      await new Promise((resolve) => setTimeout(resolve, 400));
    }
  },
  async history(before) {
    const part = before === undefined ? "" : `&before=${before}`;
    const { runs } = await send<{ runs: Run[] }>("GET", `/api/runs?limit=100${part}`);
    return runs.filter(({ images, client }) => images.length > 0 && !OTHER_LANES.test(client));
  },
};
