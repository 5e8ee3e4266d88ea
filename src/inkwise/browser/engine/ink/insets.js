// A picture within a picture, such as the image in a figure of a plotting library; the port of
// inkwise/ink/insets.py, which says what each number means.

import { fillHoles, image, open, rectangle } from "../raster.js";
import { argmax, greatest, mean, median, range } from "./arithmetic.js";
import { Components } from "./components.js";
import { everyNth } from "./levels.js";
import { PRINT } from "./surroundings.js";

/**
 * @typedef {import("../raster.js").Levels} Levels
 * @typedef {import("./colours.js").Colours} Colours
 * @typedef {import("./levels.js").Box} Box
 */

const SMALLEST_SIDE = 64;
const EVEN = 5;
const FLATTEST = 0.3;
const LEAST_BESIDE = 0.3;
const BAR = 0.7;
const SOLID = 0.5;
const COARSE = 128;

/**
 * Find the one filled rectangle on the even canvas of a picture.
 * @param {Levels | Colours} picture
 * @returns {{box: Box | null, crowded: boolean}} the rectangle without its outermost pixels; null
 *   if there is none, or another one that is half as large; and whether there is something else of
 *   a digit's size around it
 */
export function findInset(picture) {
  const none = { box: null, crowded: false };
  const { height, width } = picture;
  if (Math.min(height, width) < SMALLEST_SIDE) return none;
  const border = [
    ...range(0, width),
    ...range((height - 1) * width, height * width),
    ...range(0, height).map((row) => row * width),
    ...range(1, height + 1).map((row) => row * width - 1),
  ];
  const channels = picture.data.length / (height * width);
  const canvas = range(0, channels).map((channel) =>
    median(border.map((pixel) => picture.data[pixel * channels + channel])),
  );
  const differs = (/** @type {number} */ pixel) => {
    for (let channel = 0; channel < channels; channel++) {
      if (Math.abs(picture.data[pixel * channels + channel] - canvas[channel]) > EVEN) return 1;
    }
    return 0;
  };
  if (mean(border.map(differs)) > 0.05) return none;
  const mask = image(height, width);
  for (let pixel = 0; pixel < mask.data.length; pixel++) mask.data[pixel] = differs(pixel);
  const step = Math.ceil(Math.max(height, width) / COARSE);
  const small = everyNth(mask, step);
  // Ink that has the colour of the canvas makes holes. Strokes, lines and text are narrower than
  // the kernel; an inset is not.
  const side = Math.max(3, Math.floor(Math.max(small.height, small.width) / 8));
  const components = Components.of(open(fillHoles(small), rectangle(side, side)));
  if (components.count < 2) return none;
  const area = components.area.slice(1).sort().reverse();
  if (area.length > 1 && area[1] > area[0] / 2) return none;
  let [top, left, bottom, right] = components.box(1 + argmax(components.area.subarray(1)));
  const whole = (bottom - top) * (right - left);
  let solid = 0;
  for (let row = top; row < bottom; row++) {
    for (let column = left; column < right; column++)
      solid += small.data[row * small.width + column];
  }
  // A box drawn around a digit is hollow, and the opening makes a small blob a rectangle.
  if (
    Math.min(bottom - top, right - left) < 2 * side ||
    area[0] < 0.98 * whole ||
    solid < SOLID * whole
  ) {
    return none;
  }
  /** @type {[number, number]} */
  const rows = [Math.max(0, (top - 2) * step), Math.min(height, (bottom + 2) * step)];
  /** @type {[number, number]} */
  const columns = [Math.max(0, (left - 2) * step), Math.min(width, (right + 2) * step)];
  const across = [left * step, Math.min(width, right * step)];
  [top, bottom] = edges(...rows, (row) =>
    mean(mask.data.subarray(row * width + across[0], row * width + across[1])),
  );
  const down = range(top, bottom);
  [left, right] = edges(...columns, (column) =>
    mean(down.map((row) => mask.data[row * width + column])),
  );
  const margin = 2 + Math.floor(Math.max(height, width) / 200);
  [top, left, bottom, right] = [top + margin, left + margin, bottom - margin, right - margin];
  const sides = [bottom - top, right - left];
  if (Math.min(...sides) < Math.max(1, FLATTEST * Math.max(...sides))) return none;
  if (greatest(spans(picture, channels, [top, left, bottom, right])) <= EVEN) return none; // a bar
  const outside = image(height, width, mask.data.slice());
  const [first, last] = [left - 2 * margin, right + 2 * margin].map((column) =>
    Math.min(Math.max(column, 0), width),
  );
  for (
    let row = Math.max(0, top - 2 * margin);
    row < Math.min(height, bottom + 2 * margin);
    row++
  ) {
    outside.data.fill(0, row * width + first, row * width + last);
  }
  return {
    box: [top, left, bottom, right],
    crowded: isCrowded(Components.of(outside), Math.min(...sides)),
  };
}

/**
 * Return the difference of the greatest and the least level of each channel in a box.
 * @param {Levels | Colours} picture
 * @param {number} channels
 * @param {Box} box
 */
function spans({ width, data }, channels, [top, left, bottom, right]) {
  return range(0, channels).map((channel) => {
    let [least, most] = [255, 0];
    for (let row = top; row < bottom; row++) {
      for (let column = left; column < right; column++) {
        const level = data[(row * width + column) * channels + channel];
        least = Math.min(least, level);
        most = Math.max(most, level);
      }
    }
    return most - least;
  });
}

/** Tell whether anything around an inset is neither small print nor a bar, of colours say. */
function isCrowded(/** @type {Components} */ around, /** @type {number} */ side) {
  return range(1, around.count).some((place) => {
    const [wide, high] = [around.wide(place), around.high(place)];
    const [shorter, longer] = [Math.min(wide, high), Math.max(wide, high)];
    const bar = longer > BAR * side && around.area[place] > 0.5 * wide * high;
    return shorter > PRINT * side || (longer > LEAST_BESIDE * side && !bar);
  });
}

/**
 * Return where the filled lines near the ends of a coarse place start and stop.
 * @param {number} start
 * @param {number} stop
 * @param {(line: number) => number} filled
 * @returns {[number, number]}
 */
function edges(start, stop, filled) {
  const full = range(start, stop).filter((line) => filled(line) > 0.9);
  return full.length ? [full[0], full[full.length - 1] + 1] : [start, start];
}
