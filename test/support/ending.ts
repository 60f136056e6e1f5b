/**
 * What is done when a test file ends, by modules that several files of a process share: their own `afterAll` would be of the first file only.
 * The setup of each file calls `endFile`.
 */
type End = () => unknown;

const ends: End[] = [];

/** Adds what is done when the running test file has ended. The last added is done first. */
export const atEnd = (end: End): unknown => ends.push(end);

/** Does all that was added. */
export async function endFile(): Promise<void> {
  for (const end of ends.splice(0).reverse()) await end();
}
