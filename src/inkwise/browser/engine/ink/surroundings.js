// Boxes, rings, brackets and cells around a digit, which are not part of it; the port of
// inkwise/ink/surroundings.py, which says what each number means.

import { crop, dilate, equal, hullArea, image, open, rectangle, rint } from "../raster.js";
import { greatest, mean, median, range } from "./arithmetic.js";
import {
  Components,
  coverage,
  distances,
  elongation,
  middle,
  placesOf,
  strokeWidth,
} from "./components.js";

/**
 * @typedef {import("../raster.js").Levels} Levels
 * @typedef {import("./components.js").Points} Points
 * @typedef {import("./levels.js").Box} Box
 */

const AROUND = 0.8;
const LOOSE_AROUND = 0.7;
const OFF_CENTRE = 0.25;
const LEAST_INSIDE = 0.15;
const DOT = 0.3;
const SPECK = 0.2;
const FULL = 0.8;
const SLASH = 0.4;
const FLATTEST_SLASH = 20;
const STEEPEST_SLASH = 68;
const STEEPEST_IN_RING = 54;

/** Greatest height of small print outside a frame or an inset, as a share of its shorter side. */
export const PRINT = 0.13;

const OWN = 0.08;
const LEAST_DASH = 0.02;
const LONGEST_DASH = 0.4;
const FEWEST_DASHES = 8;
const MOST_DASHES = 160;
const FRAME_BAND = 0.2;
const ALL_AROUND = 0.95;
const MOST_SIDES = 24;
const MOST = 8;

/** Greatest number of components that may be brackets, or inside of loose sides. */
export const PIECES = 12;

/**
 * Erase what surrounds the digit, and small print outside it.
 * @param {Levels} ink levels of the ink above the background; changed in place
 * @param {Levels[]} masks of the ink, 0 and 1, at several thresholds
 * @returns {{erased: boolean, unclear: boolean}} whether there was anything around the digit, and
 *   whether there is a ring with a stroke in it, which is left: it may be a 0 with a slash, or a 1
 *   in a ring
 */
export function eraseSurroundings(ink, masks) {
  let [erased, unclear] = [false, false];
  masks.forEach((mask, number) => {
    if (number && equal(mask, masks[0])) return;
    const left = image(mask.height, mask.width);
    for (let place = 0; place < left.data.length; place++) {
      left.data[place] = ink.data[place] ? mask.data[place] : 0;
    }
    for (let time = 0; time < MOST; time++) {
      const components = Components.of(left);
      if (components.count < 3) break; // the background and one component
      const { around, inDoubt } = findAround(components);
      unclear ||= inDoubt;
      if (!around.includes(1)) break;
      const print = printOutside(components, around);
      erase(ink, left, components.mask(around.map((one, place) => one | print[place])));
      erased = true;
    }
  });
  return { erased, unclear };
}

/**
 * Erase components from a mask, and from the ink with their faint edges, but not those of what is
 * left.
 * @param {Levels} ink changed in place
 * @param {Levels} left changed in place
 * @param {Levels} gone the mask of the components
 */
export function erase(ink, left, gone) {
  for (let place = 0; place < gone.data.length; place++) {
    if (gone.data[place]) left.data[place] = 0;
  }
  const edges = dilate(gone, rectangle(5, 5));
  const kept = dilate(left, rectangle(3, 3));
  for (let place = 0; place < gone.data.length; place++) {
    if (gone.data[place] || (edges.data[place] && !kept.data[place])) ink.data[place] = 0;
  }
}

/** Return which components surround others, and whether that is in doubt. */
function findAround(/** @type {Components} */ components) {
  const none = new Uint8Array(components.count);
  const { longest, area } = components;
  const longestFirst = components.longestFirst();
  const largest = longest[longestFirst[0]];
  for (const place of longestFirst.slice(0, PIECES)) {
    if (longest[place] < largest / 4) break;
    const within = inside(components, place);
    if (within.includes(1) && surrounds(components, place, within)) {
      const belongs = belongsToZero(components, place, within);
      if (belongs === "unclear") return { around: none, inDoubt: true };
      if (belongs === "no") {
        return { around: components.where((one) => one === place), inDoubt: false };
      }
    }
  }
  const ofDashes = dashes(components);
  if (ofDashes.includes(1)) return { around: ofDashes, inDoubt: false };
  const around = brackets(components);
  if (around.includes(1)) return { around, inDoubt: false };
  const largestFirst = range(1, components.count).sort((one, other) => area[other] - area[one]);
  for (const place of largestFirst.slice(0, PIECES)) {
    if (longest[place] < DOT * largest) continue;
    const sides = sidesAround(components, place);
    if (sides.includes(1)) return { around: sides, inDoubt: false };
  }
  return { around: none, inDoubt: false };
}

