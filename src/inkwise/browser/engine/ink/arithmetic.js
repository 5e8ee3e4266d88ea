// Statistics and linear algebra in the way of NumPy's, for the steps of the preprocessing.

/** Return the mean of numbers. */
export function mean(/** @type {ArrayLike<number>} */ values) {
  let sum = 0;
  for (let place = 0; place < values.length; place++) sum += values[place];
  return sum / values.length;
}

/** Return the median of numbers; of an even number of them, the mean of the two in the middle. */
export function median(/** @type {ArrayLike<number>} */ values) {
  return quantile(values, 0.5);
}

/** Return a quantile of numbers, with interpolation. */
export function quantile(/** @type {ArrayLike<number>} */ values, /** @type {number} */ share) {
  const ordered = Float64Array.from(values).sort();
  const exact = share * (ordered.length - 1);
  const below = Math.floor(exact);
  const above = Math.min(below + 1, ordered.length - 1);
  return ordered[below] + (exact - below) * (ordered[above] - ordered[below]);
}

/** Return the place of the first greatest number. */
export function argmax(/** @type {ArrayLike<number>} */ values) {
  let best = 0;
  for (let place = 1; place < values.length; place++) {
    if (values[place] > values[best]) best = place;
  }
  return best;
}

/** Return the greatest number, or another if there is none. */
export function greatest(/** @type {Iterable<number>} */ values, initial = -Infinity) {
  let best = initial;
  for (const value of values) if (value > best) best = value;
  return best;
}

/** Return whole numbers from a start to a stop, which is exclusive. */
export function range(/** @type {number} */ start, /** @type {number} */ stop) {
  return Array.from({ length: Math.max(0, stop - start) }, (_, place) => start + place);
}

/**
 * Fit a parabola by least squares.
 *
 * @param {ArrayLike<number>} x
 * @param {ArrayLike<number>} y
 * @returns {(x: number) => number} The parabola.
 */
export function parabola(x, y) {
  // Polynomials that are orthogonal on the places, which no rounding can make singular.
  const middle = mean(x);
  const sum = (/** @type {(place: number) => number} */ value) => {
    let total = 0;
    for (let place = 0; place < x.length; place++) total += value(place);
    return total;
  };
  const level = mean(y);
  const spread = sum((k) => (x[k] - middle) ** 2);
  const slope = spread ? sum((k) => (x[k] - middle) * y[k]) / spread : 0;
  const skew = spread ? sum((k) => (x[k] - middle) ** 3) / spread : 0;
  const bend = (/** @type {number} */ at) =>
    (at - middle) ** 2 - skew * (at - middle) - spread / x.length;
  const strength = sum((k) => bend(x[k]) ** 2);
  const curve = strength > 1e-9 * spread ** 2 ? sum((k) => bend(x[k]) * y[k]) / strength : 0;
  return (at) => level + slope * (at - middle) + curve * bend(at);
}

/**
 * Return the eigenvalues of a symmetric matrix, the least first, and their eigenvectors.
 *
 * @param {number[][]} matrix
 * @returns {{values: number[], vectors: number[][]}}
 */
export function eigen(matrix) {
  const size = matrix.length;
  const a = matrix.map((row) => [...row]);
  const vectors = a.map((row, k) => row.map((_, other) => Number(k === other)));
  // Jacobi's rotations, until nothing is left beside the diagonal.
  for (let sweep = 0; sweep < 30; sweep++) {
    for (let p = 0; p < size; p++) {
      for (let q = p + 1; q < size; q++) {
        if (a[p][q] === 0) continue;
        const ratio = (a[q][q] - a[p][p]) / (2 * a[p][q]);
        const tangent = (ratio < 0 ? -1 : 1) / (Math.abs(ratio) + Math.hypot(ratio, 1));
        const cosine = 1 / Math.hypot(tangent, 1);
        const sine = tangent * cosine;
        const turn = (/** @type {number[]} */ row) => {
          [row[p], row[q]] = [cosine * row[p] - sine * row[q], sine * row[p] + cosine * row[q]];
        };
        a.forEach(turn);
        [a[p], a[q]] = [
          a[p].map((one, k) => cosine * one - sine * a[q][k]),
          a[q].map((one, k) => sine * a[p][k] + cosine * one),
        ];
        vectors.forEach(turn);
      }
    }
  }
  const order = range(0, size).sort((one, other) => a[one][one] - a[other][other]);
  return {
    values: order.map((k) => a[k][k]),
    vectors: order.map((k) => vectors.map((row) => row[k])),
  };
}
