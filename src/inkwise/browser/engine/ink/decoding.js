// From a canvas's pixels to a bounded number of them without transparency; the port of
// inkwise/ink/decoding.py, which says what each number means.

import { DataError } from "../errors.js";
import { image, reduce } from "../raster.js";

/**
 * A picture's pixels, upright, without transparency, and few enough on each side; and the height
 * and width of the original.
 * @typedef {import("../raster.js").Levels | import("./colours.js").Colours} Pixels
 * @typedef {{pixels: Pixels, size: [number, number]}} Raster
 */

/** Longest side after decoding, in pixels, unless another is asked for. */
export const SIDE = 800;

const FAINTEST_INK = 64;

/**
 * Decode the pixels of a canvas; a picture of more pixels on a side is reduced.
 * @param {{height: number, width: number, data: Uint8Array | Uint8ClampedArray, isJpeg?: boolean}}
 *   picture red, green, blue and opacity of each pixel in turn
 * @param {number} side longest side after decoding, in pixels
 * @returns {Raster}
 */
export function decode({ height, width, data, isJpeg = false }, side = SIDE) {
  if (!height || !width) throw new DataError("the picture has no pixels: its width or height is 0");
  let few = { height, width, data };
  const longest = Math.max(height, width);
  // Pillow decodes a JPEG at a fraction of its size.
  const part = isJpeg ? [8, 4, 2].find((one) => longest >= (one * side) / 2) : undefined;
  if (part) few = reduceWithOpacity(few, part);
  const factor = Math.ceil(Math.max(few.height, few.width) / side);
  if (factor > 1) few = reduceWithOpacity(few, factor);
  return { pixels: onABackground(few), size: [height, width] };
}

/**
 * Reduce a picture as Pillow does: colours count as much as they are opaque.
 * @param {{height: number, width: number, data: Uint8Array | Uint8ClampedArray}} picture
 * @param {number} factor
 */
function reduceWithOpacity({ height, width, data }, factor) {
  const opaque = isOpaque(data);
  const laid = opaque ? data : data.map((level, k) => share(level, k % 4 === 3 ? 255 : data[k | 3]));
  const reduced = reduce(laid, height, width, 4, factor);
  if (opaque) return reduced;
  const levels = reduced.data.map((level, k) => {
    const opacity = reduced.data[k | 3];
    if (k % 4 === 3 || opacity === 0 || opacity === 255) return level;
    return Math.min(255, Math.floor((255 * level) / opacity));
  });
  return { ...reduced, data: levels };
}

function isOpaque(/** @type {Uint8Array | Uint8ClampedArray} */ data) {
  for (let k = 3; k < data.length; k += 4) if (data[k] !== 255) return false;
  return true;
}

/** Return a level as it is seen through an opacity, as Pillow rounds it. */
function share(/** @type {number} */ level, /** @type {number} */ opacity) {
  const product = level * opacity + 128;
  return ((product >> 8) + product) >> 8;
}

/**
 * Blend transparent pixels with white, or with black if the ink is not visible on white.
 *
 * The result has one channel if red, green and blue are equal everywhere.
 * @param {{height: number, width: number, data: Uint8Array | Uint8ClampedArray}} picture
 * @returns {Pixels}
 */
function onABackground({ height, width, data }) {
  let laid = data;
  if (!isOpaque(data)) {
    laid = blend(data, 255);
    if (!laid.some((level) => level < 255 - FAINTEST_INK)) laid = blend(data, 0);
  }
  const channels = isGrey(laid) ? 1 : 3;
  const levels = new Uint8Array(height * width * channels);
  for (let from = 0, to = 0; from < laid.length; from += 4) {
    levels[to++] = laid[from];
    if (channels === 1) continue;
    levels[to++] = laid[from + 1];
    levels[to++] = laid[from + 2];
  }
  return channels === 1 ? image(height, width, levels) : { height, width, channels, data: levels };
}

/** Lay pixels on a ground of one level. */
function blend(/** @type {Uint8Array | Uint8ClampedArray} */ data, /** @type {number} */ ground) {
  const laid = new Uint8Array(data.length);
  for (let k = 0; k < data.length; k++) {
    const opacity = data[k | 3];
    laid[k] = k % 4 === 3 ? 255 : (data[k] * opacity + ground * (255 - opacity) + 127) / 255;
  }
  return laid;
}

function isGrey(/** @type {Uint8Array | Uint8ClampedArray} */ data) {
  for (let k = 0; k < data.length; k += 4) {
    if (data[k] !== data[k + 1] || data[k] !== data[k + 2]) return false;
  }
  return true;
}