/** Return which components may be inside one. */
export function inside(/** @type {Components} */ components, /** @type {number} */ place) {
  const [top, left, bottom, right] = components.box(place);
  const slack = 0.1 * Math.max(right - left, bottom - top);
  const least = LEAST_INSIDE * Math.min(right - left, bottom - top);
  return components.where((one) => {
    if (one === 0 || one === place) return false;
    const [x, y] = middle(components.box(one));
    return (
      x > left &&
      x < right &&
      // What stands in a comb with short teeth rises far above it.
      y > top - 0.7 * (right - left) &&
      y < bottom &&
      components.left[one] >= left - slack &&
      components.right[one] <= right + slack &&
      components.longest[one] >= least
    );
  });
}

/**
 * Tell whether a component surrounds others, together or one of them.
 * @param {Components} components
 * @param {number} place
 * @param {Uint8Array} within
 */
function surrounds(components, place, within) {
  const [top, left, bottom, right] = components.box(place);
  const points = components.points(place);
  const straight = isComb(components.cut(place));
  const oneByOne = straight ? placesOf(within).slice(0, PIECES) : [];
  for (const box of [components.box(within), ...oneByOne.map((one) => components.box(one))]) {
    if (shareIn(points, box) > 0.05) continue;
    if (box[0] >= top && box[2] <= bottom && coverage(points, middle(box)) >= AROUND) {
      const [x, y] = middle(box);
      const [middleX, middleY] = middle([top, left, bottom, right]);
      const centred =
        Math.abs(x - middleX) <= OFF_CENTRE * (right - left) &&
        Math.abs(y - middleY) <= OFF_CENTRE * (bottom - top);
      if (straight || centred) return true;
    }
    if (straight && top - 0.1 * (right - left) < box[2] && box[2] <= bottom) return true;
  }
  return false;
}

/**
 * Return the share of points that lie in a box.
 * @param {Points} points
 * @param {import("./levels.js").Box} box
 */
function shareIn({ x, y }, [top, left, bottom, right]) {
  let count = 0;
  for (let k = 0; k < x.length; k++) {
    if (x[k] > left && x[k] < right && y[k] > top && y[k] < bottom) count++;
  }
  return count / x.length;
}

/**
 * Tell whether what is inside a ring is the dot or the slash of a 0, or dirt.
 * @param {Components} components
 * @param {number} place
 * @param {Uint8Array} within
 * @returns {"yes" | "no" | "unclear"}
 */
function belongsToZero(components, place, within) {
  const [top, left, bottom, right] = components.box(place);
  const [wide, high] = [right - left, bottom - top];
  const box = components.box(within);
  const sides = [box[2] - box[0], box[3] - box[1]];
  const places = placesOf(within);
  const full = places.length > 1 || shareOfHull(components.cut(places[0])) >= FULL;
  if (full && Math.max(...sides) <= SPECK * Math.min(wide, high)) return "yes";
  if (isComb(components.cut(place))) return "no";
  const filled = places.reduce((sum, one) => sum + components.area[one], 0) / (sides[0] * sides[1]);
  const dot = full && filled > 0.55 && Math.max(...sides) < 2 * Math.min(...sides);
  if (dot && Math.max(...sides) <= DOT * Math.min(wide, high)) return "yes";
  if (places.length > 1) return "no";
  const [narrow, direction] = elongation(components.points(places[0]));
  const steep = Math.abs((direction * 180) / Math.PI);
  if (narrow >= 0.3 || steep <= FLATTEST_SLASH || steep >= STEEPEST_SLASH) return "no";
  if (wide > 0.8 * high) return steep < STEEPEST_IN_RING ? "unclear" : "no";
  return Math.max(...sides) >= SLASH * high ? "yes" : "unclear";
}

/** Return which share of its convex hull a mask fills, 0 to 1. */
function shareOfHull(/** @type {Levels} */ mask) {
  return mask.data.reduce((sum, one) => sum + one, 0) / hullArea(mask);
}

