// Read handwritten digits and numbers in a page, without a server. inkwise.d.ts says what each
// method takes and returns; worker.js does the work, so that the page stays quick.

import * as errors from "./errors.js";

const DECODING = { premultiplyAlpha: "none", colorSpaceConversion: "none" };

/** What reads pictures; it is loaded when it is first asked something. */
export class Inkwise {
  /** @type {Worker | null} */
  #worker = null;

  /** @type {Map<number, {resolve: (value: any) => void, reject: (error: Error) => void}>} */
  #asked = new Map();

  #count = 0;

  model() {
    return this.#ask("model");
  }

  async classify(source, { hand = "any" } = {}) {
    return this.#ask("classify", await portable(source), hand);
  }

  async read(source, known = {}) {
    return this.#ask("read", await portable(source), known);
  }

  async explain(source, { hand = "any" } = {}) {
    return this.#ask("explain", await portable(source), hand);
  }

  close() {
    this.#end(new errors.InkwiseError("it is closed"));
  }

  #ask(/** @type {string} */ method, /** @type {any[]} */ ...values) {
    this.#worker ??= this.#start();
    this.#count += 1;
    const number = this.#count;
    return new Promise((resolve, reject) => {
      this.#asked.set(number, { resolve, reject });
      this.#worker?.postMessage({ number, method, values });
    });
  }

  #start() {
    const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    worker.onmessage = ({ data: { number, value, error } }) => {
      const asked = this.#asked.get(number);
      this.#asked.delete(number);
      if (error) asked?.reject(new errors[error.name](error.message));
      else asked?.resolve(value);
    };
    worker.onerror = () => {
      this.#end(new errors.ModelError("a module of the engine cannot be loaded: try again"));
    };
    return worker;
  }

  #end(/** @type {Error} */ error) {
    this.#worker?.terminate();
    this.#worker = null;
    for (const { reject } of this.#asked.values()) reject(error);
    this.#asked.clear();
  }
}

/** Return what a worker can be sent of a picture. */
async function portable(source) {
  if (source instanceof Blob || source instanceof ImageData) return source;
  if (source instanceof HTMLImageElement) await source.decode();
  try {
    return await createImageBitmap(source, DECODING);
  } catch (error) {
    const told = "give a canvas with pixels, ImageData, ImageBitmap, an <img>, a Blob or a File";
    throw new errors.ArgumentError(told, { cause: error });
  }
}
