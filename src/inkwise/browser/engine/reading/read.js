// From the pixels of a canvas to the numbers that are written in it, or to the one digit; the port
// of `Model.read`, and of what /v1/read tells.

import { ArgumentError } from "../errors.js";
import { DIGITS } from "./alphabet.js";
import { makeCheck } from "./checks.js";
import { mayBeOneDigit, oneDigit, readNumbers, unsure } from "./numbers.js";

/**
 * What is known of the numbers, as /v1/read takes it: how many digits each has, what it looks like,
 * the rule of its check digit, and whether marks are read.
 * @typedef {{digits?: number | null, pattern?: string | null, check?: string | null,
 *   marks?: boolean}} Known
 */

/**
 * Read all numbers in a picture.
 * @param {import("../answers.js").Classifier} classifier
 * @param {() => Promise<import("./line_model.js").LineModel>} openLines opens the network of lines
 * @param {import("../ink/normalising.js").Picture} picture red, green, blue and opacity of each
 *   pixel in turn
 * @param {Known} known
 * @returns {Promise<{file: null} & import("./numbers.js").Numbers>}
 */
export async function read(classifier, openLines, picture, known = {}) {
  if (classifier.description.class_names.join(" ") !== [...DIGITS].join(" ")) {
    throw new ArgumentError("only a model whose classes are the digits 0 to 9 reads numbers");
  }
  const { digits = null, pattern = null, check = null, marks = true } = known;
  const allows = makeCheck(digits, pattern, check);
  const found = await readNumbers(picture, openLines, allows, marks);
  const { numbers, dropped } = found;
  if (!mayBeOneDigit(numbers)) return { file: null, ...found };
  const answer = await classifier.classify(picture);
  if (answer.label === null || answer.box === null || answer.dropped === null) {
    if (answer.verdict === "several") return { file: null, ...found };
    // A digit that is small beside its page passes for a speck there.
    const small = answer.box === null && numbers.length > 0;
    if (small && numbers[0].verdict === "number") {
      return { file: null, numbers: [unsure(numbers[0])], dropped };
    }
    const specks = small ? ["specks"] : [];
    return { file: null, numbers: [], dropped: [...new Set([...dropped, ...specks])] };
  }
  if (numbers.length && numbers[0].text.length !== 1 && answer.verdict !== "digit") {
    return { file: null, ...found };
  }
  const one = oneDigit(answer.top, answer.box, answer.verdict === "digit");
  const allowed = !allows || allows(one.text);
  const told = allowed ? one : unsure(one);
  return { file: null, numbers: [told], dropped: answer.dropped };
}
