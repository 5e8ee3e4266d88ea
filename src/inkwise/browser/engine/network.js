// A network on ONNX Runtime Web: WebAssembly with SIMD, and with threads where the page is isolated
// from other origins.

import { ModelError } from "./errors.js";

const RUNTIME = "ort.wasm.bundle.min.mjs";
const MOST_THREADS = 4;

/** @type {Promise<any> | null} */
let runtime = null;

/** Load the runtime once; `folder` is the address of the folder with its files, ending in "/". */
function loadRuntime(/** @type {string} */ folder) {
  runtime ??= import(`${folder}${RUNTIME}`).then((ort) => {
    ort.env.wasm.wasmPaths = folder;
    const cores = globalThis.navigator?.hardwareConcurrency ?? 1;
    ort.env.wasm.numThreads = globalThis.crossOriginIsolated ? Math.min(cores, MOST_THREADS) : 1;
    return ort;
  });
  return runtime;
}

/** A network that is ready to run. */
export class Network {
  #ort;
  #session;

  constructor(/** @type {any} */ ort, /** @type {any} */ session) {
    [this.#ort, this.#session] = [ort, session];
  }

  /**
   * Open a network.
   * @param {Uint8Array} content of its ONNX file
   * @param {string} folder the address of the folder with the runtime's files, ending in "/"
   */
  static async open(content, folder) {
    const ort = await loadRuntime(folder).catch((error) => {
      runtime = null;
      throw new ModelError("the runtime of the network cannot be loaded: try again", {
        cause: error,
      });
    });
    try {
      return new Network(ort, await ort.InferenceSession.create(content));
    } catch (error) {
      const blocked = typeof WebAssembly === "undefined" || /wasm|WebAssembly/i.test(`${error}`);
      const told = blocked
        ? "this browser does not run WebAssembly, or the page may not: use a newer browser"
        : "the model is damaged: put its files there again";
      throw new ModelError(told, { cause: error });
    }
  }

  /**
   * Run the network.
   * @param {string} input its name
   * @param {Uint8Array} levels
   * @param {number[]} shape
   * @param {string[]} outputs their names
   * @returns {Promise<Float32Array[]>} the outputs, in row-major order
   */
  async run(input, levels, shape, outputs) {
    const tensor = new this.#ort.Tensor("uint8", levels, shape);
    const results = await this.#session.run({ [input]: tensor }, outputs);
    return outputs.map((name) => results[name].data);
  }
}
