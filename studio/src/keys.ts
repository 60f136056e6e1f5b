/** Keys of the page that work wherever no text is typed: 1 to 9 set the switch. */
import type { Session } from "./session.svelte.js";

/** True where a key belongs to what has the focus: text, a number, a list of choices. */
export function isTyping(event: KeyboardEvent): boolean {
  const { target } = event;
  if (!(target instanceof HTMLElement)) return false;
  return target.matches("textarea, select, input:not([type=range]):not([type=checkbox]):not([type=radio])");
}

const isPlain = (event: KeyboardEvent): boolean => !event.ctrlKey && !event.metaKey && !event.altKey;

/** 1–9: so many rows by the base; 0: none. */
export function setSwitch(event: KeyboardEvent, session: Session): void {
  if (!/^\d$/.test(event.key) || !isPlain(event) || isTyping(event) || !session.pair?.distilled) return;
  event.preventDefault();
  const rows = Math.min(Number(event.key), session.fewSteps);
  session.change({ switch: rows, baseAlone: false }, "switch");
}

/** Ctrl+Z: undo, where no text is typed. */
export function undo(event: KeyboardEvent, session: Session): void {
  if (event.key !== "z" || !(event.ctrlKey || event.metaKey) || event.shiftKey || isTyping(event)) return;
  event.preventDefault();
  session.undo();
}