/** Tell whether a mask is of thin, straight lines at the left, right and bottom, at least. */
export function isComb(/** @type {Levels} */ mask) {
  const { height: high, width: wide, data } = mask;
  const width = strokeWidth(mask);
  if (Math.min(high, wide) < 4 * width) return false;
  const band = rint(1.3 * width + 0.03 * Math.max(high, wide));
  const inRows = (/** @type {number} */ left, /** @type {number} */ right) =>
    mean(
      range(0, high).map((row) =>
        Number(data.subarray(row * wide + left, row * wide + right).includes(1)),
      ),
    );
  const below = crop(mask, Math.max(0, high - band), 0, high, wide);
  const inColumns = mean(
    range(0, wide).map((column) =>
      Number(range(0, below.height).some((row) => below.data[row * wide + column])),
    ),
  );
  const sides = [
    inRows(0, Math.min(band, wide)),
    inRows(Math.max(0, wide - band), wide),
    inColumns,
  ];
  if (Math.min(...sides) < 0.8) return false;
  // Dilated, so that lines that are not quite level or upright have long runs.
  const thick = dilate(mask, rectangle(3, 3));
  const level = open(thick, rectangle(1, Math.max(3, Math.floor(wide / 2))));
  const upright = open(thick, rectangle(Math.max(3, Math.floor(high / 2)), 1));
  let [straight, all] = [0, 0];
  for (let place = 0; place < data.length; place++) {
    all += data[place];
    straight += data[place] & (level.data[place] | upright.data[place]);
  }
  return straight >= 0.85 * all;
}

/** Return which two components are brackets with something between them. */
function brackets(/** @type {Components} */ components) {
  const { longest, centres } = components;
  const largest = greatest(longest.subarray(1));
  const tall = range(1, components.count).filter((place) => longest[place] >= largest / 2);
  const opens = tall.slice(0, PIECES).map((place) => [place, opensTo(components.cut(place))]);
  for (const [first, opensRight] of opens) {
    for (const [second, opensLeft] of opens) {
      if (first === second || opensRight !== "right" || opensLeft !== "left") continue;
      const [top, start, bottom, left] = components.box(Number(first));
      const [otherTop, right, otherBottom, stop] = components.box(Number(second));
      const shared = Math.min(bottom, otherBottom) - Math.max(top, otherTop);
      if (left > right || shared < 0.7 * Math.max(bottom - top, otherBottom - otherTop)) continue;
      const between = components.where((one) => {
        const [x, y] = centres[one];
        const there = x > start && x < stop && y > top && y < bottom;
        return one > 0 && one !== first && one !== second && there && longest[one] > SPECK * shared;
      });
      if (between.includes(1)) return components.where((one) => one === first || one === second);
    }
  }
  return new Uint8Array(components.count);
}

/** Return which components are the dashes, dots or corners of a frame. */
function dashes(/** @type {Components} */ components) {
  const none = new Uint8Array(components.count);
  const { longest } = components;
  const least = LEAST_DASH * greatest(longest.subarray(1));
  const real = components.where((place) => place > 0 && longest[place] >= least);
  const count = placesOf(real).length;
  if (count < 5 || count > MOST_DASHES) return none;
  const box = components.box(real);
  const [top, left, bottom, right] = box;
  const [high, wide] = [bottom - top, right - left];
  const most = LONGEST_DASH * Math.max(high, wide);
  // Their places from -1 at the frame's left and top to 1 at its right and bottom.
  const points = placesOf(components.where((place) => real[place] && longest[place] <= most)).map(
    (place) => {
      const { x, y } = components.points(place);
      return {
        place,
        x: x.map((each) => ((each - left) / wide) * 2 - 1),
        y: y.map((each) => ((each - top) / high) * 2 - 1),
      };
    },
  );
  const [rectangular, ellipse] = [true, false].map((straight) =>
    points.filter(({ x, y }) => {
      const near = Array.from(x, (across, k) => {
        const down = y[k];
        const away = straight
          ? Math.max(Math.abs(across), Math.abs(down))
          : Math.sqrt(across * across + down * down);
        return Math.abs(away - 1) <= FRAME_BAND;
      });
      return mean(near.map(Number)) >= 0.9;
    }),
  );
  const chosen = ellipse.length > rectangular.length ? ellipse : rectangular;
  const found = none.slice();
  for (const { place } of chosen) found[place] = 1;
  const within = real.map((one, place) => one & ~found[place]);
  if (chosen.length < 4 || !within.includes(1)) return none;
  if (!liesIn(components.box(within), box)) return none;
  const there = {
    x: Float64Array.from(chosen.flatMap(({ x }) => Array.from(x))),
    y: Float64Array.from(chosen.flatMap(({ y }) => Array.from(y))),
  };
  if (chosen.length === 4) {
    const atCorner = (/** @type {number[]} */ [across, down]) =>
      there.x.some(
        (x, k) => Math.max(Math.abs(x - across), Math.abs(there.y[k] - down)) <= FRAME_BAND,
      );
    return CORNERS.every(atCorner) ? found : none;
  }
  const { far } = distances(there, [0, 0]);
  const gapless = Array.from(far, (_, k) =>
    range(-3, 4).some((turn) => far[(k + turn + far.length) % far.length] > 0),
  );
  const around = mean(gapless.map(Number)) >= ALL_AROUND;
  return chosen.length >= FEWEST_DASHES && around ? found : none;
}

