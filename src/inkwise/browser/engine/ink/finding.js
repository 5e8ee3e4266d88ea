// Which pixels of a picture are ink, and how strong it is there; the port of
// inkwise/ink/finding.py and inkwise/ink/separation.py, which tell the steps and what each number
// means.

import { NoInkError } from "../errors.js";
import * as raster from "../raster.js";
import { mean } from "./arithmetic.js";
import { strongestGrey } from "./colours.js";
import { strokeWidth } from "./components.js";
import { BOX } from "./fitting.js";
import { findInset } from "./insets.js";
import { quantiles, sample } from "./levels.js";
import { eraseLines } from "./lines.js";
import { chooseParts, hasFainter, onePart } from "./parts.js";
import { eraseSurroundings } from "./surroundings.js";

/**
 * The ink of a picture, without anything else that was in it; see `inkwise.ink.finding.Found`.
 * @typedef {import("../raster.js").Levels} Levels
 * @typedef {import("./colours.js").Colours} Colours
 * @typedef {import("./levels.js").Box} Box
 * @typedef {{levels: Levels, box: Box, dark: boolean, dropped: string[], parts: Box[],
 *   alone: Levels[], apart: boolean}} Found
 */

const NARROWEST = 4;
const SMALLEST_SIDE = 64;
const LOWEST_CONTRAST = 6;
const EVEN = 0.28;

/** Longest side of a picture of low resolution, in pixels. */
export const LOW_RESOLUTION = 20;

/** The quantile of the ink's levels that becomes full ink, and the share of it that becomes 0. */
export const FULL = 0.6;
export const BASE = 0.12;

/** The same for pictures of low resolution. */
export const LOW_FULL = 0.9;
export const LOW_BASE = 0.06;

const COARSE = 64;
const STRIP_RATIO = 4;
const IMPULSE = 80;
const WIDEST = 0.4;
const CLEAR = 3.5;
const THINNEST = 1.5;
const THIN = 2.0;
const THICK = 3.6;
const THICKEST = 4.2;
const FAINTEST = 20;

/**
 * Find the ink in a picture of one digit.
 * @param {Levels | Colours} picture
 * @param {boolean} together whether all ink that is no dirt is kept as one thing
 * @returns {Found}
 */
export function findInk(picture, together) {
  const sheet = separate(picture);
  const { ink, noise, factor, ruled } = sheet;
  const dropped = [...sheet.dropped];
  const low = Math.floor(Math.max(ink.height, ink.width) / factor) <= LOW_RESOLUTION;
  let { mask, strong } = threshold(ink, noise);
  let unclear = false;
  if (!low && !together) {
    const around = eraseSurroundings(ink, [mask, faintMask(ink, noise)]);
    unclear = around.unclear;
    if (around.erased) {
      if (!sheet.inset) dropped.push("surroundings");
      ({ mask, strong } = threshold(ink, noise));
    }
  }
  const parts = low
    ? onePart(mask)
    : chooseParts(mask, strong, ink, { ruled, enlarged: factor, together });
  const { chosen, rest } = parts;
  let apart = !together && (parts.apart || unclear || sheet.crowded);
  if (!low && !apart && !together) apart = hasFainter(faintMask(ink, noise), chosen, ink);
  if (rest.data.includes(1) && !apart) dropped.push("specks");
  const halo = 2 * factor + 1;
  const [full, base] = low ? [LOW_FULL, LOW_BASE] : [FULL, BASE];
  const levels = stretchInk(cutOut(ink, chosen, rest, halo), chosen, noise, full, base);
  const alone = parts.alone
    .map((part) => {
      const others = rest.data.map((one, k) => one | (chosen.data[k] & ~part.data[k]));
      return cutOut(levels, part, { ...rest, data: others }, halo);
    })
    .filter(raster.any)
    .map((one) => adjustStrokes(raster.crop(one, ...raster.bounds(one))));
  const box = raster.bounds(levels);
  const cropped = raster.crop(levels, ...box);
  return {
    levels: low ? cropped : adjustStrokes(cropped),
    box: sheet.inThePicture(box),
    dark: sheet.dark,
    dropped,
    parts: parts.boxes.map((one) => sheet.inThePicture(one)),
    alone,
    apart,
  };
}

