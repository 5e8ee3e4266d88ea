// From any picture of a digit to the array that the network expects; the port of
// inkwise/ink/normalising.py.

import { DataError, NoInkError } from "../errors.js";
import { any, bounds, image, invert, rint } from "../raster.js";
import { median } from "./arithmetic.js";
import { cutInTwo } from "./cutting.js";
import { decode } from "./decoding.js";
import { LOW_RESOLUTION, findInk } from "./finding.js";
import { BOX, CANVAS, fitAndCentre, isFitted } from "./fitting.js";

/**
 * The ink of a picture as the network expects it, and how it was found; see `inkwise.ink.Ink`.
 * @typedef {import("../raster.js").Levels} Levels
 * @typedef {import("./levels.js").Box} Box
 * @typedef {"light ink" | "dark ink"} Polarity
 * @typedef {{image: Levels, polarity: Polarity, box: Box, scale: number, dropped: string[],
 *   unchanged: Levels | null, parts: Box[], alone: Levels[][], apart: boolean}} Ink
 * @typedef {{height: number, width: number, data: Uint8Array | Uint8ClampedArray,
 *   isJpeg?: boolean}} Picture
 */

/**
 * Return ink that is the whole of a picture.
 * @param {Levels} levels
 * @param {Polarity} polarity
 * @param {Box} box
 * @returns {Ink}
 */
export function wholeInk(levels, polarity, box) {
  const nothing = { dropped: [], unchanged: null, parts: [], alone: [], apart: false };
  return { image: levels, polarity, box, scale: 1, ...nothing };
}

/**
 * Bring a picture of one digit to what the network expects.
 * @param {Picture} picture red, green, blue and opacity of each pixel in turn
 * @param {boolean} together whether all ink is kept as one thing
 * @returns {Ink}
 */
export function normalise(picture, together) {
  const { pixels, size } = decode(picture);
  if (!("channels" in pixels)) {
    if (isFitted(pixels)) return wholeInk(pixels, "light ink", bounds(pixels));
    const turned = invert(pixels);
    if (isFitted(turned)) return wholeInk(turned, "dark ink", bounds(turned));
  }
  let found;
  let fitted;
  try {
    found = findInk(pixels, together);
    fitted = fitAndCentre(found.levels);
  } catch (error) {
    if (!(error instanceof NoInkError)) throw error;
    throw new NoInkError(`there is no digit in the picture: ${error.message}`, { cause: error });
  }
  let alone = found.alone.flatMap((part) => {
    try {
      return [[fitAndCentre(part)]];
    } catch (error) {
      if (error instanceof NoInkError) return []; // too faint for its size
      throw error;
    }
  });
  if (!together && !found.parts.length && Math.max(...size) > LOW_RESOLUTION) {
    alone = cutInTwo(fitted);
  }
  let unchanged = null;
  if (size[0] === CANVAS && size[1] === CANVAS) {
    const levels = grey(pixels);
    unchanged = found.dark ? invert(levels) : levels;
  }
  const [down, across] = [size[0] / pixels.height, size[1] / pixels.width];
  /** @type {(box: Box) => Box} */
  const inThePicture = ([top, left, bottom, right]) => [
    rint(top * down),
    rint(left * across),
    rint(bottom * down),
    rint(right * across),
  ];
  const [top, left, bottom, right] = found.box;
  return {
    image: fitted,
    polarity: found.dark ? "dark ink" : "light ink",
    box: inThePicture(found.box),
    scale: BOX / Math.max((bottom - top) * down, (right - left) * across),
    dropped: found.dropped,
    unchanged,
    parts: found.parts.map(inThePicture),
    alone,
    apart: found.apart,
  };
}

/**
 * Return a picture as it is, for a model whose images are not 28×28.
 * @param {Picture} picture
 * @param {[number, number]} size height and width of the model's images
 * @returns {Levels} light ink on a black background
 */
export function takeAsIs(picture, [height, width]) {
  const levels = grey(decode(picture).pixels);
  const border = levels.data.filter((_, place) => {
    const [row, column] = [Math.floor(place / levels.width), place % levels.width];
    const edge = row === 0 || row === levels.height - 1;
    return edge || column === 0 || column === levels.width - 1;
  });
  if (levels.height !== height || levels.width !== width || median(border) > 127) {
    throw new DataError(
      `the picture is not what this model takes: bring it to ${width}×${height} ` +
        "pixels, light ink on a black background",
    );
  }
  if (!any(levels)) throw new NoInkError("the picture is blank: there is no ink in it");
  return levels;
}

/** Return the luminance of pixels, as Pillow computes it. */
function grey(/** @type {import("./decoding.js").Pixels} */ pixels) {
  if (!("channels" in pixels)) return pixels;
  const levels = image(pixels.height, pixels.width);
  for (let place = 0, from = 0; place < levels.data.length; place++, from += 3) {
    const [red, green, blue] = pixels.data.subarray(from, from + 3);
    levels.data[place] = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;
  }
  return levels;
}
