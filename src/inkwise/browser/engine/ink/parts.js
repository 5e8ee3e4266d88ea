// Which components of the ink are the digit, and which are something else beside it; the port of
// inkwise/ink/parts.py, which says what each number means.

import { NoInkError } from "../errors.js";
import {
  bounds,
  connectedComponents,
  dilate,
  distanceTransform,
  image,
  mean,
  rectangle,
  rint,
} from "../raster.js";
import { argmax, greatest, range } from "./arithmetic.js";
import { Components, placesOf, strokeWidth } from "./components.js";

/**
 * The digit's components, and the others; see `inkwise.ink.parts.Parts`.
 * @typedef {import("../raster.js").Levels} Levels
 * @typedef {import("./levels.js").Box} Box
 * @typedef {{chosen: Levels, rest: Levels, boxes: Box[], alone: Levels[], apart: boolean,
 *   pieces: number, lost: number}} Parts
 */

const GAP = 0.06;
const DOT = 0.25;
const HEAVY = 0.25;
const THIN_HEAVY = 0.12;
const LETTER = 0.085;
const TINY = 3.5;
const FAINTER = 0.25;
const THINNER = 0.4;
const BROADER = 2.2;
const MOST_BESIDE = 24;
const PIECE = 0.06;
const NARROW = 0.9;
const CLEAR_GAP = 0.05;
const DIRT = 0.6;
const SMALLEST_PIECE = 0.03;
const LARGE = 0.35;

/**
 * Return the parts of a picture that shows one thing.
 * @param {Levels} chosen
 * @returns {Parts}
 */
export function onePart(chosen) {
  const rest = image(chosen.height, chosen.width);
  return { chosen, rest, boxes: [], alone: [], apart: false, pieces: 1, lost: 0 };
}

/**
 * Tell which components make up the digit.
 *
 * Components near each other form a group. The digit is the group with the most ink, where ink
 * counts less the farther it is from the middle. Other components close to it are loose strokes of
 * the digit. What is left is specks, if none of it is as heavy as a stroke of the digit.
 * @param {Levels} mask of possible ink, as 0 and 1
 * @param {Levels} strong the same of certain ink
 * @param {Levels} ink levels of the ink above the background
 * @param {{ruled: boolean, enlarged: number, together: boolean}} known whether ruled lines were
 *   erased, pieces of which may be left; the factor by which the picture was enlarged; and whether
 *   all pieces are chosen that are no dirt, as a sign may be made of several
 * @returns {Parts}
 */
