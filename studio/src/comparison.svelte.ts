/** Two saved images that are shown side by side. */
import type { Image, Request } from "./backend.js";
import type { Made } from "./differences.js";
import { settingsOf } from "./settings.js";

export interface Comparison {
  /** None, one or two. */
  readonly list: readonly Made[];
  has(image: Image): boolean;
  /** Adds an image with the request that made it, or takes it out. A third one replaces the first. */
  toggle(image: Image, request: Request): void;
  clear(): void;
}

export function createComparison(): Comparison {
  let list = $state.raw<readonly Made[]>([]);
  const has = ({ id }: Image) => list.some(({ image }) => image.id === id);
  return {
    get list() {
      return list;
    },
    has,
    toggle(image, request) {
      list = has(image)
        ? list.filter((made) => made.image.id !== image.id)
        : [...list.slice(-1), { image, settings: settingsOf(request) }];
    },
    clear() {
      list = [];
    },
  };
}
