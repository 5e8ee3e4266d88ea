// Types of the module. The answers are those of the service: /v1/model, and one picture of
// /v1/predict, /v1/read and /v1/explain.

/** A picture. Files may be of any format that the browser shows. */
export type Source =
  | HTMLCanvasElement
  | OffscreenCanvas
  | ImageData
  | ImageBitmap
  | HTMLImageElement
  | Blob;

/** `[top, left, bottom, right]` in the picture's pixels, half-open. */
export type Box = [number, number, number, number];

/** Where the writer learned to write, which changes the odds between a 1 and a 7. */
export type Hand = "any" | "europe" | "america";

export interface Model {
  model: { name: string; version: string };
  class_names: string[];
  /** Height and width of the network's input. */
  image_size: [number, number];
  has_neighbours: false;
  keeps_corrections: false;
  most_bytes: null;
  most_pixels: number;
}

export interface Answer {
  file: null;
  /** The likeliest class; null unless the verdict is `digit` or `unsure`. */
  label: string | null;
  probability: number;
  verdict: "digit" | "unsure" | "several" | "not a digit";
  /** The likeliest classes with their probabilities. */
  top: [string, number][];
  probabilities: Record<string, number> | null;
  score: number | null;
  polarity: "light ink" | "dark ink" | null;
  box: Box | null;
  scale: number | null;
  dropped: string[] | null;
  /** Where the things are, if there are several. */
  parts: Box[];
  /** What the network saw: grey levels from 0 to 255, in rows. */
  image: number[][] | null;
}

/** What is known of numbers; it chooses among their readings. */
export interface Known {
  digits?: number | null;
  /** `#` is a digit, anything else itself. */
  pattern?: string | null;
  /** `luhn`, `isbn`, `mod11`, or `iban:DE` with the account's country. */
  check?: string | null;
  /** Whether points, commas, apostrophes, dashes and `=` are read, or left out. */
  marks?: boolean;
}

export interface Digit {
  label: string;
  probability: number;
  verdict: "digit" | "mark" | "unsure";
  top: [string, number][];
  box: Box;
}

export interface ReadNumber {
  text: string;
  /** That all of it is right. */
  probability: number;
  verdict: "number" | "unsure" | "not a number";
  others: [string, number][];
  digits: Digit[];
  box: Box;
}

export interface Numbers {
  file: null;
  numbers: ReadNumber[];
}

export interface Explanation {
  model: { name: string; version: string };
  picture: Answer;
  /** For each pixel of the image, how much its ink speaks for the likeliest class. */
  evidence: number[][] | null;
  /** The part of the image whose ink speaks most for it, such as `upper left`. */
  strongest: string | null;
  neighbours: null;
}

/** What reads pictures. Its errors have a sentence as their message. */
export class Inkwise {
  /** Describe the model, once it is loaded. */
  model(): Promise<Model>;
  /** Classify a picture of one digit. */
  classify(source: Source, options?: { hand?: Hand }): Promise<Answer>;
  /** Read all numbers in a picture; only with a model of the digits 0 to 9. */
  read(source: Source, known?: Known): Promise<Numbers>;
  /** Tell which ink an answer depends on; this takes some eighty times its work. */
  explain(source: Source, options?: { hand?: Hand }): Promise<Explanation>;
  /** End the worker; what is asked later begins another. */
  close(): void;
}
