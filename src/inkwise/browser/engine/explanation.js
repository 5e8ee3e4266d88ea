// Where the network looked: how the answer weakens when a patch of the ink is erased; the port of
// inkwise/explanation/occlusion.py, and of what /v1/explain tells of it.

import { rint } from "./raster.js";

const THIRDS = [
  ["upper left", "top", "upper right"],
  ["left", "middle", "right"],
  ["lower left", "bottom", "lower right"],
];

/** Copies of an image with one patch erased in each; see `inkwise.explanation.occlusion`. */
export class Occlusion {
  /** The unchanged image, followed by a copy for each patch that holds ink. */
  copies;

  /** How many copies there are. */
  count;

  #height;
  #width;
  #side;
  #places;
  #inked;

  constructor(/** @type {import("./raster.js").Levels} */ { height, width, data }) {
    this.#height = height;
    this.#width = width;
    const shorter = Math.min(height, width);
    this.#side = Math.max(1, rint(shorter / 5));
    const stride = Math.max(1, Math.floor(this.#side / 3));
    this.#places = steps(height, this.#side, stride).flatMap((top) =>
      steps(width, this.#side, stride).map((left) => ({ top, left })),
    );
    this.#inked = this.#places.filter((place) => this.#pixels(place).some((pixel) => data[pixel]));
    this.count = 1 + this.#inked.length;
    this.copies = new Uint8Array(this.count * data.length);
    for (let copy = 0; copy < this.count; copy++) this.copies.set(data, copy * data.length);
    this.#inked.forEach((place, number) => {
      const start = (number + 1) * data.length;
      for (const pixel of this.#pixels(place)) this.copies[start + pixel] = 0;
    });
  }

  /**
   * Make the map, (H, W), from the copies' logits, (1 + patches, classes): the decrease of the
   * likeliest class's logit, as the mean over the patches that cover a pixel.
   * @param {Float32Array} logits
   */
  map(logits) {
    const classes = logits.length / this.count;
    const label = logits.subarray(0, classes).reduce(
      (best, logit, place) => (logit > logits[best] ? place : best),
      0,
    );
    const total = new Float64Array(this.#height * this.#width);
    const covers = new Float64Array(total.length);
    for (const place of this.#places) for (const pixel of this.#pixels(place)) covers[pixel]++;
    this.#inked.forEach((place, number) => {
      const loss = logits[label] - logits[(number + 1) * classes + label];
      for (const pixel of this.#pixels(place)) total[pixel] += loss;
    });
    return Float32Array.from(total, (sum, pixel) => sum / covers[pixel]);
  }

  /** @returns {number[]} the pixels of a patch */
  #pixels(/** @type {{top: number, left: number}} */ { top, left }) {
    const pixels = [];
    for (let row = top; row < top + this.#side; row++) {
      for (let x = left; x < left + this.#side; x++) pixels.push(row * this.#width + x);
    }
    return pixels;
  }
}

/** Return the first pixel of each patch along a side; the last patch ends at the border. */
function steps(/** @type {number} */ length, /** @type {number} */ side, /** @type {number} */ by) {
  const last = length - side;
  const firsts = [];
  for (let first = 0; first < last; first += by) firsts.push(first);
  return [...firsts, last];
}

/** Say in words in which ninth of an image, as in a 3×3 grid, its largest value lies. */
export function where(/** @type {Float32Array} */ values, /** @type {number} */ width) {
  const place = values.indexOf(Math.max(...values));
  const height = values.length / width;
  const row = Math.floor((3 * Math.floor(place / width)) / height);
  return THIRDS[row][Math.floor((3 * (place % width)) / width)];
}

/**
 * Return what an explanation tells of an image that the network saw, as /v1/explain does.
 * @param {import("./raster.js").Levels} image
 * @param {(images: Uint8Array, count: number) => Promise<Float32Array>} logitsOf runs the network
 * @returns {Promise<{evidence: number[][], strongest: string | null}>}
 */
export async function explain(image, logitsOf) {
  const occlusion = new Occlusion(image);
  const values = occlusion.map(await logitsOf(occlusion.copies, occlusion.count));
  const rounded = Array.from(values, (value) => rint(value * 1e4) / 1e4);
  const evidence = Array.from({ length: image.height }, (_, row) =>
    rounded.slice(row * image.width, (row + 1) * image.width),
  );
  const strongest = values.some((value) => value > 0) ? where(values, image.width) : null;
  return { evidence, strongest };
}
