// The channel of grey levels in which ink and background differ most; the port of
// inkwise/ink/colours.py, which says what each number means.

import { boxBlur, image, invert, weigh } from "../raster.js";
import { argmax, eigen, greatest, median } from "./arithmetic.js";

/**
 * Red, green and blue of each pixel in turn.
 * @typedef {{height: number, width: number, channels: 3, data: Uint8Array}} Colours
 */

const LUMINANCE = [0.299, 0.587, 0.114];
const ONE_HUE = 0.95;
const COARSE = 128;

/** Return grey levels in which ink and background differ most. */
export function strongestGrey(/** @type {Colours} */ picture) {
  const small = everyNth(picture);
  const data = Float32Array.from(small.data);
  const reach = Math.floor(Math.max(small.height, small.width, 3) / 3);
  const blurred = boxBlur(data, small.height, small.width, 3, reach);
  const products = [new Float64Array(3), new Float64Array(3), new Float64Array(3)];
  for (let pixel = 0; pixel < data.length; pixel += 3) {
    const changes = [0, 1, 2].map((channel) => data[pixel + channel] - blurred[pixel + channel]);
    for (let one = 0; one < 3; one++) {
      for (let other = 0; other < 3; other++) products[one][other] += changes[one] * changes[other];
    }
  }
  const { values, vectors } = eigen(products.map((row) => [...row]));
  if (values[2] < ONE_HUE * (values[0] + values[1] + values[2])) {
    const distance = distanceFromBackground(picture, small);
    if (distance !== null) return distance;
  }
  const axis = vectors[2];
  const sign = dot(axis, LUMINANCE) >= 0 ? 1 : -1;
  const size = axis.reduce((sum, weight) => sum + Math.abs(weight), 0);
  const weights = axis.map((weight) => (weight / size) * sign);
  const black = -255 * weights.reduce((sum, weight) => sum + Math.min(weight, 0), 0);
  return weigh(picture, [...weights, black]);
}

const dot = (/** @type {number[]} */ one, /** @type {number[]} */ other) =>
  one.reduce((sum, value, place) => sum + value * other[place], 0);

/** @returns {Colours} some of the pixels, which tell which colours there are */
function everyNth(/** @type {Colours} */ { height, width, data }) {
  const step = Math.max(1, Math.floor(Math.max(height, width) / COARSE));
  const [rows, columns] = [Math.ceil(height / step), Math.ceil(width / step)];
  const some = new Uint8Array(rows * columns * 3);
  for (let row = 0, to = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const from = (row * step * width + column * step) * 3;
      for (let channel = 0; channel < 3; channel++) some[to++] = data[from + channel];
    }
  }
  return { height: rows, width: columns, channels: 3, data: some };
}

/**
 * Return how far each colour is from that of the background, for colours of many hues; null if the
 * background is not even.
 */
function distanceFromBackground(/** @type {Colours} */ picture, /** @type {Colours} */ small) {
  const keys = new Int32Array(small.data.length / 3);
  const counts = new Int32Array(1 << 18);
  for (let pixel = 0; pixel < keys.length; pixel++) {
    const [red, green, blue] = small.data.subarray(3 * pixel, 3 * pixel + 3);
    keys[pixel] = ((red >> 2) << 12) | ((green >> 2) << 6) | (blue >> 2);
    counts[keys[pixel]]++;
  }
  const commonest = argmax(counts);
  if (counts[commonest] < 0.25 * keys.length) return null;
  const background = [0, 1, 2].map((channel) =>
    median(
      [...keys.keys()].filter((k) => keys[k] === commonest).map((k) => small.data[3 * k + channel]),
    ),
  );
  const { height, width, data } = picture;
  const away = new Float32Array(height * width);
  for (let pixel = 0; pixel < away.length; pixel++) {
    const [red, green, blue] = background.map(
      (level, channel) => data[3 * pixel + channel] - level,
    );
    away[pixel] = Math.sqrt(red * red + green * green + blue * blue);
  }
  const scale = Math.fround(255 / Math.max(1, greatest(away)));
  const levels = image(
    height,
    width,
    Uint8Array.from(away, (one) => Math.fround(one * scale)),
  );
  return dot(background, LUMINANCE) > 127 ? invert(levels) : levels;
}
