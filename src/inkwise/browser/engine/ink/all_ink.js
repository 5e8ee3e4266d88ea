// All ink of a picture, of any number of things; the port of inkwise/ink/all_ink.py, and of
// `erase_frames` of inkwise/ink/surroundings.py.

import { NoInkError } from "../errors.js";
import { histogram, otsu, subtractScalar } from "../raster.js";
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

// Greatest share of a page that writing on a printed pattern covers, and by which factor it is
// stronger at least than both are in the mean.
const COVERED = 0.25;
const CLEARER = 2.2;

/**
 * All ink of a picture: its levels, light ink on a black background without ruled lines; where
 * there is ink, as 0 and 1; what else was removed; pixels of `levels` per pixel of the picture; and
 * row and column, in the picture, of the first pixel of `levels`.
 * @typedef {import("../raster.js").Levels} Levels
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
  try {
    return allInkOf(sheet);
  } catch (error) {
    if (error instanceof NoInkError) return allInkOf(withoutPattern(sheet));
    throw error;
  }
}

/** @returns {Page} */
function allInkOf(/** @type {import("./finding.js").Sheet} */ sheet) {
  let { dropped } = sheet;
  let { mask, strong } = threshold(sheet.ink, sheet.noise);
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
 * Subtract a pattern that was printed all over the paper, such as a guilloche.
 *
 * It covers so much that it passes for noise. What is written is what stands out from it, by Otsu's
 * threshold.
 */
function withoutPattern(/** @type {import("./finding.js").Sheet} */ sheet) {
  const printed = sheet.ink.data.filter((level) => level > 0);
  const nothing = "nothing in it stands out from its background";
  if (!printed.length) throw new NoInkError(nothing);
  const level = otsu(histogram({ data: printed }));
  const above = printed.filter((one) => one > level);
  const covers = above.length > COVERED * sheet.ink.data.length;
  if (covers || mean(above) < CLEARER * mean(printed)) throw new NoInkError(nothing);
  return sheet.with({ ink: subtractScalar(sheet.ink, level / 2), noise: 0 });
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
