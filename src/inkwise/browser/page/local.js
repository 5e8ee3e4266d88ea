// Answers by this browser itself; service.js has the same names.

import { Inkwise } from "../package/inkwise.js";
import { frameAt, framesOf } from "./frames.js";
import { Stroke, paintAll } from "./pen.js";
import { Trouble } from "./trouble.js";
import { words } from "./words.js";

// A module of WebAssembly with one instruction of SIMD, as the network's runtime has them.
const SIMD = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3],
  ...[2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11],
);

// A seven, and how often parts of it are classified before anything is drawn: a browser runs code
// slowly until it has run several times.
const SEVEN = [[0.3, 0.25], [0.5, 0.24], [0.7, 0.23], [0.62, 0.45], [0.53, 0.65], [0.46, 0.8]];
const PRACTICE = 12;

let engine = null;
let described = null;
let asked = false;

// Tell why no network can run in this browser; an empty text if one can.
const obstacle = () => {
  if (!globalThis.WebAssembly) return words.alone.blocked;
  if (!WebAssembly.validate(SIMD) || !globalThis.DecompressionStream) return words.stopped.old;
  try {
    new WebAssembly.Module(SIMD);
  } catch {
    return words.alone.blocked; // by a policy of the host or of the browser
  }
  return "";
};

// Describe the model, once it is loaded.
export const meet = async () => {
  const why = obstacle();
  if (why) throw new Trouble("broken", why);
  engine ??= new Inkwise();
  try {
    described = await engine.model();
  } catch (error) {
    engine = null;
    throw await troubleOf(error);
  }
  setTimeout(practise); // first comes what was drawn while the model was loaded
  return described;
};

const practise = async () => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [168, 168];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  for (let time = 0; time < PRACTICE && !asked; time += 1) {
    const [[x, y], ...others] = SEVEN.slice(0, 3 + (time % 4));
    const stroke = new Stroke(x, y, null, 0);
    others.forEach(([across, down], k) => stroke.add(across, down, null, 100 * (k + 1)));
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    paintAll(context, [stroke], canvas.width, "#000");
    await engine.classify(pixelsOf(canvas)).catch(() => {}); // what is drawn will tell it
  }
};

// Return what the page shall tell of the engine's lack of a file.
const troubleOf = async (error) => {
  if (!(await isThere())) return new Trouble("gone", words.alone.gone);
  console.error(error);
  return new Trouble("broken", words.stopped.incomplete);
};

// Tell whether there is a connection to the site.
const isThere = () => fetch("manifest.webmanifest", { cache: "no-store" }).then(() => true, () => false);

// Wait until there is a connection.
export const untilThere = async () => {
  while (!(await isThere())) {
    await new Promise((resolve) => {
      setTimeout(resolve, 2000);
    });
  }
};

// Return what a worker can be sent at once: a frame of a file, or the pixels of a drawing.
const sendable = (source, page) =>
  source instanceof Blob ? frameAt(source, page) : pixelsOf(source);

const pixelsOf = (canvas) =>
  canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);

// Classify a picture, a file or a canvas: of a file with several frames, all of them.
export const classify = async (source, hand) => {
  asked = true;
  const pictures = [];
  for await (const frame of source instanceof Blob ? framesOf(source) : [pixelsOf(source)]) {
    const said = engine.classify(frame, { hand });
    pictures.push(await said.catch(({ message }) => ({ error: { detail: message } })));
  }
  return { model: described.model, pictures };
};

// Read the numbers in a picture, or in one of its frames, counted from 0.
export const read = async (source, page) => {
  try {
    return (await engine.read(await sendable(source, page))).numbers;
  } catch (error) {
    throw await troubleOf(error); // another network is needed, which comes only now
  }
};

// Explain the answer about a picture, or about one of its frames.
export const explain = async (source, hand, page) => {
  try {
    return await engine.explain(await sendable(source, page), { hand });
  } catch (error) {
    throw await troubleOf(error);
  }
};
