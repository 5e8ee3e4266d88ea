// Connected components of a mask, and their shapes; the port of inkwise/ink/components.py.

import * as raster from "../raster.js";
import { eigen, greatest, mean } from "./arithmetic.js";

/**
 * @typedef {import("../raster.js").Levels} Levels
 * @typedef {import("./levels.js").Box} Box
 * @typedef {{x: Float64Array, y: Float64Array}} Points
 */

/** Number of directions in which `coverage` looks around. */
const DIRECTIONS = 72;

const MOST_PIXELS = 4000; // of a component, that its shape is measured on

/**
 * The connected components of a mask.
 *
 * Everything about components has one item for each, and the first one is the background. Which
 * components are chosen is told by a `Uint8Array` of 0 and 1.
 */
export class Components {
  /** @type {Map<number, Points>} */
  #points = new Map();

  /** @type {Map<number, number>} */
  #widths = new Map();

  constructor(/** @type {Levels} */ mask) {
    const found = raster.connectedComponents(mask);
    this.height = mask.height;
    this.width = mask.width;
    this.count = found.count;
    this.labels = found.labels;
    this.top = found.top;
    this.left = found.left;
    this.bottom = found.bottom;
    this.right = found.right;
    this.area = found.area;
    /** Means of the pixels' places, x and y. */
    this.centres = this.each((place) => [found.centres[2 * place], found.centres[2 * place + 1]]);
    /** The longer side of each bounding box, in pixels. */
    this.longest = Int32Array.from(
      this.each((place) => Math.max(this.high(place), this.wide(place))),
    );
    /** Whether each component reaches the border of the picture. */
    this.atBorder = this.where(
      (place) =>
        this.left[place] === 0 ||
        this.top[place] === 0 ||
        this.right[place] === this.width ||
        this.bottom[place] === this.height,
    );
  }

  /** Find the components of a mask whose ink is 1, joined over sides and corners. */
  static of(/** @type {Levels} */ mask) {
    return new Components(mask);
  }

  /**
   * Return what a function makes of each component.
   * @template T
   * @param {(place: number) => T} make
   * @returns {T[]}
   */
  each(make) {
    return Array.from({ length: this.count }, (_, place) => make(place));
  }

  /** Return for which components a condition holds. */
  where(/** @type {(place: number) => boolean | number} */ condition) {
    const chosen = new Uint8Array(this.count);
    for (let place = 0; place < this.count; place++) chosen[place] = condition(place) ? 1 : 0;
    return chosen;
  }

  /** Return the places of components, the longest first. */
  longestFirst() {
    return placesOf(this.where((place) => place > 0)).sort(
      (one, other) => this.longest[other] - this.longest[one],
    );
  }

  high(/** @type {number} */ place) {
    return this.bottom[place] - this.top[place];
  }

  wide(/** @type {number} */ place) {
    return this.right[place] - this.left[place];
  }

  /**
   * Return the bounding box of one component, or of some of them together.
   * @param {Uint8Array | number} chosen
   * @returns {Box}
   */
  box(chosen) {
    if (typeof chosen === "number") {
      return [this.top[chosen], this.left[chosen], this.bottom[chosen], this.right[chosen]];
    }
    const places = placesOf(chosen);
    return [
      -greatest(places.map((place) => -this.top[place])),
      -greatest(places.map((place) => -this.left[place])),
      greatest(places.map((place) => this.bottom[place])),
      greatest(places.map((place) => this.right[place])),
    ];
  }

  /** Return the mask of the chosen components. */
  mask(/** @type {Uint8Array} */ chosen) {
    const mask = raster.image(this.height, this.width);
    for (let pixel = 0; pixel < mask.data.length; pixel++) {
      mask.data[pixel] = chosen[this.labels[pixel]];
    }
    return mask;
  }

  /** Return the mask of one component, cropped to its bounding box. */
  cut(/** @type {number} */ place) {
    const [top, left, bottom, right] = this.box(place);
    const mask = raster.image(bottom - top, right - left);
    for (let row = top, to = 0; row < bottom; row++) {
      for (let from = row * this.width + left; from < row * this.width + right; from++, to++) {
        mask.data[to] = this.labels[from] === place ? 1 : 0;
      }
    }
    return mask;
  }