export function chooseParts(mask, strong, ink, { ruled, enlarged, together }) {
  const { height, width } = mask;
  const components = Components.of(mask);
  const { count, labels, longest, atBorder } = components;
  // Erased ruled lines can leave pieces that are short or at the border.
  const smallest = Math.max(height, width) / (ruled ? 12 : 25);
  if (count === 2 && !ruled && longest[1] >= smallest) return onePart(mask);
  const junk = components.where((place) => atBorder[place] && ruled);
  const large = (/** @type {number} */ place) => longest[place] >= smallest;
  if (!range(1, count).some((place) => large(place) && !junk[place])) {
    throw new NoInkError("it holds nothing but specks");
  }
  const mass = new Float64Array(count);
  const certain = new Uint8Array(count);
  for (let pixel = 0; pixel < labels.length; pixel++) {
    if (mask.data[pixel]) mass[labels[pixel]] += ink.data[pixel];
    if (strong.data[pixel]) certain[labels[pixel]] = 1;
  }
  certain[0] = 0;
  const most = greatest(mass.subarray(1));
  const real = components.where(
    (place) => certain[place] && mass[place] >= 0.03 * most && !junk[place],
  );
  if (!real.includes(1)) throw new NoInkError(NOTHING);
  // Components up to `2 * gap` pixels apart touch when they are dilated, and form a group.
  const longestReal = greatest(placesOf(real).map((place) => longest[place]));
  const gap = Math.max(
    1,
    Math.min(Math.floor(Math.max(height, width) / 40), rint(GAP * longestReal)),
  );
  const near = dilate(components.mask(real), rectangle(2 * gap + 1, 2 * gap + 1));
  const groups = connectedComponents(near);
  const groupOf = new Int32Array(count);
  for (let pixel = 0; pixel < labels.length; pixel++) {
    if (mask.data[pixel]) groupOf[labels[pixel]] = groups.labels[pixel];
  }
  const scores = new Float64Array(groups.count);
  for (const place of placesOf(real)) {
    const [x, y] = components.centres[place];
    // Distance of the component's centre from the picture's, as a share of the sides.
    const off = Math.hypot(x / width - 0.5, y / height - 0.5);
    scores[groupOf[place]] += mass[place] * (1 - off) * (atBorder[place] ? 0.2 : 1);
  }
  const group = argmax(scores);
  let chosen = components.where((place) => real[place] && groupOf[place] === group);
  if (!placesOf(chosen).some(large)) throw new NoInkError(NOTHING);
  const massOf = (/** @type {Uint8Array} */ some) =>
    placesOf(some).reduce((sum, place) => sum + mass[place], 0);
  if (!placesOf(chosen).every((place) => atBorder[place])) {
    const least = 0.3 * massOf(chosen);
    chosen = chosen.map((one, place) => Number(one && !(atBorder[place] && mass[place] < least)));
  }

  // Loose strokes, by their distance from the digit's bounding box.
  const [top, left, bottom, right] = components.box(chosen);
  const size = Math.max(bottom - top, right - left);
  const least = 0.06 * massOf(chosen);
  const beside = (/** @type {number} */ place) =>
    Math.max(left - components.right[place], components.left[place] - right, 0);
  const below = (/** @type {number} */ place) =>
    Math.max(top - components.bottom[place], components.top[place] - bottom, 0);
  chosen = chosen.map((one, place) => {
    const loose = real[place] && !atBorder[place] && mass[place] > least;
    return Number(one || (loose && Math.hypot(beside(place), below(place)) < 0.25 * size));
  });
  const dots = areDots(components, chosen);
  chosen = chosen.map((one, place) => one & ~dots[place]);
  const heavy = areHeavy(components, mass, chosen, enlarged);
  let others = components.where((place) => certain[place] && !junk[place] && heavy[place]);
  const own = components.where((place) => certain[place] && !junk[place]);
  const more = arePieces(components, chosen, own);
  const pieces = components.where((place) => chosen[place] || more[place]);
  if (together) {
    return {
      ...onePart(mask),
      ...masks(components, pieces, mask),
      pieces: placesOf(pieces).length,
    };
  }
  if (others.includes(1)) {
    // A small piece that nearly touches the digit is a stroke of it, and so is one across a gap
    // narrower than the stroke; the model is asked whether that is a digit.
    const digit = components.mask(chosen);
    const narrow = NARROW * strokeWidth(digit);
    const [across, down] = [PIECE, 2 * PIECE].map(
      (share) => 2 * rint(Math.max(share * size, narrow)) + 1,
    );
    const around = dilate(digit, rectangle(down, across));
    const close = new Uint8Array(count);
    for (let pixel = 0; pixel < labels.length; pixel++) {
      if (around.data[pixel]) close[labels[pixel]] = 1;
    }
    chosen = chosen.map((one, place) => one | (others[place] & close[place]));
    others = others.map((one, place) => one & ~close[place]);
  }
  const clusters = sideBySide(
    components,
    chosen.map((one, place) => one | others[place]),
  );
  const several = clusters.length > 1;
  const apart = others.includes(1);
  return {
    ...masks(components, chosen, mask),
    boxes: several ? clusters.map((cluster) => components.box(cluster)) : [],
    alone: several && !apart ? findAlone(components, clusters) : [],
    apart,
    pieces: placesOf(pieces.map((one, place) => one | chosen[place])).length,
    lost: placesOf(pieces.map((one, place) => one & ~chosen[place])).length,
  };
}

const NOTHING = "nothing in it stands out from its background";

/**
 * Return masks of the chosen components, and of all others.
 * @param {Components} components
 * @param {Uint8Array} chosen
 * @param {Levels} mask
 */
