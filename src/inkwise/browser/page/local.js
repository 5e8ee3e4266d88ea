// Answers by this browser itself; service.js has the same names.

import { Inkwise } from "../package/inkwise.js";
import { Trouble } from "./trouble.js";
import { words } from "./words.js";

// A module of WebAssembly with one instruction of SIMD, as the network's runtime has them.
const SIMD = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3],
  ...[2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11],
);

let engine = null;
let described = null;

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
    if (!(await isThere())) throw new Trouble("gone", words.alone.gone);
    console.error(error);
    throw new Trouble("broken", words.stopped.incomplete);
  }
  return described;
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

// Classify a picture, a file or a canvas.
export const classify = async (source, hand) => ({
  model: described.model,
  said: await engine.classify(source, { hand }).catch(({ message }) => ({ error: { detail: message } })),
  pages: 1,
});

// Read the numbers in a picture.
export const read = async (source) => (await engine.read(source)).numbers;

// Explain the answer about a picture.
export const explain = (source, hand) => engine.explain(source, { hand });