/** A picture's ink above its background, with everything that was written. */
export class Sheet {
  /**
   * @param {Levels} ink light ink on black, `factor` times as large as the part that was searched
   * @param {number} noise standard deviation of the noise, in levels
   * @param {{dark: boolean, factor: number, inset: Box | null, ruled: boolean, crowded: boolean}}
   *   known whether the ink was darker than its background; the factor by which a small picture was
   *   enlarged; the part of the picture that was searched, if it is a figure's inset; whether ruled
   *   lines were erased; and whether there is more around the inset
   */
  constructor(ink, noise, known) {
    this.ink = ink;
    this.noise = noise;
    this.known = known;
    this.dark = known.dark;
    this.factor = known.factor;
    this.inset = known.inset;
    this.ruled = known.ruled;
    this.crowded = known.crowded;
    /** What was left out so far. */
    this.dropped = [...(known.inset ? ["surroundings"] : []), ...(known.ruled ? ["lines"] : [])];
  }

  /** Return the same sheet with other ink. */
  with(/** @type {{ink: Levels, noise: number}} */ { ink, noise }) {
    return new Sheet(ink, noise, this.known);
  }

  /**
   * Return where a box of `ink` lies in the picture.
   * @param {Box} box
   * @returns {Box}
   */
  inThePicture(box) {
    const [top, left, bottom, right] = box.map((edge) => edge / this.factor);
    const [down, across] = this.inset ?? [0, 0];
    return [top + down, left + across, bottom + down, right + across];
  }
}

/**
 * Separate the ink from its background, and erase ruled lines of pictures of some size.
 * @param {Levels | Colours} picture
 * @param {number} ruledFrom
 */
export function separate(picture, ruledFrom = SMALLEST_SIDE) {
  const { box: inset, crowded } = findInset(picture);
  const searched = inset ? cropped(picture, inset) : picture;
  let grey = stretch(isColoured(searched) ? strongestGrey(searched) : searched);
  const side = Math.max(grey.height, grey.width);
  if (Math.min(grey.height, grey.width) < NARROWEST) {
    throw new NoInkError(`its height or width is less than ${NARROWEST} pixels`);
  }
  refuseSlope(grey);
  refuseStatic(grey);
  grey = smooth(grey);
  const dark = isDark(grey);
  const found = aboveTheBackground(dark ? raster.invert(grey) : grey);
  let { ink } = found;
  const factor = Math.max(1, Math.ceil(SMALLEST_SIDE / side));
  if (factor > 1) ink = raster.resize(ink, ink.height * factor, ink.width * factor, "cubic");
  const ruled =
    Math.min(grey.height, grey.width) > ruledFrom &&
    eraseLines(ink, Math.max(CLEAR * found.noise, LOWEST_CONTRAST));
  return new Sheet(ink, found.noise, { dark, factor, inset, ruled, crowded });
}

/** @returns {picture is Colours} whether a picture has red, green and blue */
function isColoured(/** @type {Levels | Colours} */ picture) {
  return "channels" in picture;
}

/**
 * @param {Levels | Colours} picture
 * @param {Box} box
 * @returns {Levels | Colours}
 */
function cropped(picture, [top, left, bottom, right]) {
  const channels = isColoured(picture) ? picture.channels : 1;
  const { height, width, data } = picture;
  const wide = { height, width: width * channels, data };
  const part = raster.crop(wide, top, left * channels, bottom, right * channels);
  return { ...picture, height: bottom - top, width: right - left, data: part.data };
}

