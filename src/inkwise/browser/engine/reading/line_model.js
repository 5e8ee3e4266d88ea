// The network that reads lines, on ONNX Runtime Web; the port of inkwise/reading/line_model.py.

/** Columns of a line for each place at which the network looks for signs. */
export const STEP = 2;

const WIDTHS = 16; // lines are widened to a multiple of as many columns

/** A network that reads lines. */
export class LineModel {
  #run;
  #slope;
  #offset;

  /**
   * @param {(levels: Uint8Array, rows: number, columns: number) => Promise<Float32Array>} run
   *   returns the network's output for a line
   * @param {number} slope of the calibration, on the scale of log odds
   * @param {number} offset of the calibration
   */
  constructor(run, slope, offset) {
    this.#run = run;
    this.#slope = slope;
    this.#offset = offset;
  }

  /**
   * Return the probabilities of signs, (T, 17), along a line.
   * @param {import("../raster.js").Levels} levels
   */
  run({ data, width, height }) {
    const wide = Math.ceil(width / WIDTHS) * WIDTHS;
    const line = new Uint8Array(height * wide);
    for (let row = 0; row < height; row++) {
      line.set(data.subarray(row * width, (row + 1) * width), row * wide);
    }
    return this.#run(line, height, wide);
  }

  /** Return the probability that a whole reading is right, from the network's own. */
  calibrate(/** @type {number} */ probability) {
    const inside = Math.min(Math.max(probability, 1e-9), 1 - 1e-9);
    const odds = this.#slope * Math.log(inside / (1 - inside)) + this.#offset;
    return 1 / (1 + Math.exp(-odds));
  }
}
