/** Starts the page on the server of this machine. */
import "./app.css";
import { mount } from "svelte";
import App from "./App.svelte";
import { httpBackend } from "./http.js";

mount(App, { target: document.body, props: { backend: httpBackend } });
