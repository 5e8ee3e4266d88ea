// Lines of writing: which ink of a page belongs to which, each brought to one size; the port of
// inkwise/reading/text_lines.py, which says what each number means.

import { mean, median, range } from "../ink/arithmetic.js";
import { Components } from "../ink/components.js";
import {
  dilate,
  image,
  invertAffineTransform,
  rectangle,
  resize,
  rint,
  warpAffine,
} from "../raster.js";

/** Height of a digit in a line that was brought to one size, in pixels. */
export const HEIGHT = 20;

/** Room above and below the digits of such a line, in pixels. */
export const ABOVE = 6;

/** Least level of a pixel that counts as ink in such a line. */
export const INK = 64;

/** Height of such a line. */
export const ROWS = HEIGHT + 2 * ABOVE;

const LARGE = 0.5;
const SMALLEST = 0.25;
const SPECK = 0.06;
const FLAT = 0.22;
const PALE = 120;
const FULL = 0.65;
const LONG = 1.6;
const APART = 1.5;
const WIDEST = 60;
const MOST_LINES = 200;

/** @typedef {import("../raster.js").Levels} Levels */

/** A line of writing, level, and with digits about `HEIGHT` pixels high. */
export class Line {
  /** Light ink on a black background. */
  levels;

  #back;

  /**
   * @param {Levels} levels
   * @param {number[][]} back the affine map from places in `levels`, x and y, to the page's, 2×3
   */
  constructor(levels, back) {
    this.levels = levels;
    this.#back = back;
  }

  /** Height of its digits on the page, in pixels. */
  get height() {
    return HEIGHT * this.#back[1][1];
  }

  /** Return top, left, bottom and right, on the page, of what is in a box of the line. */
  onThePage(/** @type {number[]} */ [top, left, bottom, right]) {
    const corners = [
      [left, top],
      [left, bottom],
      [right, top],
      [right, bottom],
    ];
    const [x, y] = this.#back.map(([a, b, c]) => corners.map(([u, v]) => a * u + b * v + c));
    return [Math.min(...y), Math.min(...x), Math.max(...y), Math.max(...x)];
  }
}

/**
 * Find the lines of a page.
 *
 * The high components show how high digits are and which of them stand in one line; the small
 * ones, such as points and loose flags, go with the nearest line.
 * @param {import("../ink/all_ink.js").Page} page
 * @returns {{found: Line[], dropped: string[]}} the lines, from top to bottom; and what else is on
 *   the page and in no line
 */
export function findLines({ levels, mask }) {
  let components = Components.of(mask);
  let flat = flatOnes(components);
  if (flat.some(Boolean)) {
    // A pale line may join digits.
    const data = mask.data.map((ink, place) =>
      flat[components.labels[place]] && levels.data[place] < PALE ? 0 : ink,
    );
    components = Components.of(image(mask.height, mask.width, data));
    flat = flatOnes(components);
  }
  const high = components.each((place) => components.high(place));
  const pale = highestLevels(components, levels).map((level) => level < PALE);
  const upright = range(1, components.count).filter((place) => !flat[place] && !pale[place]);
  if (!upright.length) {
    return { found: [], dropped: pale.slice(1).some(Boolean) ? ["pale ink"] : [] };
  }
  // The height that most ink belongs to: a speck or a blot decides nothing.
  const least = LARGE * commonHeight(upright, high, components.area);
  const tall = upright.filter((place) => high[place] >= least);
  const size = median(tall.map((place) => high[place]));
  const ruled = components.where(
    (place) => place > 0 && !pale[place] && flat[place] && components.wide(place) >= LONG * size,
  );
  const ink = range(1, components.count).filter(
    (place) => !pale[place] && !ruled[place] && components.longest[place] >= SPECK * size,
  );
  const tallOnes = new Set(tall);
  const bases = ink.filter((place) => tallOnes.has(place) && high[place] >= SMALLEST * size);
  const groups = groupsOf(components, bases, size);
  const members = groups.map((group) => [...group]);
  const tilts = groups.map((group) => tiltOf(components, group));
  const basic = new Set(bases);
  for (const one of ink) {
    if (basic.has(one)) continue;
    const nearest = nearestOf(components, one, groups, tilts, size);
    if (nearest !== null) members[nearest].push(one);
  }
  const order = inOrder(components, groups, size);
  const each = order
    .slice(0, MOST_LINES)
    .map((k) => level(levels, components, groups[k], members[k], tilts[k][0]));
  const kept = new Set(members.flat());
  const outside = range(1, components.count).filter((place) => !kept.has(place));
  const small = (/** @type {number} */ place) => components.longest[place] < SMALLEST * size;
  const black = outside.filter((place) => !pale[place] && !ruled[place]);
  const dropped = Object.entries({
    "pale ink": outside.some((place) => pale[place] && !small(place)),
    lines: ruled.includes(1),
    "small writing": black.some((place) => !small(place)),
    specks: black.some(small),
    "wide lines of writing": each.includes(null),
    [`lines of writing after the ${MOST_LINES}th`]: order.length > MOST_LINES,
  }).flatMap(([name, there]) => (there ? [name] : []));
  return { found: each.flatMap((line) => line ?? []), dropped };
}

