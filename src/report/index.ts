export { chart } from "./chart.js";