/** Stretch the levels of a picture to the full range of 0 to 255. */
function stretch(/** @type {Levels} */ grey) {
  const [low, high] = raster.extremes(grey);
  if (high - low < LOWEST_CONTRAST) throw new NoInkError("it is all of one colour");
  if (low === 0 && high === 255) return grey;
  return raster.convertScaleAbs(grey, 255 / (high - low), (-low * 255) / (high - low));
}

/** Refuse a picture without an edge: its levels change only in small steps. */
function refuseSlope(/** @type {Levels} */ { height, width, data }) {
  const edge = (2.5 * 255) / Math.max(height, width);
  for (let place = 0; place < data.length; place++) {
    if (place >= width && Math.abs(data[place] - data[place - width]) >= edge) return;
    if (place % width && Math.abs(data[place] - data[place - 1]) >= edge) return;
  }
  throw new NoInkError("it shows nothing but uneven light");
}

/**
 * Refuse a small picture whose pixels are hardly correlated with their neighbours.
 *
 * A large one needs no such test: what noise leaves of it is too small for a digit.
 */
function refuseStatic(/** @type {Levels} */ grey) {
  const { height, width, data } = grey;
  if (Math.max(height, width) > SMALLEST_SIDE) return;
  const level = Math.fround(raster.mean(grey));
  const centred = Float32Array.from(data, (one) => one - level);
  let [beside, itself] = [0, 0];
  for (let place = 0; place < data.length; place++) {
    itself += centred[place] * centred[place];
    if (place % width) beside += centred[place] * centred[place - 1];
    if (place >= width) beside += centred[place] * centred[place - width];
  }
  // Of independent pixels it is 0 on average; the second term is 2.5 standard deviations.
  let least = Math.max(0.2, 2.5 / Math.sqrt(2 * data.length));
  if (Math.max(height, width) <= LOW_RESOLUTION && hasEvenBackground(grey)) {
    // Strokes are a pixel wide here, and only black and white noise has such a background.
    least /= 2;
  }
  if (beside / 2 / itself < least) throw new NoInkError("it holds nothing but noise");
}

/**
 * Tell whether many pixels are nearly as dark as the darkest, or as light as the lightest.
 *
 * In a picture of uniform noise, about a tenth are.
 */
function hasEvenBackground(/** @type {Levels} */ { data }) {
  const darkest = data.filter((level) => level < 26).length;
  const lightest = data.filter((level) => level > 229).length;
  return Math.max(darkest, lightest) / data.length > EVEN;
}

/** Smooth noise away, more where it is stronger; a clean picture stays as it is. */
function smooth(/** @type {Levels} */ grey) {
  const longest = Math.max(grey.height, grey.width);
  if (longest <= LOW_RESOLUTION) return grey;
  const lone = shareOfLone(grey);
  let calm = grey;
  if (lone > 0.005) calm = raster.medianBlur(grey, lone > 0.05 && longest > SMALLEST_SIDE ? 5 : 3);
  const some = sample(calm);
  const steps = new Int16Array(some.height * (some.width - 1));
  for (let row = 0, to = 0; row < some.height; row++) {
    for (let place = row * some.width + 1; place < (row + 1) * some.width; place++) {
      steps[to++] = Math.abs(some.data[place] - some.data[place - 1]);
    }
  }
  // A quarter of a normal distribution lies within 0.32 standard deviations of its mean.
  const sigma = quantiles(steps, 0.25)[0] / 0.32 / Math.sqrt(2);
  return sigma < 2 ? calm : raster.gaussianBlur(calm, Math.min(0.5 + sigma / 20, 1.5));
}

/** Return the share of pixels that are far lighter, or far darker, than all of their neighbours. */
function shareOfLone(/** @type {Levels} */ { height, width, data }) {
  let lone = 0;
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const level = data[row * width + column];
      const beside = data[row * width + (column ? column - 1 : column + 1)];
      if (Math.abs(level - beside) <= IMPULSE) continue; // which is so nearly everywhere
      const sign = Math.sign(level - beside);
      let far = true;
      for (let y = Math.max(0, row - 1); y <= Math.min(height - 1, row + 1) && far; y++) {
        for (let x = Math.max(0, column - 1); x <= Math.min(width - 1, column + 1) && far; x++) {
          const itself = y === row && x === column;
          far = itself || (level - data[y * width + x]) * sign > IMPULSE;
        }
      }
      if (far) lone++;
    }
  }
  return lone / data.length;
}

