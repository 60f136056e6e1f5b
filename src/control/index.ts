export {
  type Slide,
  type SlideEvent,
  type SlideRequest,
  type SlideRow,
  type SlideStop,
  type SlideStrip,
  slide,
  slideRequests,
} from "./slide.js";
