// From ink on a black background to MNIST's geometry; the port of inkwise/ink/fitting.py.

import { NoInkError } from "../errors.js";
import { any, bounds, crop, image, resizeBicubic, rint } from "../raster.js";

/** Side of the array that the networks expect, in pixels. */
export const CANVAS = 28;

/** Side of the square that the ink is scaled to fit, in pixels. */
export const BOX = 20;

/**
 * Bring light ink on a black background to MNIST's geometry.
 * @param {import("../raster.js").Levels} picture
 */
export function fitAndCentre(picture) {
  if (!any(picture))
    throw new NoInkError("the picture is blank: there is no ink to fit and centre");
  const ink = crop(picture, ...bounds(picture));
  const scale = BOX / Math.max(ink.height, ink.width);
  const height = Math.max(1, rint(ink.height * scale));
  const width = Math.max(1, rint(ink.width * scale));
  const pixels = resizeBicubic(ink, height, width);
  if (!any(pixels)) {
    throw new NoInkError("the picture's ink is too faint to survive scaling: raise its contrast");
  }
  const middle = CANVAS / 2; // not 13.5: MNIST's digits have their centre on pixel 14
  const [row, column] = centreOfMass(pixels);
  const top = Math.min(Math.max(0, rint(middle - row)), CANVAS - height);
  const left = Math.min(Math.max(0, rint(middle - column)), CANVAS - width);
  const canvas = image(CANVAS, CANVAS);
  for (let line = 0; line < height; line++) {
    const from = pixels.data.subarray(line * width, (line + 1) * width);
    canvas.data.set(from, (top + line) * CANVAS + left);
  }
  return canvas;
}

/** Tell whether light ink on a black background has MNIST's geometry, see `fitAndCentre`. */
export function isFitted(/** @type {import("../raster.js").Levels} */ picture) {
  if (picture.height !== CANVAS || picture.width !== CANVAS || !any(picture)) return false;
  const [top, left, bottom, right] = bounds(picture);
  const longer = Math.max(bottom - top, right - left);
  if (longer < BOX - 2 || longer > BOX) return false;
  return centreOfMass(picture).every((centre) => Math.abs(centre - CANVAS / 2) <= 1);
}

/** Return the row and the column of the ink's centre of mass, in pixels. */
export function centreOfMass(/** @type {import("../raster.js").Levels} */ { height, width, data }) {
  let [mass, rows, columns] = [0, 0, 0];
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const level = data[row * width + column];
      mass += level;
      rows += level * row;
      columns += level * column;
    }
  }
  return [rows / mass, columns / mass];
}
