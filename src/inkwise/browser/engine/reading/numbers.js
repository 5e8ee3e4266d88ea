// From a picture to the numbers that are written in it; the port of inkwise/reading/numbers.py.

import { NoInkError } from "../errors.js";
import { findAllInk } from "../ink/all_ink.js";
import { SIDE, decode } from "../ink/decoding.js";
import { CANVAS } from "../ink/fitting.js";
import { rint } from "../raster.js";
import { MARKS, OTHER, isDigit } from "./alphabet.js";
import { align } from "./ctc.js";
import { STEP } from "./line_model.js";
import { look } from "./looks.js";
import { ABOVE, HEIGHT, INK, findLines } from "./text_lines.js";

/** Least probability of a number, or of a digit in it, that is sure. */
const SURE = 0.95;

/** Least probability of all readings that a check allows, for one of them to be sure. */
const ALLOWED = 0.05;

/** Least probability of the likeliest reading of a number. */
const LEGIBLE = 0.05;

/** Longest sides, in pixels, that a picture is reduced to: the second if digits are too small. */
const SIDES = [SIDE, 2400];

/** Least height of digits, in pixels, that is not too small. */
const SMALL = 14;

/** Number of next best readings that a number lists. */
const OTHERS = 4;

// Number of readings of a line that are followed; more if a check chooses among them.
const READINGS = 16;
const READINGS_TO_CHECK = 150;

/**
 * @typedef {import("../ink/levels.js").Box} Box
 *
 * A text and its probability.
 * @typedef {[string, number]} Likely
 *
 * A digit or a mark of a number, as `inkwise.ReadDigit`.
 * @typedef {{label: string, probability: number, verdict: "digit" | "mark" | "unsure",
 *   top: Likely[], box: Box}} ReadDigit
 *
 * A number that was read, as `inkwise.Number`.
 * @typedef {{text: string, probability: number, verdict: "number" | "unsure" | "not a number",
 *   others: Likely[], digits: ReadDigit[], box: Box}} ReadNumber
 *
 * The numbers of a picture, and what else is in it and was left out, as `inkwise.Numbers`.
 * @typedef {{numbers: ReadNumber[], dropped: string[]}} Numbers
 *
 * Tells where a box of a line is in the picture.
 * @typedef {(box: Box) => Box} ToPicture
 */

/** Tell whether what was read may be a single digit, or nothing that is a number. */
export function mayBeOneDigit(/** @type {ReadNumber[]} */ numbers) {
  if (!numbers.length) return true;
  const { text, verdict } = numbers[0];
  const short = [...text].filter(isDigit).length <= 2;
  const alone = text.length <= 1;
  return numbers.length === 1 && (alone || (short && verdict === "unsure"));
}

/**
 * Return a single digit as a number, from what may stand there, the likeliest first.
 * @param {Likely[]} top
 * @param {Box} box
 * @param {boolean} sure
 * @returns {ReadNumber}
 */
export function oneDigit(top, box, sure) {
  const [label, probability] = top[0];
  /** @type {ReadDigit} */
  const sign = { label, probability, verdict: sure ? "digit" : "unsure", top, box };
  const verdict = sure ? "number" : "unsure";
  return { text: label, probability, verdict, others: top.slice(1), digits: [sign], box };
}

/**
 * Return the same number as one that is not sure.
 * @param {ReadNumber} number
 * @returns {ReadNumber}
 */
export const unsure = (number) => ({ ...number, verdict: "unsure" });

/**
 * Read all numbers in a picture, from top to bottom and from left to right.
 * @param {import("../ink/normalising.js").Picture} picture
 * @param {() => Promise<import("./line_model.js").LineModel>} openLines opens the network of lines
 * @param {import("./checks.js").Check | null} check chooses among the readings of each number
 * @param {boolean} marks whether points, commas, apostrophes, dashes and `=` are part of them
 * @returns {Promise<Numbers>} none if there is no number, and for an image of the network's size,
 *   which is one digit
 */
export async function readNumbers(picture, openLines, check, marks) {
  const found = find(picture);
  if (!found) return { numbers: [], dropped: [] };
  const { pixels, page, lines } = found;
  const across = [picture.width / pixels.width, picture.height / pixels.height];
  const model = await openLines();
  const dropped = new Set([...page.dropped, ...lines.dropped]);
  const numbers = [];
  for (const line of lines.found) {
    const toPicture = (/** @type {Box} */ box) =>
      place(line, page.scale, page.origin, across, picture, box);
    const { number, lacks } = await readLine(line, model, toPicture, check, marks);
    if (lacks) dropped.add(lacks);
    if (number) numbers.push(number);
  }
  return { numbers, dropped: [...dropped] };
}

