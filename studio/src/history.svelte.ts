/** Earlier runs and favourite images, as the page lists them. */
import type { Backend, Image, Run } from "./backend.js";

export interface History {
  readonly runs: readonly Run[];
  readonly favourites: readonly Image[];
  readonly hasMore: boolean;
  /** Reads the newest again. */
  refresh(): Promise<void>;
  more(): Promise<void>;
  remove(id: string): Promise<void>;
}

export function createHistory(backend: Backend): History {
  let runs = $state.raw<readonly Run[]>([]);
  let favourites = $state.raw<readonly Image[]>([]);
  let hasMore = $state(true);
  return {
    get runs() {
      return runs;
    },
    get favourites() {
      return favourites;
    },
    get hasMore() {
      return hasMore;
    },
    async refresh() {
      const [newest, liked] = await Promise.all([backend.history(), backend.favourites()]);
      const last = newest.at(-1);
      const older = last ? runs.slice(runs.findIndex(({ id }) => id === last.id) + 1) : [];
      runs = runs.some(({ id }) => id === last?.id) ? [...newest, ...older] : newest;
      favourites = liked;
    },
    async more() {
      const last = runs.at(-1);
      const older = await backend.history(last?.id);
      hasMore = older.length > 0;
      runs = [...runs, ...older];
    },
    async remove(id) {
      await backend.remove(id);
      runs = runs.filter((run) => run.id !== id);
      favourites = favourites.filter(({ run }) => run !== id);
    },
  };
}