  /** Return places of pixels of a component, x and y; a sample if there are many. */
  points(/** @type {number} */ place) {
    const known = this.#points.get(place);
    if (known) return known;
    const step = Math.ceil(this.area[place] / MOST_PIXELS);
    const count = Math.ceil(this.area[place] / step);
    const points = { x: new Float64Array(count), y: new Float64Array(count) };
    let seen = 0;
    for (let row = this.top[place]; row < this.bottom[place]; row++) {
      for (let column = this.left[place]; column < this.right[place]; column++) {
        if (this.labels[row * this.width + column] !== place) continue;
        if (seen % step === 0) {
          points.x[seen / step] = column + 0.5;
          points.y[seen / step] = row + 0.5;
        }
        seen++;
      }
    }
    this.#points.set(place, points);
    return points;
  }

  /** Return the mean width of a component's strokes, in pixels. */
  strokeWidth(/** @type {number} */ place) {
    const width = this.#widths.get(place) ?? strokeWidth(this.cut(place));
    this.#widths.set(place, width);
    return width;
  }
}

/** Return the places of what is chosen. */
export function placesOf(/** @type {ArrayLike<number | boolean>} */ chosen) {
  const places = [];
  for (let place = 0; place < chosen.length; place++) if (chosen[place]) places.push(place);
  return places;
}

/**
 * Return the centre of a box, x and y.
 * @param {Box} box
 * @returns {[number, number]}
 */
export function middle([top, left, bottom, right]) {
  return [(left + right) / 2, (top + bottom) / 2];
}

/**
 * Return how near and how far points are in each direction around a centre; infinity and 0 where
 * there is none.
 * @param {Points} points
 * @param {[number, number]} centre
 */
export function distances(points, centre) {
  const near = new Float64Array(DIRECTIONS).fill(Infinity);
  const far = new Float64Array(DIRECTIONS);
  for (let place = 0; place < points.x.length; place++) {
    const [x, y] = [points.x[place] - centre[0], points.y[place] - centre[1]];
    const turn = (Math.atan2(y, x) / (2 * Math.PI) + 0.5) * DIRECTIONS;
    const direction = Math.trunc(turn) % DIRECTIONS;
    const distance = Math.sqrt(x * x + y * y);
    if (distance < near[direction]) near[direction] = distance;
    if (distance > far[direction]) far[direction] = distance;
  }
  return { near, far };
}

/**
 * Return the share of the directions around a centre in which there are points, 0 to 1.
 * @param {Points} points
 * @param {[number, number]} centre
 */
export function coverage(points, centre) {
  return mean(distances(points, centre).far.map((distance) => Number(distance > 0)));
}

/**
 * Return how narrow a cloud of points is, 0 (a line) to 1 (round), and its direction: the angle
 * from level, in radians from -π/2 to π/2.
 * @param {Points} points
 * @returns {[number, number]}
 */
export function elongation({ x, y }) {
  if (x.length < 3) return [1, 0];
  const [middleX, middleY] = [mean(x), mean(y)];
  let [xx, xy, yy] = [0, 0, 0];
  for (let place = 0; place < x.length; place++) {
    const [across, down] = [x[place] - middleX, y[place] - middleY];
    xx += across * across;
    xy += across * down;
    yy += down * down;
  }
  const scale = 1 / (x.length - 1);
  const { values, vectors } = eigen([
    [xx * scale, xy * scale],
    [xy * scale, yy * scale],
  ]);
  const [along, down] = vectors[1];
  const narrow = Math.sqrt(Math.max(0, values[0]) / Math.max(values[1], 1e-9));
  return [narrow, along ? Math.atan(down / along) : Math.PI / 2];
}

/**
 * Return the mean width of the strokes of a mask, in pixels.
 *
 * The mean distance of a stroke's pixels from its edge is a quarter of its width.
 * @param {Levels} mask
 */
export function strokeWidth(mask) {
  const padded = raster.copyMakeBorder(raster.crop(mask, ...raster.bounds(mask)), 1);
  const away = raster.distanceTransform(padded);
  let [sum, count] = [0, 0];
  for (let pixel = 0; pixel < away.length; pixel++) {
    sum += away[pixel];
    count += padded.data[pixel];
  }
  // Distances are measured to the centre of the next pixel outside, half a pixel too far.
  return Math.max(1, count ? (4 * sum) / count - 2 : 1);
}
