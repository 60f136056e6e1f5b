export { type SlideRequest, slideFields } from "./request.js";
export {
  type Slide,
  type SlideEvent,
  type SlideImage,
  type SlideRow,
  type SlideStop,
  type SlideStrip,
  slide,
  slideRequests,
} from "./slide.js";
