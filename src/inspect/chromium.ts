/** Where Chromium is on this machine. Only tests need it: those of the studio's page and of how other pages behave. */
import { existsSync } from "node:fs";

/** Of Debian's and Ubuntu's packages, and of Google's. */
const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Path of Chromium; null where it is not installed. @param places paths that are tried in order */
export const chromiumPath = (places: readonly string[] = PLACES): string | null =>
  places.find((file) => existsSync(file)) ?? null;

/** Says whether Chromium is installed, what for, and how to install it. */
export const chromiumSentence = (path: string | null): string =>
  path === null
    ? "no Chromium: tests of the studio's page and of other pages are skipped (apt-get install -y chromium); nothing else needs it"
    : `Chromium for tests of the studio's page and of other pages: ${path}`;
