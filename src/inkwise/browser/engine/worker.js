// The worker behind inkwise.js: it loads the model, and answers one question after the other.

import { Classifier } from "./answers.js";
import { DataError, InkwiseError, ModelError } from "./errors.js";
import { explain } from "./explanation.js";
import { Network } from "./network.js";
import { LineModel } from "./reading/line_model.js";
import { read } from "./reading/read.js";

const MOST_PIXELS = 40_000_000;
const DECODING = /** @type {const} */ ({ premultiplyAlpha: "none", colorSpaceConversion: "none" });

const at = (/** @type {string} */ path) => new URL(path, import.meta.url).href;

/** Load something once; after a failure, when it is asked for again. */
const once = (/** @type {() => Promise<any>} */ load) => {
  /** @type {Promise<any> | null} */
  let loaded = null;
  return () => {
    loaded ??= load().catch((error) => {
      loaded = null;
      throw error;
    });
    return loaded;
  };
};

const fetched = async (/** @type {string} */ name) => {
  const answer = await fetch(at(`model/${name}`)).catch((cause) => {
    throw new ModelError(`${name} cannot be loaded: try again`, { cause });
  });
  if (!answer.ok) throw new ModelError(`${name} is missing: put the model's files there again`);
  return answer;
};

const network = async (/** @type {string} */ name) =>
  Network.open(new Uint8Array(await (await fetched(name)).arrayBuffer()), at("runtime/"));

const document = async (/** @type {string} */ name) =>
  (await fetched(name)).json().catch((cause) => {
    throw new ModelError(`${name} is damaged: put the model's files there again`, { cause });
  });

const classifier = once(async () => {
  const [description, opened] = await Promise.all([document("model.json"), network("model.onnx")]);
  return new Classifier(description, opened);
});

const lines = once(async () => {
  const [{ slope, offset }, opened] = await Promise.all([
    document("lines.json"),
    network("lines.onnx"),
  ]);
  return new LineModel(opened, slope, offset);
});

/** Return the pixels of a picture: red, green, blue and opacity of each in turn. */
async function pixels(/** @type {ImageData | ImageBitmap | Blob} */ source) {
  if (source instanceof ImageData) return source;
  const bitmap = source instanceof Blob ? await decoded(source) : source;
  const { width, height } = bitmap;
  if (width * height > MOST_PIXELS) {
    throw new DataError("the picture has more than 40 million pixels: make it smaller");
  }
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context?.drawImage(bitmap, 0, 0);
  bitmap.close();
  return /** @type {ImageData} */ (context?.getImageData(0, 0, width, height));
}

const decoded = (/** @type {Blob} */ file) =>
  createImageBitmap(file, DECODING).catch((cause) => {
    const name = file instanceof File && file.name ? file.name : "the file";
    const told = `${name} is not a picture that this browser reads: save it as PNG or JPEG`;
    throw new DataError(told, { cause });
  });

/** @type {Record<string, (...values: any[]) => Promise<unknown>>} */
const METHODS = {
  async model() {
    const { model, class_names, image_size } = (await classifier()).description;
    const limits = { most_bytes: null, most_pixels: MOST_PIXELS };
    return { model, class_names, image_size, has_neighbours: false, keeps_corrections: false, ...limits };
  },
  classify: async (source, hand) => (await classifier()).classify(await pixels(source), hand),
  read: async (source, known) => read(await classifier(), await lines(), await pixels(source), known),
  explain: async (source, hand) => explain(await classifier(), await pixels(source), hand),
};

let last = Promise.resolve();

addEventListener("message", ({ data: { number, method, values } }) => {
  last = last.then(async () => {
    try {
      postMessage({ number, value: await METHODS[method](...values) });
    } catch (error) {
      const known = error instanceof InkwiseError;
      const name = known ? error.name : "InkwiseError";
      postMessage({ number, error: { name, message: known ? error.message : `${error}` } });
    }
  });
});