/** Tell which components are lines, level or not, and not a row of digits that touch. */
function flatOnes(/** @type {Components} */ components) {
  return components.where((place) => {
    const [high, wide] = [components.high(place), components.wide(place)];
    if (!place || high >= FLAT * wide) return false;
    if (components.area[place] > FULL * high * wide) return true;
    const { data } = components.cut(place);
    const tall = range(0, wide).map((x) => {
      const inked = range(0, high).filter((y) => data[y * wide + x]);
      return inked[inked.length - 1] + 1 - inked[0];
    });
    return mean(tall) < high / 2; // no column of a component is empty
  });
}

/** Return the highest level in each component. */
function highestLevels(/** @type {Components} */ { count, labels }, /** @type {Levels} */ levels) {
  const highest = new Array(count).fill(0);
  labels.forEach((label, place) => {
    if (levels.data[place] > highest[label]) highest[label] = levels.data[place];
  });
  return highest;
}

/**
 * Return the index of the line that a small component belongs to; null if it is far off.
 * @param {Components} components
 * @param {number} one
 * @param {number[][]} groups
 * @param {number[][]} tilts
 * @param {number} size
 */
function nearestOf({ left, right, centres }, one, groups, tilts, size) {
  const [x, y] = centres[one];
  let best = APART * size;
  let nearest = null;
  groups.forEach((group, number) => {
    const [slope, start] = tilts[number];
    const away = Math.max(
      Math.min(...group.map((place) => left[place])) - right[one],
      left[one] - Math.max(...group.map((place) => right[place])),
      0,
    );
    const aside = Math.abs(y - (slope * x + start));
    if (aside <= size && Math.max(away, aside) < best) {
      [best, nearest] = [Math.max(away, aside), number];
    }
  });
  return nearest;
}

/**
 * Return the indices of lines from top to bottom, and of those side by side, to the right.
 * @param {Components} components
 * @param {number[][]} groups
 * @param {number} size
 */
function inOrder({ left, centres }, groups, size) {
  const middles = groups.map((group) => mean(group.map((place) => centres[place][1])));
  /** @type {number[][]} */
  const rows = [];
  for (const place of range(0, groups.length).sort((one, other) => middles[one] - middles[other])) {
    const row = rows.at(-1);
    if (row && middles[place] - middles[row[0]] < LARGE * size) row.push(place);
    else rows.push([place]);
  }
  const start = groups.map((group) => Math.min(...group.map((place) => left[place])));
  return rows.flatMap((row) => row.sort((one, other) => start[one] - start[other]));
}

/**
 * Return the height below which the components with half of the ink lie.
 * @param {number[]} some
 * @param {number[]} high
 * @param {Int32Array} area
 */
function commonHeight(some, high, area) {
  const order = [...some].sort((one, other) => high[one] - high[other]);
  const half = order.reduce((sum, place) => sum + area[place], 0) / 2;
  let total = 0;
  for (const place of order) {
    total += area[place];
    if (total >= half) return high[place];
  }
  return 0;
}

/**
 * Group high components into lines: neighbours whose rows overlap by half.
 * @param {Components} components
 * @param {number[]} bases
 * @param {number} size
 */