function masks(components, chosen, mask) {
  const rest = components.mask(chosen.map((one) => 1 - one));
  for (let pixel = 0; pixel < rest.data.length; pixel++) rest.data[pixel] &= mask.data[pixel];
  return { chosen: components.mask(chosen), rest };
}

/**
 * Return which components of the ink are no dirt beside the chosen ones.
 * @param {Components} components
 * @param {Uint8Array} chosen
 * @param {Uint8Array} ink
 */
function arePieces(components, chosen, ink) {
  const [top, left, bottom, right] = components.box(chosen);
  const size = Math.max(bottom - top, right - left);
  const least = Math.max(DIRT * strokeWidth(components.mask(chosen)), SMALLEST_PIECE * size);
  const { atBorder, longest } = components;
  return components.where(
    (place) =>
      ink[place] &&
      // What reaches the border and is far larger is the paper's edge or a shadow.
      (!atBorder[place] || longest[place] <= 1.6 * size) &&
      longest[place] >= least,
  );
}

/**
 * Tell whether there is something beside the digit that is like it, but written more faintly.
 * @param {Levels} faint a mask of all ink that can be told from noise, as 0 and 1
 * @param {Levels} chosen a mask of the digit's components, as 0 and 1
 * @param {Levels} ink levels of the ink above the background
 */
export function hasFainter(faint, chosen, ink) {
  const components = Components.of(faint);
  const beside = components.where((place) => place > 0 && !components.atBorder[place]);
  for (let pixel = 0; pixel < chosen.data.length; pixel++) {
    if (chosen.data[pixel]) beside[components.labels[pixel]] = 0;
  }
  const [top, left, bottom, right] = bounds(chosen);
  const size = Math.max(bottom - top, right - left);
  const width = strokeWidth(chosen);
  const level = FAINTER * mean(ink, chosen);
  return placesOf(beside)
    .filter((place) => {
      const longest = components.longest[place];
      return longest >= LARGE * size && longest <= 2 * size;
    })
    .slice(0, MOST_BESIDE)
    .some((place) => {
      const strength = mean(ink, components.mask(components.where((one) => one === place)));
      const wide = components.strokeWidth(place);
      return strength >= level && wide >= THINNER * width && wide <= BROADER * width;
    });
}

/**
 * Return masks of the parts that may be digits, if there are clear gaps between all parts.
 * @param {Components} components
 * @param {Uint8Array[]} clusters
 * @returns {Levels[]}
 */
function findAlone(components, clusters) {
  const joined = joinBroken(components, clusters);
  if (joined.length < 2) return [];
  const boxes = joined.map((cluster) => components.box(cluster));
  const top = Math.min(...boxes.map((box) => box[0]));
  const left = Math.min(...boxes.map((box) => box[1]));
  const bottom = Math.max(...boxes.map((box) => box[2]));
  const right = Math.max(...boxes.map((box) => box[3]));
  const gaps = boxes.slice(1).map((box, k) => box[1] - boxes[k][3]);
  if (Math.min(...gaps) < CLEAR_GAP * Math.max(bottom - top, right - left)) return [];
  const [lastTop, lastLeft, lastBottom, lastRight] = boxes[boxes.length - 1];
  const flat = lastRight - lastLeft > 1.2 * (lastBottom - lastTop);
  if (flat && lastBottom < top + LARGE * (bottom - top)) return []; // the loose flag of a 5
  return joined
    .filter((_, k) => boxes[k][2] - boxes[k][0] >= LARGE * (bottom - top))
    .map((cluster) => components.mask(cluster));
}

/**
 * Join neighbours across gaps narrower than their strokes, as where a pen has lifted.
 * @param {Components} components
 * @param {Uint8Array[]} clusters
 */
function joinBroken(components, clusters) {
  const all = components.where((place) => clusters.some((cluster) => cluster[place]));
  const width = strokeWidth(components.mask(all));
  const joined = clusters.slice(0, 1);
  for (const cluster of clusters.slice(1)) {
    const before = joined[joined.length - 1];
    // Distance of each pixel from the part before, less the pixel itself.
    const away = distanceTransform(components.mask(before.map((one) => 1 - one)));
    let least = Infinity;
    for (let pixel = 0; pixel < away.length; pixel++) {
      if (cluster[components.labels[pixel]]) least = Math.min(least, away[pixel]);
    }
    if (least - 1 < NARROW * width) {
      joined[joined.length - 1] = before.map((one, place) => one | cluster[place]);
    } else joined.push(cluster);
  }
  return joined;
}

