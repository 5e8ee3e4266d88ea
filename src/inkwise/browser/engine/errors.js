// The errors of the engine; the port of those in inkwise/errors.py that it needs.

/** An error whose message tells what, where, and what to do. */
export class InkwiseError extends Error {
  get name() {
    return this.constructor.name;
  }
}

/** An argument has a value that is not allowed. */
export class ArgumentError extends InkwiseError {}

/** A picture holds no ink. */
export class NoInkError extends InkwiseError {}
