// The signs that the network of lines tells apart; the port of inkwise/reading/alphabet.py.

export const DIGITS = "0123456789";

/** Separators and dashes; in the order of the network's outputs after the digits. */
export const MARKS = ".,'-=";

/** Anything else: letters, currency signs, scribbles. It stands for a run of them. */
export const OTHER = "?";

/** All signs, in the order of the network's outputs; the output after them is CTC's blank. */
export const SIGNS = DIGITS + MARKS + OTHER;

/** Tell whether a sign is a digit. */
export const isDigit = (/** @type {string} */ sign) => DIGITS.includes(sign);
