export { eigenvalues, eigenvectors, LARGEST_EIGEN, orthonormal, solve } from "./decompositions.js";
