export { parse } from "./parse.js";
export { groupSum } from "./group.js";
