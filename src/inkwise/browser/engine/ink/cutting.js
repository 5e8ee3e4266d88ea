// An image of ink cut in two, as it may be two digits that touch; the port of
// inkwise/ink/cutting.py, which says what each number means.

import { NoInkError } from "../errors.js";
import { bounds, image, rint } from "../raster.js";
import { argmax } from "./arithmetic.js";
import { CANVAS, fitAndCentre } from "./fitting.js";

/** @typedef {import("../raster.js").Levels} Levels */

const SLANTS = [0, 0.25, 0.5];
const NARROWEST = 0.8;
const WIDEST = 2;
const SIDES = 0.33;
const LEAST = 0.15;

/**
 * Cut an image once at each of a few slants, where the cut crosses the least ink.
 * @param {Levels} picture of 28×28 pixels, light ink on a black background
 * @returns {Levels[][]} the two sides of each cut
 */
export function cutInTwo(picture) {
  const [top, left, bottom, right] = bounds(picture);
  const width = right - left;
  const wide = width / (bottom - top);
  if (wide < NARROWEST || wide > WIDEST) return [];
  const total = sum(picture);
  const pairs = [];
  for (const slant of SLANTS) {
    const across = picture.data.map(() => 0);
    const crossed = new Float64Array(3 * CANVAS);
    picture.data.forEach((level, place) => {
      const [row, column] = [Math.floor(place / CANVAS), place % CANVAS];
      across[place] = Math.floor(column + (row - CANVAS / 2) * slant) + CANVAS;
      crossed[across[place]] += level;
    });
    const first = CANVAS + rint(left + SIDES * width);
    const last = CANVAS + rint(right - SIDES * width);
    const cut = first + argmax(crossed.slice(first, last + 1).map((ink) => -ink));
    const sides = [
      image(
        CANVAS,
        CANVAS,
        picture.data.map((level, place) => (across[place] < cut ? level : 0)),
      ),
      image(
        CANVAS,
        CANVAS,
        picture.data.map((level, place) => (across[place] >= cut ? level : 0)),
      ),
    ];
    if (Math.min(...sides.map(sum)) < LEAST * total) continue;
    try {
      pairs.push(sides.map(fitAndCentre));
    } catch (error) {
      if (!(error instanceof NoInkError)) throw error;
    }
  }
  return pairs;
}

const sum = (/** @type {Levels} */ { data }) => data.reduce((total, level) => total + level, 0);