/**
 * Tell whether the ink is darker than its background.
 *
 * Ink covers less than half of every wide neighbourhood, so that the median there is the level of
 * the background. The third moment of the differences from it has the sign of the strongest ones.
 * Differences near the middle of the picture count more: what lies around the paper is at the
 * border.
 */
function isDark(/** @type {Levels} */ grey) {
  const { height, width, data } = grey;
  if (Math.max(height, width) <= LOW_RESOLUTION) {
    const border = data.filter((_, place) => {
      const [row, column] = [Math.floor(place / width), place % width];
      return row === 0 || row === height - 1 || column === 0 || column === width - 1;
    });
    return mean(data) + mean(border) > 255;
  }
  const broad = breadth(grey);
  const [rows, columns] = [height, width].map((length) => Math.ceil((length * COARSE) / broad));
  const small = broad > COARSE ? raster.resize(grey, rows, columns, "area") : grey;
  const reach = Math.floor(breadth(small) / 3);
  const padded = raster.copyMakeBorder(small, reach, "reflect");
  const background = raster.medianWithin(padded, 2 * reach + 1);
  const weight = (/** @type {number} */ place, /** @type {number} */ length) =>
    Math.sin((Math.PI * (place + 1)) / (length + 1));
  let moment = 0;
  for (let row = 0, place = 0; row < small.height; row++) {
    for (let column = 0; column < small.width; column++, place++) {
      const difference = small.data[place] - background.data[place];
      moment += difference ** 3 * weight(row, small.height) * weight(column, small.width);
    }
  }
  return moment < 0;
}

/** Return the longest side of a picture; of a strip, which has thinner strokes, less. */
function breadth(/** @type {Levels} */ { height, width }) {
  return Math.min(Math.max(height, width), STRIP_RATIO * Math.min(height, width));
}

/** Return light ink's levels above the background, and the noise's standard deviation. */
function aboveTheBackground(/** @type {Levels} */ light) {
  const background = backgroundOf(light);
  if (Math.max(light.height, light.width) <= LOW_RESOLUTION) {
    return { ink: raster.subtract(light, background), noise: 0 };
  }
  const [some, below] = [sample(light), sample(background)];
  const differences = new Int16Array(some.data.length);
  for (let place = 0; place < differences.length; place++) {
    differences[place] = some.data[place] - below.data[place];
  }
  // Both quantiles belong to the background. In a normal distribution they are 0.61 standard
  // deviations apart, and the median lies 0.67 above the second.
  const [low, quiet] = quantiles(differences, 0.1, 0.25);
  const noise = (quiet - low) / 0.61;
  const raised = raster.addScalar(background, Math.max(0, quiet + 0.67 * noise));
  return { ink: raster.subtract(light, raised), noise };
}

/**
 * Return the level of the background at every pixel of a picture with light ink on dark.
 *
 * This is a morphological opening. What is light and narrower than its kernel is ink; what is wider
 * is background, including straight shadows and a desk beyond the paper's edge.
 */
