// From pictures to answers; the port of inkwise/model/answers.py, calibration.py and hands.py, and
// of what /v1/predict tells of an answer.

import { ArgumentError, NoInkError } from "./errors.js";
import { CANVAS } from "./ink/fitting.js";
import { normalise, takeAsIs, wholeInk } from "./ink/normalising.js";

/**
 * What `inkwise.browser.model_files` writes about a model.
 * @typedef {{model: {name: string, version: string}, class_names: string[],
 *   image_size: [number, number], together: boolean, lowest_score: number | null,
 *   lowest_probability: number, hands: Record<string, number>}} Description
 *
 * An answer, with the keys of the service's; see `PictureAnswer` in inkwise/serving/schemas.py.
 * @typedef {"digit" | "unsure" | "several" | "not a digit"} Verdict
 * @typedef {import("./ink/levels.js").Box} Box
 * @typedef {import("./ink/normalising.js").Ink} Ink
 * @typedef {import("./ink/normalising.js").Picture} Picture
 * @typedef {{file: null, label: string | null, probability: number, verdict: Verdict,
 *   top: [string, number][], probabilities: Record<string, number> | null, score: number | null,
 *   polarity: "light ink" | "dark ink" | null, box: Box | null, scale: number | null,
 *   dropped: string[] | null, parts: Box[], image: number[][] | null}} Answer
 */

const CANDIDATES = 3;
const MORE_ALONE = 0.5;

/** A model: its network, and what turns the network's outputs into answers. */
export class Classifier {
  #network;

  /**
   * @param {Description} description
   * @param {import("./network.js").Network} network
   */
  constructor(description, network) {
    this.description = description;
    this.#network = network;
  }

  /**
   * Run the network on images.
   * @param {Uint8Array} images levels of all of them, in turn
   * @returns {Promise<{probabilities: Float32Array, logits: Float32Array, score: Float32Array}>}
   */
  async run(images) {
    const [height, width] = this.description.image_size;
    const shape = [images.length / (height * width), height, width];
    const [probabilities, logits, score] = await this.#network.run("images", images, shape, [
      "probabilities",
      "logits",
      "score",
    ]);
    return { probabilities, logits, score };
  }

  /**
   * Classify a picture, with preprocessing.
   * @param {Picture} picture red, green, blue and opacity of each pixel in turn
   * @param {string} hand where the writers learned to write
   * @returns {Promise<Answer>}
   */
  async classify(picture, hand = "any") {
    const { class_names: names, hands } = this.description;
    if (!(hand in hands)) {
      throw new ArgumentError(`unknown hand '${hand}': use ${Object.keys(hands).join(", ")}`);
    }
    let ink;
    try {
      ink = this.#preprocess(picture);
    } catch (error) {
      if (error instanceof NoInkError) return NO_INK;
      throw error;
    }
    const readings = ink.unchanged ? [ink.image, ink.unchanged] : [ink.image];
    const images = [...readings, ...ink.alone.flat()];
    const size = ink.image.data.length;
    const stacked = new Uint8Array(images.length * size);
    images.forEach(({ data }, place) => stacked.set(data, place * size));
    const { probabilities, score } = await this.run(stacked);
    const row = readings.length > 1 && score[1] > score[0] ? 1 : 0;
    let stop = readings.length;
    let alone = -Infinity;
    for (const group of ink.alone) {
      alone = Math.max(alone, Math.min(...score.subarray(stop, stop + group.length)));
      stop += group.length;
    }
    const own = probabilities.subarray(row * names.length, (row + 1) * names.length);
    const read = row ? wholeInk(readings[1], ink.polarity, [0, 0, CANVAS, CANVAS]) : ink;
    return this.#judge(read, shift(own, names, hands[hand]), score[row], alone);
  }

  /** @returns {Ink} */
  #preprocess(/** @type {Picture} */ picture) {
    const { image_size: size, together } = this.description;
    if (size[0] === CANVAS && size[1] === CANVAS) return normalise(picture, together);
    return wholeInk(takeAsIs(picture, size), "light ink", [0, 0, ...size]);
  }

  /**
   * Turn the network's outputs for an ink into an answer.
   * @param {Ink} ink
   * @param {number[]} probabilities
   * @param {number} score
   * @param {number} alone the highest score of what may be a digit by itself
   * @returns {Answer}
   */
  #judge(ink, probabilities, score, alone) {
    const { class_names: names, lowest_score: lowest } = this.description;
    const likeliest = names
      .map((_, place) => place)
      .sort((one, other) => probabilities[other] - probabilities[one])
      .slice(0, CANDIDATES);
    const probability = probabilities[likeliest[0]];
    let verdict = this.#verdict(probability, score);
    const several = ink.apart || (ink.parts.length > 1 && verdict !== "digit");
    if (several || alone > Math.max(score + MORE_ALONE, lowest ?? -Infinity)) verdict = "several";
    const named = verdict === "digit" || verdict === "unsure";
    return {
      file: null,
      label: named ? names[likeliest[0]] : null,
      probability: verdict === "several" ? 0 : rounded(probability, 6),
      verdict,
      top:
        verdict === "several"
          ? []
          : likeliest.map((place) => [names[place], rounded(probabilities[place], 6)]),
      probabilities:
        verdict === "several"
          ? null
          : Object.fromEntries(names.map((name, k) => [name, rounded(probabilities[k], 6)])),
      score: rounded(score, 4),
      polarity: ink.polarity,
      box: ink.box,
      scale: ink.scale,
      dropped: ink.dropped,
      // There is a single box if the things touch.
      parts: verdict !== "several" ? [] : ink.parts.length ? ink.parts : [ink.box],
      image: rowsOf(ink.image),
    };
  }

  /** @returns {Verdict} */
  #verdict(/** @type {number} */ probability, /** @type {number} */ score) {
    const { lowest_score: lowest, lowest_probability: least } = this.description;
    if (lowest !== null && score < lowest) return "not a digit";
    return probability < least ? "unsure" : "digit";
  }
}

/** @type {Answer} */
const NO_INK = {
  file: null,
  label: null,
  probability: 0,
  verdict: "not a digit",
  top: [],
  probabilities: null,
  score: null,
  polarity: null,
  box: null,
  scale: null,
  dropped: null,
  parts: [],
  image: null,
};

/**
 * Return probabilities under the prior of a hand: the odds of a 1 against a 7 are multiplied.
 * @param {Float32Array} probabilities
 * @param {string[]} names
 * @param {number} factor
 */
function shift(probabilities, names, factor) {
  const shifted = Array.from(probabilities);
  const [one, seven] = [names.indexOf("1"), names.indexOf("7")];
  if (factor === 1 || one < 0 || seven < 0) return shifted;
  const both = shifted[one] + shifted[seven];
  const odds = shifted[one] * factor;
  const total = Math.max(odds + shifted[seven], 1e-30);
  [shifted[one], shifted[seven]] = [(both * odds) / total, (both * shifted[seven]) / total];
  return shifted;
}

const rounded = (/** @type {number} */ value, /** @type {number} */ digits) =>
  Number(value.toFixed(digits));

/** @returns {number[][]} */
function rowsOf(/** @type {import("./raster.js").Levels} */ { height, width, data }) {
  return Array.from({ length: height }, (_, row) => [
    ...data.subarray(row * width, (row + 1) * width),
  ]);
}
