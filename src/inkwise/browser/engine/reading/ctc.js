// From the network's scores along a line to its likeliest readings, and where their signs stand;
// the port of inkwise/reading/ctc.py.

import { SIGNS } from "./alphabet.js";

const BLANK = SIGNS.length;
const OUTPUTS = SIGNS.length + 1;
const UNLIKELY = 1e-4; // least probability of a sign at a place that is followed
const CERTAIN = 1 - 1e-4; // probability of the blank from which on nothing else is followed

/**
 * A reading of a line: its signs, and the network's probability of this text, not calibrated.
 * @typedef {{text: string, probability: number}} Reading
 */

/**
 * Return the likeliest readings of a line, the likeliest first, by a prefix beam search.
 * @param {Float32Array} probabilities of the signs, and of the blank, at each place: (T, 17)
 * @param {number} beams number of beginnings that are followed, and greatest number of readings
 * @returns {Reading[]}
 */
export function decode(probabilities, beams) {
  // Of each beginning, the probabilities that the last place is a blank and that it is a sign.
  /** @type {[string, number[]][]} */
  let ends = [["", [1, 0]]];
  for (let start = 0; start < probabilities.length; start += OUTPUTS) {
    const silent = probabilities[start + BLANK];
    if (silent >= CERTAIN) {
      for (const [, end] of ends) {
        end[0] = (end[0] + end[1]) * silent;
        end[1] = 0;
      }
      continue;
    }
    const likely = [];
    for (let sign = 0; sign < OUTPUTS; sign++) {
      if (probabilities[start + sign] > UNLIKELY) likely.push(sign);
    }
    /** @type {Map<string, number[]>} */
    const after = new Map();
    const at = (/** @type {string} */ text) => {
      let end = after.get(text);
      if (!end) after.set(text, (end = [0, 0]));
      return end;
    };
    for (const [text, [b, s]] of ends) {
      const both = b + s;
      const last = text ? SIGNS.indexOf(text[text.length - 1]) : -1;
      for (const sign of likely) {
        const share = probabilities[start + sign];
        if (sign === BLANK) {
          at(text)[0] += both * share;
          continue;
        }
        let came = both * share;
        if (sign === last) {
          at(text)[1] += s * share;
          came = b * share;
        }
        if (came > 0) at(text + SIGNS[sign])[1] += came;
      }
    }
    ends = [...after].sort(([, one], [, other]) => other[0] + other[1] - (one[0] + one[1]));
    ends.length = Math.min(ends.length, beams);
  }
  return ends
    .map(([text, [b, s]]) => ({ text, probability: b + s }))
    .sort((one, other) => other.probability - one.probability);
}

/**
 * Return the first place of each sign of a text and the place after its last, by Viterbi.
 * @param {Float32Array} probabilities as for `decode`
 * @param {string} text one of the readings
 * @returns {[number, number][]}
 */
export function align(probabilities, text) {
  const labels = [BLANK];
  for (const sign of text) labels.push(SIGNS.indexOf(sign), BLANK);
  const states = labels.length;
  const places = probabilities.length / OUTPUTS;
  const least = Math.fround(1e-30);
  const cost = (/** @type {number} */ place, /** @type {number} */ state) =>
    -Math.fround(Math.log(Math.max(probabilities[place * OUTPUTS + labels[state]], least)));
  let best = new Float64Array(states).fill(Infinity);
  best[0] = cost(0, 0);
  if (states > 1) best[1] = cost(0, 1);
  const came = new Uint8Array(places * states);
  for (let place = 1; place < places; place++) {
    const next = new Float64Array(states);
    for (let state = 0; state < states; state++) {
      let way = 0;
      let lowest = best[state];
      if (state > 0 && best[state - 1] < lowest) [way, lowest] = [1, best[state - 1]];
      // A sign may follow its neighbour without a blank between if they differ.
      const skips = state % 2 === 1 && state > 1 && labels[state] !== labels[state - 2];
      if (skips && best[state - 2] < lowest) [way, lowest] = [2, best[state - 2]];
      came[place * states + state] = way;
      next[state] = lowest + cost(place, state);
    }
    best = next;
  }
  let state = states === 1 || best[states - 1] <= best[states - 2] ? states - 1 : states - 2;
  /** @type {[number, number][]} */
  const spans = Array.from(text, () => [places, 0]);
  for (let place = places - 1; place >= 0; place--) {
    if (state % 2) {
      const span = spans[(state - 1) / 2];
      span[0] = Math.min(span[0], place);
      span[1] = Math.max(span[1], place + 1);
    }
    state -= came[place * states + state];
  }
  return spans;
}
