export { chart } from "./chart.js";
export { pictureUrl } from "./picture.js";
