// All ink of a picture, of any number of things; the port of inkwise/ink/all_ink.py, and of
// `erase_frames` of inkwise/ink/surroundings.py.

import { NoInkError } from "../errors.js";
import { above, dilate, histogram, otsu, rectangle, subtractScalar } from "../raster.js";
import { mean } from "./arithmetic.js";
import { Components } from "./components.js";
import {
  BASE,
  FULL,
  LOW_BASE,
  LOW_FULL,
  LOW_RESOLUTION,
  separate,
  stretchInk,
  threshold,
} from "./finding.js";
import { PIECES, erase, inside, isComb } from "./surroundings.js";

// A part of a page is patterned if ink covers more than the first share of it, where nothing is
// written; a page is patterned if more than the second share of its parts are.
const PATTERNED = 0.02;
const SPREAD = 0.6;

// Of writing on a printed pattern: the greatest share of a page that it covers, its least mean
// level, and the least share of the variance of all levels that lies between it and the pattern.
const COVERED = 0.5;
const STRONG = 48;
const SEPARATE = 0.78;

/**
 * All ink of a picture: its levels, light ink on a black background without ruled lines; where
 * there is ink, as 0 and 1; what else was removed; pixels of `levels` per pixel of the picture; and
 * row and column, in the picture, of the first pixel of `levels`.
 * @typedef {import("../raster.js").Levels} Levels
 * @typedef {import("./finding.js").Sheet} Sheet
 * @typedef {{levels: Levels, mask: Levels, dropped: string[], scale: number,
 *   origin: [number, number]}} Page
 */

/**
 * Find everything that is written in a picture, such as a number or several lines of them.
 * @param {Levels | import("./colours.js").Colours} picture
 * @returns {Page}
 */
export function findAllInk(picture) {
  const sheet = separate(picture, LOW_RESOLUTION);
  return (
    unlessNoInk(() => {
      const found = threshold(sheet.ink, sheet.noise);
      const without =
        isPatterned(sheet, found.mask) && unlessNoInk(() => pageWithoutPattern(sheet));
      return without || pageOf(sheet, found);
    }) ?? pageWithoutPattern(sheet) // a pattern may pass for noise
  );
}

/**
 * Return what a function returns, or null if it finds no ink.
 * @template T
 * @param {() => T} find
 * @returns {T | null}
 */
function unlessNoInk(find) {
  try {
    return find();
  } catch (error) {
    if (error instanceof NoInkError) return null;
    throw error;
  }
}

/**
 * @param {Sheet} sheet
 * @param {{mask: Levels, strong: Levels}} found
 * @returns {Page}
 */
function pageOf(sheet, { mask, strong }) {
  let { dropped } = sheet;
  if (eraseFrames(sheet.ink, mask)) {
    dropped = [...new Set([...dropped, "surroundings"])];
    ({ mask, strong } = threshold(sheet.ink, sheet.noise));
  }
  const side = Math.floor(Math.max(sheet.ink.height, sheet.ink.width) / sheet.factor);
  const [full, base] = side <= LOW_RESOLUTION ? [LOW_FULL, LOW_BASE] : [FULL, BASE];
  const levels = stretchInk(sheet.ink, strong, sheet.noise, full, base);
  const [top, left] = sheet.inThePicture([0, 0, 0, 0]);
  return { levels, mask, dropped, scale: sheet.factor, origin: [top, left] };
}

/**
 * Tell whether there is ink all over a page, beside what stands out as written.
 * @param {Sheet} sheet
 * @param {Levels} mask
 * @returns {boolean}
 */
function isPatterned(sheet, mask) {
  const { height, width } = mask;
  const written = dilate(above(sheet.ink, between(sheet)), rectangle(5, 5));
  const side = Math.max(1, Math.floor(Math.min(height, width) / 4));
  let [seen, patterned] = [0, 0];
  for (let top = 0; top <= height - side; top += side)
    for (let left = 0; left <= width - side; left += side) {
      let [free, inked] = [0, 0];
      for (let row = top; row < top + side; row++)
        for (let place = row * width + left; place < row * width + left + side; place++) {
          free += 1 - written.data[place];
          inked += (1 - written.data[place]) * mask.data[place];
        }
      if (free <= (side * side) / 4) continue;
      seen += 1;
      patterned += Number(inked > PATTERNED * free);
    }
  return patterned > SPREAD * seen;
}

/** Return Otsu's threshold of all levels above the background. */
function between(/** @type {Sheet} */ sheet) {
  return otsu(histogram({ data: sheet.ink.data.filter((level) => level > 0) }));
}

/**
 * Subtract a pattern that was printed all over the paper, such as a guilloche.
 *
 * What is written stands out from it, by Otsu's threshold, if his measure of how well a threshold
 * separates is high: of patterns and textures alone it was 0.75 at most, unless they were faint.
 * @param {Sheet} sheet
 * @returns {Page}
 */
function pageWithoutPattern(sheet) {
  const printed = sheet.ink.data.filter((level) => level > 0);
  const level = printed.length ? between(sheet) : 0;
  const written = printed.filter((one) => one > level);
  const pattern = printed.filter((one) => one <= level);
  if (!standsOut(written, pattern, sheet.ink.data.length))
    throw new NoInkError("nothing in it stands out from its background");
  const bare = sheet.with({ ink: subtractScalar(sheet.ink, level / 2), noise: 0 });
  const page = pageOf(bare, threshold(bare.ink, bare.noise));
  return { ...page, dropped: [...page.dropped, "pale ink"] };
}

/**
 * Tell whether some levels of a page of that many pixels are what is written on the others.
 * @param {Uint8Array} written
 * @param {Uint8Array} pattern
 * @param {number} size
 * @returns {boolean}
 */
function standsOut(written, pattern, size) {
  if (!written.length || !pattern.length) return false;
  const count = written.length + pattern.length;
  const share = written.length / count;
  const apart = share * (1 - share) * (mean(written) - mean(pattern)) ** 2;
  const middle = share * mean(written) + (1 - share) * mean(pattern);
  const spread = (/** @type {Uint8Array} */ levels) =>
    levels.reduce((sum, one) => sum + (one - middle) ** 2, 0);
  const clear = apart >= (SEPARATE * (spread(written) + spread(pattern))) / count;
  return clear && written.length <= COVERED * size && mean(written) >= STRONG;
}

/**
 * Erase frames of straight lines with something in them: boxes, combs, the cells of a table.
 * @param {Levels} ink levels of the ink above the background; changed in place
 * @param {Levels} mask of the ink, as 0 and 1; changed in place
 * @returns {boolean} whether there was any
 */
function eraseFrames(ink, mask) {
  const components = Components.of(mask);
  const largest = components.longestFirst().slice(0, PIECES);
  const frames = largest.filter(
    (place) => inside(components, place).some(Boolean) && isComb(components.cut(place)),
  );
  if (!frames.length) return false;
  erase(ink, mask, components.mask(components.where((place) => frames.includes(place))));
  return true;
}
