// Telling the lines of ruled or squared paper from handwriting, and erasing them; the port of
// inkwise/ink/lines.py, which says what each number means.

import {
  above,
  close,
  crop,
  dilate,
  image,
  kernelOf,
  mean,
  open,
  rectangle,
  rint,
  transpose,
} from "../raster.js";
import { argmax, greatest, parabola, quantile, range } from "./arithmetic.js";
import { sample } from "./levels.js";

/**
 * A ruled line: places of its pixels along and across it, and the level of its ink.
 * @typedef {import("../raster.js").Levels} Levels
 * @typedef {{along: number[], across: number[], level: number}} Line
 */

const STEEPEST = 6;

/**
 * Erase ruled lines, horizontal or vertical and tilted by a few degrees at most.
 *
 * One or two lines are erased only if they are fainter than the strongest ink. Where a stroke
 * crosses a line, it is stronger than the line or goes on at both sides, and is kept.
 * @param {Levels} ink levels of the ink above the background; changed in place
 * @param {number} floor the level up to which ink is noise
 * @returns {boolean} whether there were ruled lines
 */
export function eraseLines(ink, floor) {
  const mask = above(ink, floor);
  let level = levelLines(mask, ink);
  let upright = levelLines(transpose(mask), transpose(ink));
  if (level.length + upright.length < 3) {
    const faint = 0.6 * greatest(sample(ink).data);
    [level, upright] = [level, upright].map((lines) => lines.filter((line) => line.level < faint));
  }
  if (!level.length && !upright.length) return false;
  const { height, width } = ink;
  const bands = [image(height, width), image(height, width)];
  for (const { along, across } of level) {
    along.forEach((column, k) => {
      bands[0].data[across[k] * width + column] = 1;
    });
  }
  for (const { along, across } of upright) {
    along.forEach((row, k) => {
      bands[1].data[row * width + across[k]] = 1;
    });
  }
  const without = image(height, width);
  for (let place = 0; place < mask.data.length; place++) {
    without.data[place] = mask.data[place] & ~(bands[0].data[place] | bands[1].data[place]);
  }
  const length = 2 * thickest(mask) + 3;
  const slants = [
    kernelOf(length, length, (row, column) => row === column),
    kernelOf(length, length, (row, column) => row === length - 1 - column),
  ].map((kernel) => close(without, kernel));
  [rectangle(length, 1), rectangle(1, length)].forEach((straight, k) => {
    if (!bands[k].data.includes(1)) return;
    const crossed = [close(without, straight), ...slants];
    for (let place = 0; place < ink.data.length; place++) {
      if (bands[k].data[place] && !crossed.some(({ data }) => data[place])) ink.data[place] = 0;
    }
  });
  return true;
}

/**
 * Return the lines that run from the left of the picture to its right.
 *
 * Lines are made of runs of ink that are long and thin. All have the same slope: the one at which
 * the runs fall on the fewest lines, found by a Hough transform over few angles.
 * @returns {Line[]}
 */
function levelLines(/** @type {Levels} */ mask, /** @type {Levels} */ ink) {
  const { height, width } = mask;
  const edge = Math.max(1, Math.floor(width / 8));
  // Looked at first, because most pictures have no ink there.
  const ends = [crop(mask, 0, 0, height, edge), crop(mask, 0, width - edge, height, width)];
  if (ends.some((end) => mean(end) * end.data.length < edge / 2)) return [];
  const { rows, columns } = thinRuns(mask);
  const near = (/** @type {(column: number) => boolean} */ test) => columns.filter(test).length;
  if (near((x) => x < edge) < edge / 2 || near((x) => x >= width - edge) < edge / 2) return [];
  const centred = columns.map((column) => column - width / 2);
  const slope = commonSlope(rows, centred);
  // A line is identified by its row in the middle column, which may lie outside the picture.
  const margin = Math.ceil((Math.abs(slope) * width) / 2) + 2;
  const lineOf = rows.map((row, k) => rint(row - slope * centred[k]) + margin);
  const count = height + 2 * margin;

  const covered = (/** @type {(column: number) => boolean} */ where) => {
    const counts = new Int32Array(count + 2);
    lineOf.forEach((line, k) => {
      if (where(columns[k])) counts[line + 1]++;
    });
    return range(0, count).map((line) => counts[line] + counts[line + 1] + counts[line + 2]);
  };
  const all = covered(() => true);
  const leftmost = covered((column) => column < edge);
  const rightmost = covered((column) => column >= width - edge);
  // A ruled line covers half of its length, and reaches both sides or leaves the picture before.
  const long = range(0, count).map((line) => {
    const middle = line - margin;
    const [left, right] = [middle - (slope * width) / 2, middle + (slope * width) / 2];
    const [low, high] = [Math.min(left, right), Math.max(left, right)];
    // The share of the line that lies inside the picture.
    const inside =
      high - low < 1e-6
        ? Number(middle >= 0 && middle < height)
        : Math.max(0, Math.min(high, height) - Math.max(low, 0)) / Math.max(high - low, 1e-9);
    return (
      inside * width >= edge &&
      all[line] >= 0.5 * width * inside &&
      (leftmost[line] >= 0.5 * edge || left < 0 || left >= height) &&
      (rightmost[line] >= 0.5 * edge || right < 0 || right >= height)
    );
  });
  const lines = [];
  for (let first = 0; first < count; first++) {
    if (!long[first]) continue;
    let last = first + 1;
    while (long[last]) last++;
    lines.push(bentLine(rows, columns, lineOf, [first - 2, last + 2], ink));
    first = last;
  }
  return lines;
}