function backgroundOf(/** @type {Levels} */ levels) {
  const { height, width } = levels;
  if (Math.max(height, width) <= LOW_RESOLUTION) {
    const [lowest] = raster.extremes(levels);
    return raster.mapLevels(levels, () => lowest);
  }
  const step = Math.max(1, Math.floor(breadth(levels) / 160));
  const coarse =
    step > 1
      ? raster.resize(levels, Math.ceil(height / step), Math.ceil(width / step), "area")
      : levels;
  const reach = Math.trunc((WIDEST * Math.sqrt(coarse.data.length)) / 2);
  // The border is replicated, so that a gradient leaves no ink there.
  const padded = raster.copyMakeBorder(coarse, reach, "replicate");
  const opened = raster.open(padded, raster.rectangle(2 * reach + 1, 2 * reach + 1));
  const [bottom, right] = [reach + coarse.height, reach + coarse.width];
  const background = raster.crop(opened, reach, reach, bottom, right);
  if (step === 1) return background;
  // The enlarged edges are soft. They are widened, so that the background's sharp edges leave no
  // ink on either side.
  const fine = raster.resize(background, height, width, "linear");
  return raster.dilate(fine, raster.rectangle(2 * step + 1, 2 * step + 1));
}

/**
 * Return masks of possible and of certain ink, with the values 0 and 1.
 *
 * Otsu's threshold lies between the levels of a stroke and of its surroundings. Half of it is the
 * level at a stroke's edge.
 * @param {Levels} ink
 * @param {number} noise
 */
export function threshold(ink, noise) {
  const floor = Math.max(CLEAR * noise, LOWEST_CONTRAST / 2);
  const [, highest] = raster.extremes(ink);
  if (highest <= floor) throw new NoInkError("nothing in it stands out from its background");
  const counts = raster.histogram(ink).map((count, level) => (level > floor ? count : 0));
  const otsu = raster.otsu(counts);
  // Kept below the highest level: ink that has a single level is certain too.
  const strong = raster.above(ink, Math.min(Math.max(otsu, floor), highest - 1));
  return { mask: raster.above(ink, Math.max(otsu / 2, floor)), strong };
}

/** Return a mask of all ink that may be told from noise, beside the strongest of the picture. */
function faintMask(/** @type {Levels} */ ink, /** @type {number} */ noise) {
  const [, strongest] = raster.extremes(sample(ink));
  return raster.above(ink, Math.max(CLEAR * noise, LOWEST_CONTRAST, 0.15 * strongest));
}

/**
 * Return the ink of the chosen components and the faint ink around them, without the rest.
 * @param {Levels} ink
 * @param {Levels} chosen
 * @param {Levels} rest
 * @param {number} halo
 */
function cutOut(ink, chosen, rest, halo) {
  const cut = raster.dilate(chosen, raster.rectangle(halo, halo));
  for (let place = 0; place < cut.data.length; place++) {
    cut.data[place] = cut.data[place] && !rest.data[place] ? ink.data[place] : 0;
  }
  return cut;
}

/**
 * Stretch the levels of the ink to the full range of 0 to 255.
 *
 * `full` and `base` are shares, see `FULL` and `BASE`. Ink as faint as noise, or as the remains of
 * uneven light, is refused.
 * @param {Levels} ink
 * @param {Levels} chosen
 * @param {number} noise
 * @param {number} full
 * @param {number} base
 */
export function stretchInk(ink, chosen, noise, full, base) {
  const [top] = raster.quantilesOf(raster.histogram(ink, chosen), full);
  if (top < Math.max(2 * CLEAR * noise, FAINTEST)) {
    throw new NoInkError("it holds nothing but noise");
  }
  const background = base * top;
  return raster.convertScaleAbs(raster.subtractScalar(ink, background), 255 / (top - background));
}

/** Widen strokes that are too thin for the network, and narrow those that are too thick. */
function adjustStrokes(/** @type {Levels} */ levels) {
  const body = raster.above(levels, 127);
  if (!body.data.includes(1)) return levels;
  const scale = BOX / Math.max(levels.height, levels.width);
  const width = strokeWidth(body) * scale;
  if (width < THINNEST) {
    const by = raster.rint((THIN - width) / scale);
    return raster.dilate(raster.copyMakeBorder(levels, by), raster.ellipse(by + 1));
  }
  if (width > THICKEST) {
    const by = raster.rint((width - THICK) / scale);
    return raster.erode(levels, raster.ellipse(by + 1));
  }
  return levels;
}
