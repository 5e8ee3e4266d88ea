/** The handwritten digits in a picture, read in the browser. */

/**
 * A canvas, an image that is loaded, pixels, or an image file's bytes. Of a file with several frames,
 * such as a GIF, it is the first: give the others as bitmaps, which the browser's ImageDecoder makes.
 */
export type Picture =
  | HTMLCanvasElement
  | OffscreenCanvas
  | HTMLImageElement
  | HTMLVideoElement
  | ImageData
  | ImageBitmap
  | Blob;

/** Top, left, bottom and right of a box, in the picture's pixels; the last two are exclusive. */
export type Box = [number, number, number, number];

/** A name and its probability. */
export type Likely = [string, number];

/** Where the writers learned to write. */
export type Hand = "any" | "europe" | "america";

/** Where the files are; addresses are relative to this module's. */
export interface Folders {
  /** The folder of the model, which ends in "/"; by default "./model/". */
  model?: string | URL;
  /** The folder of the network's runtime, which ends in "/"; by default "./runtime/". */
  runtime?: string | URL;
}

/** Which model answers. */
export interface ModelName {
  name: string;
  version: string;
}

/** The model, as the service's `/v1/model` describes it. */
export interface Description {
  model: ModelName;
  class_names: string[];
  image_size: [number, number];
  has_neighbours: false;
  keeps_corrections: false;
  /** There is no limit of its own. */
  most_bytes: number;
  most_pixels: number;
}

/** The answer about a picture, as in the service's `/v1/predict`. */
export interface Answer {
  file: null;
  /** The likeliest class; null if the verdict is "several" or "not a digit". */
  label: string | null;
  /** Calibrated probability of the likeliest class. */
  probability: number;
  /** "digit", or that the model abstains. */
  verdict: "digit" | "unsure" | "several" | "not a digit";
  top: Likely[];
  probabilities: Record<string, number> | null;
  /** The higher, the more the picture looks like one of the classes; null without ink. */
  score: number | null;
  polarity: "light ink" | "dark ink" | null;
  box: Box | null;
  /** Pixels of the network's image per pixel of the picture. */
  scale: number | null;
  /** What was removed from the picture. */
  dropped: ("lines" | "surroundings" | "specks")[] | null;
  /** The several things that the picture shows. */
  parts: Box[];
  /** The image that the network saw; null without ink. */
  image: number[][] | null;
}

/** What is known of the numbers in a picture. */
export interface Known {
  /** How many digits each has. */
  digits?: number | null;
  /** What each looks like: `#` is a digit, anything else itself. */
  pattern?: string | null;
  /** The rule of their check digits: "luhn", "isbn", "mod11", or "iban:" and a country. */
  check?: string | null;
  /** Whether points, commas, apostrophes, dashes and `=` are read. */
  marks?: boolean;
}

/** A sign of a number. */
export interface ReadDigit {
  label: string;
  probability: number;
  verdict: "digit" | "mark" | "unsure";
  top: Likely[];
  box: Box;
}

/** A number that was read. */
export interface ReadNumber {
  text: string;
  probability: number;
  verdict: "number" | "unsure" | "not a number";
  others: Likely[];
  digits: ReadDigit[];
  box: Box;
}

/** The numbers in a picture, as in the service's `/v1/read`. */
export interface Numbers {
  file: null;
  numbers: ReadNumber[];
  /** What else is in the picture and was left out. */
  dropped: string[];
}

/** What an answer depends on, as in the service's `/v1/explain`. */
export interface Explanation {
  model: ModelName;
  picture: Answer;
  /** By how much the likeliest class's logit falls when the ink at a pixel is erased. */
  evidence: number[][] | null;
  /** The part of the image where that is highest, such as "upper left". */
  strongest: string | null;
  neighbours: null;
}

/** An error whose message tells what is wrong, and what to do. */
export class InkwiseError extends Error {}

/** An argument has a value that is not allowed. */
export class ArgumentError extends InkwiseError {}

/** A picture is damaged, or not what the model takes. */
export class DataError extends InkwiseError {}

/** A picture has too many pixels. */
export class TooManyPixelsError extends DataError {}

/** The model, or the runtime of its network, is missing or damaged. */
export class ModelError extends InkwiseError {}

/**
 * A model in this browser. A worker of its own does the work; the model is fetched when it is first
 * needed.
 */
export class Inkwise {
  constructor(folders?: Folders);

  /** Describe the model. */
  model(): Promise<Description>;

  /** Classify a picture of one digit. */
  classify(source: Picture, options?: { hand?: Hand }): Promise<Answer>;

  /** Read the numbers in a picture, from top to bottom and from left to right. */
  read(source: Picture, known?: Known): Promise<Numbers>;

  /** Explain the answer about a picture of one digit. */
  explain(source: Picture, options?: { hand?: Hand }): Promise<Explanation>;

  /** End the worker; what it has not answered fails, and what it is asked from then on. */
  close(): void;
}