/**
 * Return the line whose pixels fall on some lines.
 * @param {number[]} rows
 * @param {number[]} columns
 * @param {number[]} lineOf
 * @param {[number, number]} between
 * @param {Levels} ink
 * @returns {Line}
 */
function bentLine(rows, columns, lineOf, [first, last], ink) {
  const near = [...rows.keys()].filter((k) => lineOf[k] >= first && lineOf[k] < last);
  const itsRows = near.map((k) => rows[k]);
  const itsColumns = near.map((k) => columns[k]);
  const darkness = quantile(
    near.map((k) => ink.data[rows[k] * ink.width + columns[k]]),
    0.85,
  );
  const half = Math.ceil(near.length / new Set(itsColumns).size / 2) + 1;
  // Paper bends, so a parabola is fitted to the line.
  const centre = parabola(itsColumns, itsRows);
  /** @type {Line} */
  const line = { along: [], across: [], level: darkness };
  for (let column = 0; column < ink.width; column++) {
    const middle = centre(column);
    for (let off = -half; off <= half; off++) {
      const row = rint(middle + off);
      if (row < 0 || row >= ink.height) continue;
      if (ink.data[row * ink.width + column] >= 1.5 * darkness) continue;
      line.along.push(column);
      line.across.push(row);
    }
  }
  return line;
}

/** Return rows and columns of the pixels in long, thin runs from left to right. */
function thinRuns(/** @type {Levels} */ mask) {
  const run = Math.max(9, Math.floor(mask.width / 30));
  const thick = thickest(mask) + 2;
  // With a pixel more above and below, a tilted line has runs as long as a level one.
  const joined = close(dilate(mask, rectangle(3, 1)), rectangle(1, 5));
  const runs = open(joined, rectangle(1, run));
  const bodies = open(joined, rectangle(thick + 1, 1));
  /** @type {{rows: number[], columns: number[]}} */
  const found = { rows: [], columns: [] };
  for (let place = 0; place < mask.data.length; place++) {
    if (runs.data[place] & mask.data[place] & ~bodies.data[place]) {
      found.rows.push(Math.floor(place / mask.width));
      found.columns.push(place % mask.width);
    }
  }
  return found;
}

/** Return the greatest thickness of a ruled line, in pixels. */
function thickest(/** @type {Levels} */ { height, width }) {
  return Math.max(4, Math.floor(Math.max(height, width) / 80));
}

/** Return the slope at which pixels of parallel lines fall on the fewest rows. */
function commonSlope(/** @type {number[]} */ rows, /** @type {number[]} */ columns) {
  const step = Math.max(1, Math.floor(rows.length / 4000));
  const some = (/** @type {number[]} */ values) => values.filter((_, k) => k % step === 0);
  const [y, x] = [Float64Array.from(some(rows)), Float64Array.from(some(columns))];
  const steepest = greatest(x.map(Math.abs)) * Math.tan((STEEPEST * Math.PI) / 180);
  const lowest = Math.floor(-steepest) - 1;
  const counts = new Int32Array(Math.ceil(greatest(y) + steepest) + 2 - lowest);

  const crowding = (/** @type {number} */ slope) => {
    counts.fill(0);
    for (let k = 0; k < y.length; k++) counts[rint(y[k] - slope * x[k]) - lowest]++;
    return counts.reduce((sum, count) => sum + count * count, 0);
  };
  const slopes = range(0, 20 * STEEPEST + 1).map((k) =>
    Math.tan(((k / 10 - STEEPEST) * Math.PI) / 180),
  );
  return slopes[argmax(slopes.map(crowding))];
}
