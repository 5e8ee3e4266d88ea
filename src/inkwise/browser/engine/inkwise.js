// The handwritten digits in a picture, read in the browser: the public module.

import * as errors from "./errors.js";

/** Errors are told apart by their class; each message says what is wrong, and what to do. */
export const { InkwiseError, ArgumentError, DataError, ModelError, TooManyPixelsError } = errors;

/**
 * Instances that were asked something and have not answered yet. Without a reference to it, Firefox
 * ends a worker even while its answer is awaited.
 * @type {Set<Inkwise>}
 */
const atWork = new Set();

/**
 * A model in this browser. A worker of its own does the work, so that the page stays responsive;
 * the model is fetched when it is first needed.
 *
 * @example
 * const answer = await new Inkwise().classify(document.querySelector("canvas"));
 * if (answer.verdict === "digit") console.log(answer.label, answer.probability);
 */
export class Inkwise {
  /** @type {Worker} */
  #worker;

  /** @type {Map<number, {resolve: (value: any) => void, reject: (error: Error) => void}>} */
  #waiting = new Map();

  #asked = 0;

  /** @type {string | null} why nothing is answered any more */
  #ended = null;

  /** @param {import("./inkwise.js").Folders} [folders] */
  constructor({ model = "./model/", runtime = "./runtime/" } = {}) {
    this.#worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    this.#worker.onmessage = ({ data: { id, value, error } }) => {
      const { resolve, reject } = this.#waiting.get(id) ?? {};
      this.#waiting.delete(id);
      if (!this.#waiting.size) atWork.delete(this);
      if (error) reject?.(new errors[error.name](error.message));
      else resolve?.(value);
    };
    this.#worker.onerror = () => {
      this.#fail("the engine's files are missing or damaged: put them there again");
    };
    const address = (/** @type {string | URL} */ folder) => new URL(folder, import.meta.url).href;
    this.#worker.postMessage({ folders: { model: address(model), runtime: address(runtime) } });
  }

  /** Describe the model. */
  model() {
    return this.#ask("model");
  }

  /** Classify a picture of one digit. */
  async classify(source, { hand = "any" } = {}) {
    return this.#ask("classify", await portable(source), { hand });
  }

  /** Read the numbers in a picture. */
  async read(source, known = {}) {
    return this.#ask("read", await portable(source), known);
  }

  /** Explain the answer about a picture of one digit. */
  async explain(source, { hand = "any" } = {}) {
    return this.#ask("explain", await portable(source), { hand });
  }

  /** End the worker; what it has not answered fails, and what it is asked from then on. */
  close() {
    this.#fail("the engine was closed: make a new Inkwise to ask again");
  }

  #ask(method, source = null, options = {}) {
    return new Promise((resolve, reject) => {
      // It may have ended while the picture was made ready.
      if (this.#ended !== null) throw new ModelError(this.#ended);
      const id = this.#asked++;
      try {
        this.#worker.postMessage({ id, method, source, options });
      } catch (error) {
        throw new ArgumentError(
          "the picture or an option cannot be sent to a worker: take a picture that is not closed, " +
            "of this site or of one that allows it, and a text, number or boolean for an option",
          { cause: error },
        );
      }
      this.#waiting.set(id, { resolve, reject });
      atWork.add(this);
    });
  }

  #fail(/** @type {string} */ message) {
    this.#worker.terminate();
    this.#ended ??= message;
    for (const { reject } of this.#waiting.values()) reject(new ModelError(message));
    this.#waiting.clear();
    atWork.delete(this);
  }
}

/** Return a source as something that a worker can be sent. */
async function portable(source) {
  const asItIs = [Blob, ImageData, ImageBitmap].some((kind) => source instanceof kind);
  if (asItIs) return source;
  try {
    return await createImageBitmap(source, { colorSpaceConversion: "none" });
  } catch (error) {
    throw new ArgumentError(
      "a picture is a canvas, an image that is loaded, ImageData, an ImageBitmap, a Blob or a File",
      { cause: error },
    );
  }
}