function groupsOf({ left, top, right, bottom }, bases, size) {
  /** @type {number[][]} */
  const groups = [];
  for (const one of [...bases].sort((place, other) => left[place] - left[other])) {
    let best = 0.4;
    let nearest = -1;
    groups.forEach((group, number) => {
      const last = group.slice(-3);
      const upper = mean(last.map((place) => top[place]));
      const lower = mean(last.map((place) => bottom[place]));
      const shared = Math.min(lower, bottom[one]) - Math.max(upper, top[one]);
      const least = Math.min(lower - upper, bottom[one] - top[one]);
      if (left[one] - Math.max(...last.map((place) => right[place])) < APART * size) {
        const share = shared / Math.max(least, 1);
        if (share > best) [best, nearest] = [share, number];
      }
    });
    if (nearest < 0) groups.push([one]);
    else groups[nearest].push(one);
  }
  return groups;
}

/**
 * Return slope and height at x = 0 of the line through the middles of a group.
 * @param {Components} components
 * @param {number[]} group
 */
function tiltOf({ left, top, right, bottom }, group) {
  const x = group.map((place) => (left[place] + right[place]) / 2);
  const y = group.map((place) => (top[place] + bottom[place]) / 2);
  const high = median(group.map((place) => bottom[place] - top[place]));
  if (group.length < 3 || Math.max(...x) - Math.min(...x) < 1.5 * high) return [0, mean(y)];
  const [middle, height] = [mean(x), mean(y)];
  const along = x.map((place) => place - middle);
  const slope =
    along.reduce((sum, place, k) => sum + place * (y[k] - height), 0) /
    along.reduce((sum, place) => sum + place * place, 0);
  return Math.abs(slope) > 0.5 ? [0, height] : [slope, height - slope * middle];
}

/**
 * Cut a line out of the page, level, and with digits of the height `HEIGHT`; null if it is too wide.
 * @param {Levels} page
 * @param {Components} components
 * @param {number[]} group
 * @param {number[]} members
 * @param {number} slope
 */
function level(page, { labels, left, top, right, bottom, centres }, group, members, slope) {
  const shift = group.map((place) => slope * centres[place][0]);
  const upper = median(group.map((place, k) => top[place] - shift[k]));
  const lower = median(group.map((place, k) => bottom[place] - shift[k]));
  const scale = HEIGHT / Math.max(1, lower - upper);
  const first = Math.min(...members.map((place) => left[place]));
  const last = Math.max(...members.map((place) => right[place]));
  const width = rint((last - first) * scale) + 8;
  if (width > WIDEST * HEIGHT) return null;
  const kept = new Set(members);
  const down = Math.max(0, Math.min(...members.map((place) => top[place])) - 2);
  const across = Math.max(0, first - 2);
  const own = image(
    Math.min(page.height, Math.max(...members.map((place) => bottom[place])) + 2) - down,
    Math.min(page.width, last + 2) - across,
  );
  const others = new Uint8Array(own.data.length);
  for (let row = 0; row < own.height; row++) {
    for (let x = 0; x < own.width; x++) {
      const label = labels[(row + down) * page.width + x + across];
      if (!label) continue;
      (kept.has(label) ? own.data : others)[row * own.width + x] = 1;
    }
  }
  let cut = dilate(own, rectangle(3, 3));
  cut.data.forEach((around, place) => {
    const row = Math.floor(place / cut.width);
    const from = (row + down) * page.width + (place % cut.width) + across;
    cut.data[place] = around && !others[place] ? page.data[from] : 0;
  });
  // To the cut-out's place from the page's, then from there to the line's.
  const step = Math.max(1, Math.floor(1 / scale + 1e-6)); // not decided by rounding errors
  if (step > 1) {
    // Reduced first, so that no pixel is skipped.
    cut = resize(cut, Math.ceil(cut.height / step), Math.ceil(cut.width / step), "area");
  }
  const zoom = scale * step;
  // x' = zoom * x + a; y' = zoom * (y - slope * x) + b, with x, y in the reduced cut-out.
  const a = 4 - (first - across) * scale;
  const b = ABOVE - (upper - down + slope * across) * scale;
  const forward = [
    [zoom, 0, a],
    [-slope * zoom, zoom, b],
  ];
  /** @type {[[number, number, number], [number, number, number]]} */
  const whole = [
    [scale, 0, 4 - first * scale],
    [-slope * scale, scale, ABOVE - upper * scale],
  ];
  return new Line(warpAffine(cut, forward, ROWS, width), invertAffineTransform(whole));
}
