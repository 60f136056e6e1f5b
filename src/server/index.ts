export { type ServeOptions, type StudioServer, serveStudio } from "./listen.js";
