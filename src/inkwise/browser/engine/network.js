// A network on ONNX Runtime Web: WebAssembly with SIMD, and with threads where the page is isolated
// from other origins.

import { ModelError } from "./errors.js";

const MODULE = "ort.wasm.bundle.min.js";
const BINARY = "ort-wasm-simd-threaded.wasm.gz";
const MOST_THREADS = 4;

/** @type {Promise<any> | null} */
let runtime = null;

/**
 * Fetch a file; one that was compressed by gzip, and not by the server alone, is decompressed.
 * @param {string} address
 * @returns {Promise<Uint8Array>}
 */
export async function fetchFile(address) {
  const response = await fetch(address).catch((error) => {
    throw new ModelError(`${address} cannot be fetched: is there a connection?`, { cause: error });
  });
  if (!response.ok) {
    throw new ModelError(`${address} is missing (${response.status}): put the files there again`);
  }
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const content = await new Response(plain).arrayBuffer().catch((error) => {
    throw new ModelError(`${address} is damaged: put the files there again`, { cause: error });
  });
  return new Uint8Array(content);
}

/** Load the runtime once; `folder` is the address of the folder with its files, ending in "/". */
function loadRuntime(/** @type {string} */ folder) {
  runtime ??= Promise.all([import(`${folder}${MODULE}`), fetchFile(`${folder}${BINARY}`)]).then(
    ([ort, binary]) => {
      const { wasm } = ort.env;
      wasm.wasmBinary = binary;
      wasm.numThreads = globalThis.crossOriginIsolated
        ? Math.min(navigator.hardwareConcurrency, MOST_THREADS)
        : 1;
      return ort;
    },
  );
  return runtime;
}

/** A network that is ready to run. */
export class Network {
  #ort;
  #session;

  constructor(/** @type {any} */ ort, /** @type {any} */ session) {
    this.#ort = ort;
    this.#session = session;
  }

  /**
   * Open a network.
   * @param {Uint8Array | Promise<Uint8Array>} content of its ONNX file; the runtime is loaded
   *   while it comes
   * @param {string} folder the address of the folder with the runtime's files, ending in "/"
   */
  static async open(content, folder) {
    let ort;
    let bytes;
    try {
      [ort, bytes] = await Promise.all([loadRuntime(folder), content]);
    } catch (error) {
      runtime = null;
      if (error instanceof ModelError) throw error;
      throw new ModelError(`${folder}${MODULE} cannot be loaded: put the files there again`, {
        cause: error,
      });
    }
    try {
      return new Network(ort, await ort.InferenceSession.create(bytes));
    } catch (error) {
      const told = runsWebAssembly()
        ? "the model or the runtime of its network is damaged: put their files there again"
        : "this page may not run WebAssembly, which the network needs: use another browser";
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

/** Tell whether a module of WebAssembly can be compiled here; this one is empty. */
function runsWebAssembly() {
  try {
    return Boolean(new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0)));
  } catch {
    return false;
  }
}
