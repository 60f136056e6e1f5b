/** What becomes of files that a user gives to the page. The server checks them. */
import type { AdapterFacts } from "./backend.js";
import type { Session } from "./session.svelte.js";
import type { AdapterSetting } from "./settings.js";

const RECORDS = /\.(png|json)$/i;

/** A slider for an adapter, at full strength. */
export const sliderFor = ({ ref }: Pick<AdapterFacts, "ref">): AdapterSetting => ({
  ...{ ref, scale: 1, on: "both", only: null, given: null },
});

/** Adds a slider for an adapter, unless it has one. */
export function addSlider(session: Session, facts: AdapterFacts): void {
  const { adapters } = session.settings;
  if (adapters.some(({ ref }) => ref === facts.ref)) session.say(`${facts.name} has a slider already.`);
  else session.change({ adapters: [...adapters, sliderFor(facts)] });
}

/** Takes files: records set everything as it was, all others are adapters. What is refused is said. */
export async function takeFiles(session: Session, files: readonly File[]): Promise<void> {
  for (const file of files) {
    await session.attempt(async () => {
      if (RECORDS.test(file.name)) {
        const { request, image, notices } = await session.backend.restore(file);
        session.adopt(request);
        session.selected = image?.seed ?? null;
        if (notices.length > 0) session.say(notices.join(" "));
        return;
      }
      const facts = await session.backend.addAdapter(file);
      await session.readAdapters();
      addSlider(session, facts);
    });
  }
}
