// Where the network looked: how the answer weakens when a patch of the ink is erased; the port of
// inkwise/explanation/occlusion.py, and of what /v1/explain tells of it.

import { argmax } from "./ink/arithmetic.js";
import { image, rint } from "./raster.js";

const THIRDS = [
  ["upper left", "top", "upper right"],
  ["left", "middle", "right"],
  ["lower left", "bottom", "lower right"],
];

/** Copies of an image with one patch erased in each; see `inkwise.explanation.occlusion`. */
class Occlusion {
  /** The unchanged image, followed by a copy for each patch that holds ink. */
  copies;

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
    this.copies = new Uint8Array((1 + this.#inked.length) * data.length);
    this.copies.set(data);
    this.#inked.forEach((place, number) => {
      const start = (number + 1) * data.length;
      this.copies.set(data, start);
      for (const pixel of this.#pixels(place)) this.copies[start + pixel] = 0;
    });
  }

  /**
   * Make the map, (H, W), from the copies' logits, (1 + patches, classes): the decrease of the
   * likeliest class's logit, as the mean over the patches that cover a pixel.
   * @param {Float32Array} logits
   */
  map(logits) {
    const classes = logits.length / (1 + this.#inked.length);
    const label = argmax(logits.subarray(0, classes));
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
function where(/** @type {Float32Array} */ values, /** @type {number} */ width) {
  const place = argmax(values);
  const height = values.length / width;
  const row = Math.floor((3 * Math.floor(place / width)) / height);
  return THIRDS[row][Math.floor((3 * (place % width)) / width)];
}

/**
 * Explain the answer about a picture, without the training images that are like it.
 * @param {import("./answers.js").Classifier} classifier
 * @param {import("./ink/normalising.js").Picture} picture red, green, blue and opacity of each
 *   pixel in turn
 * @param {string} hand where the writers learned to write
 */
export async function explain(classifier, picture, hand = "any") {
  const answer = await classifier.classify(picture, hand);
  const seen = answer.verdict === "several" ? null : answer.image;
  const { evidence, strongest } = seen
    ? await occlude(image(seen.length, seen[0].length, Uint8Array.from(seen.flat())), classifier)
    : { evidence: null, strongest: null };
  const { model } = classifier.description;
  return { model, picture: answer, evidence, strongest, neighbours: null };
}

/**
 * Return the map of an image that the network saw, and where its largest value lies.
 * @param {import("./raster.js").Levels} image
 * @param {{run: (images: Uint8Array) => Promise<{logits: Float32Array}>}} classifier
 * @returns {Promise<{evidence: number[][], strongest: string | null}>}
 */
export async function occlude(image, classifier) {
  const occlusion = new Occlusion(image);
  const { logits } = await classifier.run(occlusion.copies);
  const values = occlusion.map(logits);
  const rounded = Array.from(values, (value) => rint(value * 1e4) / 1e4);
  const evidence = Array.from({ length: image.height }, (_, row) =>
    rounded.slice(row * image.width, (row + 1) * image.width),
  );
  const strongest = values.some((value) => value > 0) ? where(values, image.width) : null;
  return { evidence, strongest };
}
