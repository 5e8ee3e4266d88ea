// The errors of the engine; the port of those in inkwise/errors.py that it needs.

/** An error whose message tells what, where, and what to do. */
export class InkwiseError extends Error {
  get name() {
    return this.constructor.name;
  }
}

/** An argument has a value that is not allowed. */
export class ArgumentError extends InkwiseError {}

/** A picture is damaged, or not what a model takes. */
export class DataError extends InkwiseError {}

/** A picture has too many pixels. */
export class TooManyPixelsError extends DataError {}

/** A picture holds no ink. */
export class NoInkError extends InkwiseError {}

/** A model or the runtime of its network is missing or damaged. */
export class ModelError extends InkwiseError {}
