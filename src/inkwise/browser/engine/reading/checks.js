// What a reader may know of a number beforehand: how long it is, its pattern, its check digit; the
// port of inkwise/reading/checks.py.

import { ArgumentError } from "../errors.js";
import { isDigit } from "./alphabet.js";

/** @typedef {(text: string) => boolean} Check Tells whether a number, as text, can be right. */

/** Tell whether the last digit checks the others, as on payment cards (ISO/IEC 7812). */
export function luhn(/** @type {string} */ text) {
  const digits = digitsOf(text).reverse();
  const parts = digits.map((digit, place) => {
    const twice = 2 * digit;
    return place % 2 ? Math.floor(twice / 10) + (twice % 10) : digit;
  });
  return digits.length > 1 && sum(parts) % 10 === 0;
}

/** Tell whether a number is an ISBN of 13 digits, or of 10 that does not end in X. */
export function isbn(/** @type {string} */ text) {
  const digits = digitsOf(text);
  if (digits.length === 13) {
    return sum(digits.map((digit, place) => digit * (1 + 2 * (place % 2)))) % 10 === 0;
  }
  return digits.length === 10 && sum(digits.map((digit, i) => (10 - i) * digit)) % 11 === 0;
}

/** Tell whether the last digit checks the others modulo 11, with weights 2 to 7 from the right. */
export function mod11(/** @type {string} */ text) {
  const [last, ...others] = digitsOf(text).reverse();
  const rest = sum(others.map((digit, place) => digit * (2 + (place % 6))));
  return others.length > 0 && (last + rest) % 11 === 0;
}

/** Tell whether check digits and account number are an IBAN of a country (ISO 13616). */
export function iban(/** @type {string} */ text, /** @type {string} */ country) {
  const digits = digitsOf(text).join("");
  const letters = Array.from(country, (letter) => letter.charCodeAt(0) - 55).join("");
  let rest = 0; // digit by digit, as the whole number is too large
  for (const digit of digits.slice(2) + letters + digits.slice(0, 2)) {
    rest = (10 * rest + Number(digit)) % 97;
  }
  return digits.length > 4 && rest === 1;
}

/**
 * Return one check for all that is known of a number, or null if that is nothing.
 * @param {number | null} digits how many digits there are, not counting marks
 * @param {string | null} pattern `#` is a digit, anything else itself; one of digits only leaves
 *   marks out
 * @param {string | null} check `luhn`, `isbn`, `mod11`, or `iban:XX` with an IBAN's country
 * @returns {Check | null}
 */
export function makeCheck(digits, pattern, check) {
  /** @type {Check[]} */
  const checks = [];
  if (digits !== null) {
    if (!Number.isInteger(digits) || digits < 1) {
      throw new ArgumentError(`digits must be a whole number from 1, not ${quoted(digits)}`);
    }
    checks.push((text) => digitsOf(text).length === digits);
  }
  if (pattern !== null) {
    if (typeof pattern !== "string" || !pattern.includes("#")) {
      const told = `the pattern ${quoted(pattern)} has no digit`;
      throw new ArgumentError(`${told}: write # for each of them`);
    }
    const form = [...pattern];
    const bare = form.every((sign) => sign === "#");
    checks.push((text) => {
      const signs = bare ? digitsOf(text).map(String) : [...text];
      return (
        signs.length === form.length &&
        form.every((sign, place) => (sign === "#" ? isDigit : is(sign))(signs[place]))
      );
    });
  }
  if (check !== null) checks.push(namedCheck(check));
  return checks.length ? (text) => checks.every((one) => one(text)) : null;
}

const is = (/** @type {string} */ sign) => (/** @type {string} */ other) => sign === other;

/** @returns {Check} */
function namedCheck(/** @type {string} */ name) {
  const named = new Map([["luhn", luhn], ["isbn", isbn], ["mod11", mod11]]).get(name);
  if (named) return named;
  const country = /^iban:([A-Z]{2})$/.exec(name)?.[1];
  if (!country) {
    throw new ArgumentError(
      `unknown check ${quoted(name)}: use luhn, isbn, mod11, or iban:DE with the country's letters`,
    );
  }
  return (text) => iban(text, country);
}

const digitsOf = (/** @type {string} */ text) => Array.from(text).filter(isDigit).map(Number);

const sum = (/** @type {number[]} */ values) => values.reduce((one, other) => one + other, 0);

const quoted = (/** @type {unknown} */ value) =>
  typeof value === "string" ? `'${value}'` : String(value);