/** Find the lines of a picture, at a higher resolution if its digits are small at the first. */
function find(/** @type {import("../ink/normalising.js").Picture} */ picture) {
  const { height, width } = picture;
  if (height === CANVAS && width === CANVAS) return null;
  let found = null;
  for (const side of SIDES) {
    const { pixels } = decode(picture, side);
    try {
      const page = findAllInk(pixels);
      const lines = findLines(page);
      found = { pixels, page, lines };
      const heights = lines.found.map((line) => line.height / page.scale);
      const least = heights.length ? Math.min(...heights) : 0;
      if (Math.min(pixels.height, pixels.width) >= CANVAS && least >= SMALL) break;
    } catch (error) {
      if (!(error instanceof NoInkError)) throw error;
    }
    if (pixels.height === height && pixels.width === width) break;
  }
  return found;
}

/**
 * Return where a box of a line is in the picture; what is beyond the picture is left out.
 * @param {import("./text_lines.js").Line} line
 * @param {number} scale
 * @param {number[]} origin
 * @param {number[]} across
 * @param {{height: number, width: number}} picture
 * @param {Box} box
 * @returns {Box}
 */
function place(line, scale, [down, aside], [x, y], { height, width }, box) {
  const [top, left, bottom, right] = line.onThePage(box).map((edge) => edge / scale);
  const [first, last] = within((top + down) * y, (bottom + down) * y, height);
  const [start, end] = within((left + aside) * x, (right + aside) * x, width);
  return [first, start, last, end];
}

/**
 * Return the whole pixels of a side of a picture that a span covers, and one at least.
 * @param {number} low
 * @param {number} high
 * @param {number} size
 */
function within(low, high, size) {
  const start = Math.min(Math.max(0, rint(low)), size - 1);
  return [start, Math.min(Math.max(start + 1, rint(high)), size)];
}

/**
 * Choose the likeliest reading of a line, null if that is no number; and say what it lacks.
 * @param {import("./text_lines.js").Line} line
 * @param {import("./line_model.js").LineModel} model
 * @param {ToPicture} toPicture
 * @param {import("./checks.js").Check | null} check
 * @param {boolean} marks
 * @returns {Promise<{number: ReadNumber | null, lacks: string | null}>}
 */
async function readLine(line, model, toPicture, check, marks) {
  const beams = check ? READINGS_TO_CHECK : READINGS;
  const { readings, probabilities } = await look(model, line.levels, beams);
  /** @type {Map<string, number>} */
  const texts = new Map();
  /** @type {Map<string, string>} */
  const best = new Map();
  for (const reading of readings) {
    const text = shown(reading.text, marks);
    texts.set(text, (texts.get(text) ?? 0) + reading.probability);
    if (!best.has(text)) best.set(text, reading.text);
  }
  let ranked = calibrated(likeliestFirst(texts), model);
  if (![...ranked[0][0]].some(isDigit)) return { number: null, lacks: "writing without digits" };
  if (ranked[0][1] < LEGIBLE) {
    const box = toPicture([0, 0, line.levels.height, line.levels.width]);
    const others = ranked.slice(0, OTHERS);
    const [[, probability]] = others;
    return {
      number: { text: "", probability, verdict: "not a number", others, digits: [], box },
      lacks: null,
    };
  }
  let enough = true;
  if (check) {
    const allowed = ranked.filter(([text]) => check(text));
    const known = total(allowed);
    enough = known >= ALLOWED;
    if (allowed.length) {
      // What is not allowed cannot be; readings that were not followed still can.
      const rest = Math.max(0, 1 - total(ranked));
      ranked = allowed.map(([text, probability]) => [text, probability / (known + rest)]);
    }
  }
  const [text, probability] = ranked[0];
  const reading = /** @type {string} */ (best.get(text));
  const digits = signsOf(reading, ranked, probabilities, line, toPicture, marks);
  const edges = [0, 1, 2, 3].map((edge) => digits.map(({ box }) => box[edge]));
  const sure = enough && probability >= SURE && !text.includes(OTHER);
  /** @type {ReadNumber} */
  const number = {
    text,
    probability,
    verdict: sure ? "number" : "unsure",
    others: ranked.slice(1, 1 + OTHERS),
    digits,
    box: [
      Math.min(...edges[0]),
      Math.min(...edges[1]),
      Math.max(...edges[2]),
      Math.max(...edges[3]),
    ],
  };
  const beside = reading.startsWith(OTHER) || reading.endsWith(OTHER);
  return { number, lacks: beside ? "other signs" : null };
}

const total = (/** @type {Likely[]} */ ranked) =>
  ranked.reduce((sum, [, probability]) => sum + probability, 0);

