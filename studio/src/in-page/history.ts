/** Runs of the page with their images, in the browser's database: they are there on the next visit. */
import type { Image, Request, Run } from "../backend.js";

/** An image as it is kept. */
export interface KeptImage extends Omit<Image, "url"> {
  readonly png: Blob;
}

/** A run as it is kept. */
export interface KeptRun {
  readonly id: string;
  readonly created: string;
  readonly client: string;
  readonly request: Request;
  readonly images: readonly KeptImage[];
}

const STORE = "runs";

/** Runs by id, the newest last: in the database, and in memory where there is none. */
export interface RunStore {
  all(): readonly KeptRun[];
  get(id: string): KeptRun | undefined;
  image(id: string): KeptImage | undefined;
  put(run: KeptRun): void;
  remove(id: string): void;
  /** The run as the page shows it. */
  view(run: KeptRun): Run;
  viewImage(image: KeptImage): Image;
}

const done = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

async function openDatabase(): Promise<IDBDatabase | null> {
  try {
    const opening = indexedDB.open("variegate", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE, { keyPath: "id" });
    return await done(opening);
  } catch {
    return null;
  }
}

export async function openRunStore(): Promise<RunStore> {
  const database = await openDatabase();
  const stored: KeptRun[] = database ? await done(database.transaction(STORE).objectStore(STORE).getAll()) : [];
  const runs = new Map(stored.sort((a, b) => (a.created < b.created ? -1 : 1)).map((run) => [run.id, run]));
  const urls = new Map<string, string>();
  const store = () => database?.transaction(STORE, "readwrite").objectStore(STORE);
  const viewImage = ({ png, ...image }: KeptImage): Image => {
    const url = urls.get(image.id) ?? URL.createObjectURL(png);
    urls.set(image.id, url);
    return { ...image, url };
  };
  return {
    all: () => [...runs.values()],
    get: (id) => runs.get(id),
    image: (id) => [...runs.values()].flatMap(({ images }) => images).find((image) => image.id === id),
    put(run) {
      runs.set(run.id, run);
      // Without space in the database the run is there until the page is left.
      store()?.put(run);
    },
    remove(id) {
      for (const image of runs.get(id)?.images ?? []) {
        URL.revokeObjectURL(urls.get(image.id) ?? "");
        urls.delete(image.id);
      }
      runs.delete(id);
      store()?.delete(id);
    },
    view: ({ images, ...run }) => ({
      ...{ ...run, state: "done", ahead: null, error: null, events: "" },
      images: images.map(viewImage),
    }),
    viewImage,
  };
}
