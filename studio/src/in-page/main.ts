/** Starts the page on the engine in it. */
import "../app.css";
import { mount } from "svelte";
import App from "../App.svelte";
import { inPageBackend } from "./backend.js";
import { isolate } from "./isolate.js";

/** What is being downloaded, or why the models could not be opened. */
const note = document.getElementById("opening");
const say = (text: string | null): void => {
  if (note) [note.textContent, note.hidden] = [text ?? "", text === null];
};

if (await isolate()) location.reload();
else mount(App, { target: document.body, props: { backend: await inPageBackend(say) } });
