// Quantiles of grey levels, and samples of them; the port of inkwise/ink/levels.py.

import { image } from "../raster.js";

/**
 * Top, left, bottom and right of a box, in pixels; the last two are exclusive.
 * @typedef {[number, number, number, number]} Box
 * @typedef {import("../raster.js").Levels} Levels
 */

/**
 * Return the quantiles of these shares, without interpolation.
 * @param {Uint8Array | Int16Array} values
 * @param {...number} shares
 */
export function quantiles(values, ...shares) {
  const ordered = values.slice().sort();
  return shares.map((share) => ordered[Math.trunc(share * (ordered.length - 1))]);
}

/**
 * Return every n-th pixel along each axis, at most 255: enough for a quantile.
 *
 * Of a long strip there are more along it, so that there are two of them across.
 * @param {Levels} levels
 */
export function sample({ height, width, data }) {
  const longer = Math.floor(Math.max(height, width) / 128);
  const step = Math.max(1, Math.min(longer, Math.floor(Math.min(height, width) / 2)));
  return everyNth({ height, width, data }, step);
}

/** Return every n-th pixel along each axis. */
export function everyNth(/** @type {Levels} */ levels, /** @type {number} */ step) {
  const { width, data } = levels;
  const some = image(Math.ceil(levels.height / step), Math.ceil(width / step));
  for (let row = 0; row < some.height; row++) {
    for (let column = 0; column < some.width; column++) {
      some.data[row * some.width + column] = data[row * step * width + column * step];
    }
  }
  return some;
}