/** Return which components are compact, as dots are. */
function areCompact(/** @type {Components} */ components) {
  return components.where((place) => {
    const [wide, high] = [components.wide(place), components.high(place)];
    const longest = components.longest[place];
    const filled = components.area[place] > 0.5 * wide * high || longest <= 4;
    return filled && longest < 1.9 * Math.min(wide, high);
  });
}

/** Return which of the chosen components are dots beside the largest. */
function areDots(/** @type {Components} */ components, /** @type {Uint8Array} */ chosen) {
  const largest = greatest(placesOf(chosen).map((place) => components.longest[place]));
  const compact = areCompact(components);
  return components.where(
    (place) => chosen[place] && compact[place] && components.longest[place] < DOT * largest,
  );
}

/**
 * Return which components are as heavy as a stroke of the chosen ones.
 * @param {Components} components
 * @param {Float64Array} mass
 * @param {Uint8Array} chosen
 * @param {number} enlarged
 */
function areHeavy(components, mass, chosen, enlarged) {
  const [top, left, bottom, right] = components.box(chosen);
  const size = Math.max(bottom - top, right - left);
  const { longest, area, atBorder, centres } = components;
  const places = placesOf(chosen);
  const total = (/** @type {ArrayLike<number>} */ values) =>
    places.reduce((sum, place) => sum + values[place], 0);
  const level = (0.5 * total(mass)) / total(area);
  const strong = components.where(
    (place) => place > 0 && !chosen[place] && mass[place] / Math.max(area[place], 1) >= level,
  );
  const compact = areCompact(components);
  const heavy = components.where((place) => {
    const long = longest[place];
    return (
      strong[place] &&
      long >= (compact[place] ? HEAVY : THIN_HEAVY) * size &&
      (!atBorder[place] || (long >= HEAVY * size && long <= 1.6 * size))
    );
  });
  // What reaches the border is often the paper's edge or a shadow, unless it is like a stroke.
  const width = strokeWidth(components.mask(chosen));
  for (const place of placesOf(heavy)) {
    if (!atBorder[place] || longest[place] >= 0.5 * size) continue;
    const wide = components.strokeWidth(place);
    heavy[place] = Number(wide >= THINNER * width && wide <= BROADER * width);
  }
  // Two dots of about one size above each other are a colon; letters in a row are print.
  const legible = Math.max(LETTER * size, TINY * enlarged);
  const small = placesOf(strong).filter(
    (place) => longest[place] >= legible && !heavy[place] && !atBorder[place],
  );
  small.forEach((one, number) => {
    for (const other of small.slice(number + 1)) {
      const across = Math.abs(centres[one][0] - centres[other][0]);
      const down = Math.abs(centres[one][1] - centres[other][1]);
      const lesser = Math.min(longest[one], longest[other]);
      const greater = Math.max(longest[one], longest[other]);
      const colon = across <= 0.7 * greater && 1.5 * greater <= down && down <= 0.8 * size;
      const beside = down <= 0.5 * greater && across <= 2 * greater;
      if (greater <= 1.6 * lesser && (colon || beside)) heavy[one] = heavy[other] = 1;
    }
  });
  return heavy;
}

/** Return the parts from left to right; what is above another is one. */
function sideBySide(/** @type {Components} */ components, /** @type {Uint8Array} */ parts) {
  /** @type {Uint8Array[]} */
  const clusters = [];
  const ordered = placesOf(parts).sort(
    (one, other) => components.left[one] - components.left[other],
  );
  for (const place of ordered) {
    const last = clusters[clusters.length - 1];
    if (last) {
      const [, left, , right] = components.box(last);
      const narrower = Math.min(right - left, components.wide(place));
      if (Math.min(right, components.right[place]) - components.left[place] > 0.3 * narrower) {
        last[place] = 1;
        continue;
      }
    }
    clusters.push(components.where((one) => one === place));
  }
  return clusters;
}
