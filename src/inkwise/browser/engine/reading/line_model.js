// The network that reads lines, on ONNX Runtime Web; the port of inkwise/reading/line_model.py.

/** Columns of a line for each place at which the network looks for signs. */
export const STEP = 2;

const WIDTHS = 16; // lines are widened to a multiple of as many columns

/** A network that reads lines. */
export class LineModel {
  #network;
  #slope;
  #offset;

  /**
   * @param {import("../network.js").Network} network
   * @param {number} slope of the calibration, on the scale of log odds
   * @param {number} offset of the calibration
   */
  constructor(network, slope, offset) {
    this.#network = network;
    this.#slope = slope;
    this.#offset = offset;
  }

  /**
   * Return the probabilities of signs, (T, 17), along a line.
   * @param {import("../raster.js").Levels} levels
   */
  async run({ data, width, height }) {
    const wide = Math.ceil(width / WIDTHS) * WIDTHS;
    const line = new Uint8Array(height * wide);
    for (let row = 0; row < height; row++) {
      line.set(data.subarray(row * width, (row + 1) * width), row * wide);
    }
    const shape = [1, height, wide];
    const [probabilities] = await this.#network.run("lines", line, shape, ["probabilities"]);
    return probabilities;
  }

  /** Return the probability that a whole reading is right, from the network's own. */
  calibrate(/** @type {number} */ probability) {
    const inside = Math.min(Math.max(probability, 1e-9), 1 - 1e-9);
    const odds = this.#slope * Math.log(inside / (1 - inside)) + this.#offset;
    return 1 / (1 + Math.exp(-odds));
  }
}
