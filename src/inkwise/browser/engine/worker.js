// The worker behind inkwise.js: it decodes pictures, finds the ink and runs the networks, one
// request after the other.

import { Classifier } from "./answers.js";
import { DataError, InkwiseError, ModelError, TooManyPixelsError } from "./errors.js";
import { Network, fetchFile } from "./network.js";

/** Greatest number of pixels in a picture, as the service has it by default. */
const MOST_PIXELS = 25_000_000;

const JPEG = [0xff, 0xd8, 0xff];

/** @type {{model: string, runtime: string}} */
let folders;

/**
 * Return a function that makes something when it is first needed, and again after a failure.
 * @template T
 * @param {() => Promise<T>} make
 * @returns {() => Promise<T>}
 */
function once(make) {
  /** @type {Promise<T> | null} */
  let made = null;
  return () => {
    made ??= make().catch((error) => {
      made = null;
      throw error;
    });
    return made;
  };
}

async function fetchDocument(/** @type {string} */ name) {
  const text = new TextDecoder().decode(await fetchFile(`${folders.model}${name}`));
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ModelError(`${name} is damaged: put the model's files there again`, { cause: error });
  }
}

function openNetwork(/** @type {string} */ name) {
  return Network.open(fetchFile(`${folders.model}${name}`), folders.runtime);
}

const classifier = once(async () => {
  const [description, network] = await Promise.all([
    fetchDocument("model.json"),
    openNetwork("model.onnx.gz"),
  ]);
  return new Classifier(description, network);
});

const lines = once(async () => {
  const [{ LineModel }, { slope, offset }, network] = await Promise.all([
    import("./reading/line_model.js"),
    fetchDocument("lines.json"),
    openNetwork("lines.onnx.gz"),
  ]);
  return new LineModel(network, slope, offset);
});

/**
 * Return the pixels of a picture, upright, with its colours as they are stored.
 * @param {Blob | ImageData | ImageBitmap} source
 * @returns {Promise<import("./ink/normalising.js").Picture>}
 */
async function pixelsOf(source) {
  if (source instanceof ImageData) return source;
  if (source instanceof ImageBitmap) return draw(source);
  /** @type {ImageBitmapOptions} */
  const asStored = { colorSpaceConversion: "none", imageOrientation: "from-image" };
  const bitmap = await createImageBitmap(source, asStored).catch((error) => {
    throw new DataError("the picture is damaged, or of a kind that this browser does not read", {
      cause: error,
    });
  });
  const head = new Uint8Array(await source.slice(0, JPEG.length).arrayBuffer());
  return { ...draw(bitmap), isJpeg: JPEG.every((byte, place) => head[place] === byte) };
}

function draw(/** @type {ImageBitmap} */ bitmap) {
  const { height, width } = bitmap;
  if (height * width > MOST_PIXELS) {
    bitmap.close();
    const most = MOST_PIXELS.toLocaleString("en");
    throw new TooManyPixelsError(`the picture has more than ${most} pixels: scale it down`);
  }
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context)
    throw new DataError("this browser gives no room to draw the picture: scale it down");
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  return { height, width, data };
}

/** @type {Record<string, (source: any, options: any) => Promise<unknown>>} */
const METHODS = {
  model: async () => {
    const { model, class_names, image_size } = (await classifier()).description;
    return {
      model,
      class_names,
      image_size,
      has_neighbours: false,
      keeps_corrections: false,
      most_bytes: Number.MAX_SAFE_INTEGER,
      most_pixels: MOST_PIXELS,
    };
  },
  classify: async (source, { hand }) => (await classifier()).classify(await pixelsOf(source), hand),
  read: async (source, known) => {
    const { read } = await import("./reading/read.js");
    return read(await classifier(), lines, await pixelsOf(source), known);
  },
  explain: async (source, { hand }) => {
    const { explain } = await import("./explanation.js");
    return explain(await classifier(), await pixelsOf(source), hand);
  },
};

/** @type {Promise<void>} */
let last = Promise.resolve();

addEventListener("message", ({ data }) => {
  if (data.folders) {
    folders = data.folders;
    return;
  }
  const { id, method, source, options } = data;
  last = last.then(async () => {
    try {
      postMessage({ id, value: await METHODS[method](source, options) });
    } catch (error) {
      const known = error instanceof InkwiseError;
      if (!known) console.error(error);
      const [name, told] = known ? [error.name, error.message] : ["InkwiseError", `${error}`];
      postMessage({ id, error: { name, message: told } });
    }
  });
});