const likeliestFirst = (/** @type {Map<string, number>} */ texts) =>
  [...texts].sort(([, one], [, other]) => other - one);

/** Tell how many of the last, and of the first, signs of a text are `OTHER`. */
const endsOf = (/** @type {string} */ text) => {
  let first = 0;
  let last = text.length;
  while (first < last && text[first] === OTHER) first++;
  while (last > first && text[last - 1] === OTHER) last--;
  return [first, last];
};

/** Leave out what is no digit at both ends of a reading, and marks where they are not asked. */
function shown(/** @type {string} */ text, /** @type {boolean} */ marks) {
  const inner = text.slice(...endsOf(text));
  return marks ? inner : [...inner].filter((sign) => !MARKS.includes(sign)).join("");
}

/**
 * Return readings with calibrated probabilities: the likeliest's, and its rest for others.
 * @param {Likely[]} ranked
 * @param {import("./line_model.js").LineModel} model
 * @returns {Likely[]}
 */
function calibrated([[text, probability], ...others], model) {
  const sure = model.calibrate(probability);
  const share = (1 - sure) / Math.max(1 - probability, 1e-12);
  return [[text, sure], ...others.map(([other, less]) => likely(other, Math.min(less * share, sure)))];
}

/** @returns {Likely} */
const likely = (/** @type {string} */ text, /** @type {number} */ probability) => [text, probability];

/**
 * Return the signs of a reading, each with its probability in all readings.
 * @param {string} reading
 * @param {Likely[]} ranked
 * @param {Float32Array} probabilities
 * @param {import("./text_lines.js").Line} line
 * @param {ToPicture} toPicture
 * @param {boolean} marks
 * @returns {ReadDigit[]}
 */
function signsOf(reading, ranked, probabilities, line, toPicture, marks) {
  const length = ranked[0][0].length;
  const boxes = boxesOf(reading, probabilities, line);
  const whole = Math.max(1, total(ranked));
  return Array.from(reading, (sign, at) => ({ sign, box: boxes[at] }))
    .slice(...endsOf(reading))
    .filter(({ sign }) => marks || !MARKS.includes(sign))
    .map(({ sign, box }, at) => {
      /** @type {Map<string, number>} */
      const alike = new Map();
      for (const [other, probability] of ranked) {
        if (other.length !== length) continue;
        alike.set(other[at], (alike.get(other[at]) ?? 0) + probability / whole);
      }
      const probability = Math.min(1, alike.get(sign) ?? 0);
      const verdict = MARKS.includes(sign) ? "mark" : "digit";
      return {
        label: sign,
        probability,
        verdict: probability >= SURE && sign !== OTHER ? verdict : "unsure",
        top: likeliestFirst(alike).slice(0, 3),
        box: toPicture(box),
      };
    });
}

/**
 * Return the box of each sign in a line: what is inked between the gaps beside it.
 * @param {string} reading
 * @param {Float32Array} probabilities
 * @param {import("./text_lines.js").Line} line
 * @returns {Box[]}
 */
function boxesOf(reading, probabilities, { levels: { data, width, height } }) {
  // The network looks beyond the end of the line, which is widened for it.
  const middles = align(probabilities, reading).map(([first, last]) =>
    Math.min((STEP * (first + last)) / 2, width - 1),
  );
  const columns = new Float64Array(width);
  data.forEach((level, at) => (columns[at % width] += level));
  const cuts = [0];
  middles.slice(1).forEach((right, at) => {
    const left = middles[at];
    const start = Math.ceil(left);
    const stop = Math.min(width, Math.max(start + 1, Math.floor(right)));
    const aside = (/** @type {number} */ column) => Math.abs(column - (left + right) / 2);
    // The emptiest column; of several, the one nearest to the middle.
    let cut = start;
    for (let column = start + 1; column < stop; column++) {
      const emptier = columns[column] - columns[cut] || aside(column) - aside(cut);
      if (emptier < 0) cut = column;
    }
    cuts.push(cut);
  });
  cuts.push(width);
  return middles.map((_, at) => {
    const [left, right] = [cuts[at], cuts[at + 1]];
    /** @type {Box} */
    const box = [height, right, 0, 0];
    for (let y = 0; y < height; y++) {
      for (let x = left; x < right; x++) {
        if (data[y * width + x] < INK) continue;
        box[0] = Math.min(box[0], y);
        box[1] = Math.min(box[1], x);
        box[2] = Math.max(box[2], y + 1);
        box[3] = Math.max(box[3], x + 1);
      }
    }
    return box[2] ? box : [ABOVE, left, ABOVE + HEIGHT, Math.max(right, left + 1)];
  });
}