const CORNERS = [
  [-1, -1],
  [-1, 1],
  [1, -1],
  [1, 1],
];

/**
 * Tell whether a box lies in a frame, and is large enough to be what stands in it.
 * @param {Box} box
 * @param {Box} frame
 */
function liesIn([top, left, bottom, right], frame) {
  const inside = top > frame[0] && left > frame[1] && bottom < frame[2] && right < frame[3];
  const least = LEAST_INSIDE * Math.min(frame[2] - frame[0], frame[3] - frame[1]);
  return inside && Math.max(bottom - top, right - left) >= least;
}

/** Return which components are the loose sides of a box around one. */
function sidesAround(/** @type {Components} */ components, /** @type {number} */ place) {
  const box = components.box(place);
  const size = Math.max(box[2] - box[0], box[3] - box[1]);
  const others = range(1, components.count).filter(
    (one) => one !== place && components.longest[one] >= 0.6 * size,
  );
  const none = new Uint8Array(components.count);
  if (others.length > MOST_SIDES) return none;
  const centre = middle(box);
  /** @type {{side: number, seen: boolean[]}[]} */
  const sides = [];
  for (const side of others) {
    const points = components.points(side);
    if (shareIn(points, box) > 0) continue;
    if (isSide(points, centre, components.strokeWidth(side))) {
      const seen = Array.from(distances(points, centre).far, (distance) => distance > 0);
      sides.push({ side, seen });
    }
  }
  // A digit in the next cell of a table is before a side of its own, and adds nothing to it.
  const needed = sides.filter((one) => {
    const alone = one.seen.map(
      (seen, k) => seen && !sides.some((other) => other !== one && other.seen[k]),
    );
    return mean(alone.map(Number)) >= OWN;
  });
  if (needed.length < 2) return none;
  const covered = needed[0].seen.map((_, k) => Number(needed.some(({ seen }) => seen[k])));
  if (mean(covered) < LOOSE_AROUND) return none;
  for (const { side } of needed) none[side] = 1;
  return none;
}

/**
 * Tell whether points are one stroke that runs around a centre, and not a form with depth.
 * @param {Points} points
 * @param {[number, number]} centre
 * @param {number} width
 */
function isSide(points, centre, width) {
  const { near, far } = distances(points, centre);
  const seen = placesOf(far);
  // A straight line is farther at one end of a direction than at the other.
  const depth = median(seen.map((k) => far[k] - near[k])) - 0.08 * median(seen.map((k) => near[k]));
  return seen.length / far.length >= 0.06 && depth <= 2 * width + 2;
}

/** Return to which side a round or square bracket opens, "left" or "right", or nothing. */
function opensTo(/** @type {Levels} */ { height: high, width: wide, data }) {
  if (high < Math.max(8, 1.8 * wide)) return "";
  const rows = range(0, high).map((row) => data.subarray(row * wide, (row + 1) * wide));
  if (!rows.every((row) => row.includes(1))) return "";
  const start = rows.map((row) => row.indexOf(1));
  const stop = rows.map((row) => row.lastIndexOf(1) + 1);
  // A bracket is one narrow stroke: no row but those of its ends is broad.
  const sixth = Math.floor(high / 6);
  const spans = rows.map((_, row) => stop[row] - start[row]).slice(sixth, high - sixth);
  if (median(spans) > 0.3 * high || Math.max(...spans) > 2.2 * median(spans)) return "";
  const ends = Math.max(1, Math.floor(high / 7));
  const third = Math.floor(high / 3);
  const least = 0.04 * high;
  const negative = (/** @type {number[]} */ values) => values.map((value) => -value);
  /** @type {[string, number[], number[]][]} */
  const ways = [
    ["right", stop, start],
    ["left", negative(start), negative(stop)],
  ];
  for (const [side, inner, outer] of ways) {
    const waist = (/** @type {number[]} */ edge) => median(edge.slice(third, high - third));
    const tips = Math.min(Math.max(...inner.slice(0, ends)), Math.max(...inner.slice(-ends)));
    const bent = tips - waist(inner) > least;
    if (bent && Math.min(...outer) > waist(outer) - least) return side;
  }
  return "";
}

/** Return which components are small print outside a frame, as at the axes of a figure. */
function printOutside(/** @type {Components} */ components, /** @type {Uint8Array} */ around) {
  const [top, left, bottom, right] = components.box(around);
  const outside = components.where(
    (one) =>
      one > 0 &&
      (components.right[one] <= left ||
        components.left[one] >= right ||
        components.bottom[one] <= top ||
        components.top[one] >= bottom),
  );
  const most = PRINT * Math.min(bottom - top, right - left);
  const small = placesOf(outside).every((one) => components.high(one) <= most);
  return small ? outside : new Uint8Array(components.count);
}
