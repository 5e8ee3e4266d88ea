// Test-time augmentation: a line is read in several sizes and slants, and readings are combined;
// the port of inkwise/reading/looks.py.

import { rint, warpAffine } from "../raster.js";
import { decode } from "./ctc.js";
import { ROWS } from "./text_lines.js";

// Width and height of a line as shares of its own, and pixels to the right for a pixel up.
const LOOKS = [
  [1.1, 1.1, 0],
  [0.88, 1, 0],
  [1.12, 1, 0],
  [0.9, 0.9, 0],
  [1, 1, -0.12],
  [1, 1, 0.12],
];

const CERTAIN = 0.98; // probability of a reading after two looks from which on there are no more

/**
 * Read a line, and look again where it is unsure.
 * @param {import("./line_model.js").LineModel} model
 * @param {import("../raster.js").Levels} levels
 * @param {number} beams as for `decode`
 * @returns {Promise<{readings: import("./ctc.js").Reading[], probabilities: Float32Array}>}
 *   the likeliest reading first, with the means of their probabilities over all looks; and the
 *   probabilities of the first look, along the line
 */
export async function look(model, levels, beams) {
  const first = await model.run(levels);
  /** @type {Map<string, number>} */
  const sums = new Map();
  const add = (/** @type {Float32Array} */ probabilities) => {
    for (const { text, probability } of decode(probabilities, beams)) {
      sums.set(text, (sums.get(text) ?? 0) + probability);
    }
  };
  add(first);
  let done = 1;
  for (const [wide, high, slant] of LOOKS) {
    if (done === 2 && Math.max(...sums.values()) >= done * CERTAIN) break;
    add(await model.run(changed(levels, wide, high, slant)));
    done++;
  }
  const readings = [...sums]
    .sort(([, one], [, other]) => other - one)
    .slice(0, beams)
    .map(([text, total]) => ({ text, probability: total / done }));
  return { readings, probabilities: first };
}

/**
 * Scale and slant a line about its middle row.
 * @param {import("../raster.js").Levels} levels
 * @param {number} wide
 * @param {number} high
 * @param {number} slant
 */
function changed(levels, wide, high, slant) {
  const middle = ROWS / 2;
  const width = rint(levels.width * wide + 2 * Math.abs(slant) * middle);
  const forward = [
    [wide, -slant, (slant + Math.abs(slant)) * middle],
    [0, high, middle * (1 - high)],
  ];
  return warpAffine(levels, forward, ROWS, width);
}
