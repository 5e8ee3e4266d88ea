/**
 * The operations on images that the preprocessing needs, with the results of OpenCV's and Pillow's.
 *
 * An image is a plain object of its height, its width and its levels in row-major order. Every
 * function has the name of the one whose results it gives, and says where it does less.
 *
 * @typedef {{height: number, width: number, data: Uint8Array}} Levels
 * @typedef {{height: number, width: number, runs: {row: number, start: number, length: number}[]}}
 *   Kernel
 */

/**
 * Make an image, black unless its data is given.
 *
 * @param {number} height
 * @param {number} width
 * @param {Uint8Array} [data]
 * @returns {Levels}
 */
export function image(height, width, data = new Uint8Array(height * width)) {
  return { height, width, data };
}

/** Round to the nearest whole number, and halves to the even one, as NumPy and OpenCV do. */
export function rint(value) {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 ? floor + 1 : floor;
}

/** Round to a level from 0 to 255. */
function saturate(value) {
  return value <= 0 ? 0 : value >= 255 ? 255 : rint(value);
}

/** Replace each level by what a function makes of it; the function is called 256 times. */
export function mapLevels(levels, change) {
  const table = new Uint8Array(256);
  for (let level = 0; level < 256; level++) table[level] = change(level);
  const data = new Uint8Array(levels.data.length);
  for (let place = 0; place < data.length; place++) data[place] = table[levels.data[place]];
  return image(levels.height, levels.width, data);
}

/** Return `255 - levels`. */
export function invert(levels) {
  return mapLevels(levels, (level) => 255 - level);
}

/** Return where levels are above a threshold, as 0 and 1: `cv2.compare(…, cv2.CMP_GT) & 1`. */
export function above(levels, threshold) {
  return mapLevels(levels, (level) => (level > threshold ? 1 : 0));
}

/** `cv2.subtract` of two images. */
export function subtract(first, second) {
  const result = image(first.height, first.width);
  for (let place = 0; place < result.data.length; place++) {
    const level = first.data[place] - second.data[place];
    result.data[place] = level > 0 ? level : 0;
  }
  return result;
}

/** `cv2.subtract` of a number, which OpenCV rounds first. */
export function subtractScalar(levels, scalar) {
  const less = rint(scalar);
  return mapLevels(levels, (level) => saturate(level - less));
}

/** `cv2.add` of a number. */
export function addScalar(levels, scalar) {
  return subtractScalar(levels, -scalar);
}

/** `cv2.convertScaleAbs`. */
export function convertScaleAbs(levels, alpha, beta = 0) {
  const [scale, shift] = [Math.fround(alpha), Math.fround(beta)];
  return mapLevels(levels, (level) => saturate(Math.abs(Math.fround(level * scale + shift))));
}

/** Return the part of an image between two rows and two columns; those at the end are exclusive. */
export function crop(levels, top, left, bottom, right) {
  const part = image(bottom - top, right - left);
  for (let row = top; row < bottom; row++) {
    const from = row * levels.width;
    part.data.set(levels.data.subarray(from + left, from + right), (row - top) * part.width);
  }
  return part;
}

/** Return the image with rows and columns exchanged. */
export function transpose(levels) {
  const { height, width, data } = levels;
  const turned = image(width, height);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      turned.data[column * height + row] = data[row * width + column];
    }
  }
  return turned;
}

/** Return whether any level is not 0. */
export function any(levels) {
  return levels.data.some((level) => level > 0);
}

/** Return whether two images of one size have the same levels. */
export function equal(one, other) {
  for (let place = 0; place < one.data.length; place++) {
    if (one.data[place] !== other.data[place]) return false;
  }
  return true;
}

/**
 * `cv2.boundingRect`, as top, left, bottom and right, the last two exclusive; zeros if empty.
 *
 * @param {Levels} levels
 * @returns {[number, number, number, number]}
 */
export function bounds(levels) {
  const { height, width, data } = levels;
  let [top, left, bottom, right] = [-1, width, 0, 0];
  for (let row = 0; row < height; row++) {
    const line = data.subarray(row * width, (row + 1) * width);
    let first = 0;
    while (first < width && line[first] === 0) first++;
    if (first === width) continue;
    let last = width - 1;
    while (line[last] === 0) last--;
    if (top < 0) top = row;
    bottom = row + 1;
    left = Math.min(left, first);
    right = Math.max(right, last + 1);
  }
  return top < 0 ? [0, 0, 0, 0] : [top, left, bottom, right];
}

/** Return the lowest and the highest level. */
export function extremes(levels) {
  let [low, high] = [255, 0];
  for (let place = 0; place < levels.data.length; place++) {
    const level = levels.data[place];
    if (level < low) low = level;
    if (level > high) high = level;
  }
  return [low, high];
}

/**
 * `cv2.mean` of the pixels whose mask is not 0, or of all.
 *
 * @param {{data: Uint8Array}} levels
 * @param {Levels | null} mask
 */
export function mean(levels, mask = null) {
  let [sum, count] = [0, 0];
  for (let place = 0; place < levels.data.length; place++) {
    if (mask === null || mask.data[place] > 0) {
      sum += levels.data[place];
      count++;
    }
  }
  return count ? sum / count : 0;
}

const REFLECTIONS = {
  replicate: (place, length) => Math.min(Math.max(place, 0), length - 1),
  /** The outermost pixel is repeated: `cv2.BORDER_REFLECT`. */
  reflect: (place, length) => {
    const turn = ((place % (2 * length)) + 2 * length) % (2 * length);
    return turn < length ? turn : 2 * length - 1 - turn;
  },
  /** The outermost pixel is not repeated: `cv2.BORDER_REFLECT_101`. */
  reflect101: (place, length) => {
    if (length === 1) return 0;
    const turn = ((place % (2 * length - 2)) + 2 * length - 2) % (2 * length - 2);
    return turn < length ? turn : 2 * length - 2 - turn;
  },
};

/**
 * `cv2.copyMakeBorder` with the same width on all sides.
 *
 * @param {Levels} levels
 * @param {number} by
 * @param {"black" | "replicate" | "reflect" | "reflect101"} kind
 * @returns {Levels}
 */
export function copyMakeBorder(levels, by, kind = "black") {
  const { height, width, data } = levels;
  const padded = image(height + 2 * by, width + 2 * by);
  if (kind === "black") {
    for (let row = 0; row < height; row++) {
      const line = data.subarray(row * width, (row + 1) * width);
      padded.data.set(line, (row + by) * padded.width + by);
    }
    return padded;
  }
  const inside = REFLECTIONS[kind];
  const columns = Int32Array.from({ length: padded.width }, (_, place) =>
    inside(place - by, width),
  );
  for (let row = 0; row < padded.height; row++) {
    const from = inside(row - by, height) * width;
    for (let column = 0; column < padded.width; column++) {
      padded.data[row * padded.width + column] = data[from + columns[column]];
    }
  }
  return padded;
}

/** A kernel that is a full rectangle. */
export function rectangle(height, width) {
  const runs = Array.from({ length: height }, (_, row) => ({ row, start: 0, length: width }));
  return { height, width, runs };
}

/** A kernel of the pixels that a function of row and column chooses. */
export function kernelOf(height, width, chosen) {
  const runs = [];
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      if (!chosen(row, column)) continue;
      const start = column;
      while (column + 1 < width && chosen(row, column + 1)) column++;
      runs.push({ row, start, length: column + 1 - start });
    }
  }
  return { height, width, runs };
}

/** `cv2.getStructuringElement(cv2.MORPH_ELLIPSE, …)` of a square. */
export function ellipse(side) {
  const reach = side >> 1;
  const runs = [];
  for (let row = 0; row < side; row++) {
    const down = row - reach;
    if (Math.abs(down) > reach) continue;
    const across = reach ? rint(Math.sqrt(reach * reach - down * down)) : 0;
    const start = Math.max(reach - across, 0);
    runs.push({ row, start, length: Math.min(reach + across + 1, side) - start });
  }
  return { height: side, width: side, runs };
}

/** `cv2.dilate` with its usual border, which is never seen. */
export function dilate(levels, kernel) {
  return extend(levels, kernel, 0);
}

/** `cv2.erode` with its usual border, which is never seen. */
export function erode(levels, kernel) {
  return extend(levels, kernel, 255);
}

/** `cv2.morphologyEx` with `cv2.MORPH_OPEN`. */
export function open(levels, kernel) {
  return dilate(erode(levels, kernel), kernel);
}

/** `cv2.morphologyEx` with `cv2.MORPH_CLOSE`. */
export function close(levels, kernel) {
  return erode(dilate(levels, kernel), kernel);
}

/** Return the greatest of the levels under the kernel; the least, if all are exchanged by `flip`. */
function extend(levels, kernel, flip) {
  return isMask(levels.data)
    ? extendMask(levels, kernel, flip & 1)
    : extendLevels(levels, kernel, flip);
}

function extendLevels({ height, width, data }, kernel, flip) {
  const { stride, first, size } = placeInBorder(height, width, kernel);
  const padded = new Uint8Array(size);
  for (let row = 0; row < height; row++) {
    const to = first + row * stride - row * width;
    for (let place = row * width; place < (row + 1) * width; place++) {
      padded[to + place] = data[place] ^ flip;
    }
  }
  const greatest = greatestUnder(padded, stride, kernel, takeGreater);
  const result = image(height, width);
  for (let row = 0; row < height; row++) {
    const from = row * stride - row * width;
    for (let place = row * width; place < (row + 1) * width; place++) {
      result.data[place] = greatest[from + place] ^ flip;
    }
  }
  return result;
}

/** The same for levels of 0 and 1, 32 of which are a word. */
function extendMask({ height, width, data }, kernel, flip) {
  const { stride, first, size } = placeInBorder(height, width, kernel);
  const padded = new Uint32Array((size >> 5) + 2);
  for (let row = 0, place = 0; row < height; row++) {
    const to = first + row * stride;
    let [word, index, bit] = [0, to >> 5, to & 31];
    for (let column = 0; column < width; column++, place++) {
      word |= (data[place] ^ flip) << bit++;
      if (bit < 32) continue;
      padded[index++] |= word;
      [word, bit] = [0, 0];
    }
    padded[index] |= word;
  }
  const greatest = greatestUnder(padded, stride, kernel, takeAny);
  const result = image(height, width);
  for (let row = 0, place = 0; row < height; row++) {
    let index = (row * stride) >> 5;
    let bit = (row * stride) & 31;
    let word = greatest[index] >>> bit;
    for (let column = 0; column < width; column++, place++) {
      result.data[place] = (word & 1) ^ flip;
      word >>>= 1;
      if (++bit < 32) continue;
      word = greatest[++index];
      bit = 0;
    }
  }
  return result;
}

/** Return where an image lies in one with room for a kernel around it, whose rows are flattened. */
function placeInBorder(height, width, kernel) {
  const stride = width + kernel.width - 1;
  // The anchor of a kernel is its middle, or the pixel after it.
  const first = (kernel.height >> 1) * stride + (kernel.width >> 1);
  return { stride, first, size: stride * (height + kernel.height - 1) };
}

function greatestUnder(padded, stride, kernel, take) {
  const full = kernel.runs.every(({ length }) => length === kernel.width);
  return full && kernel.runs.length === kernel.height
    ? greatestInRectangle(padded, stride, kernel, take)
    : greatestInRuns(padded, stride, kernel, take);
}

/** Return whether all levels are 0 or 1; 32 of them then fit into a word. */
function isMask(data) {
  for (let place = 0; place < data.length; place++) if (data[place] > 1) return false;
  return true;
}

/**
 * Return the greatest level in the rectangle that begins at each pixel.
 *
 * The greatest of two, four, eight … neighbours are found in turn. Rows may run into each other:
 * that changes only what lies in the border.
 */
function greatestInRectangle(padded, stride, kernel, take) {
  for (const [length, step] of [
    [kernel.width, 1],
    [kernel.height, stride],
  ]) {
    let reach = 1;
    while (2 * reach <= length) {
      take(padded, padded, reach * step);
      reach *= 2;
    }
    if (reach < length) take(padded, padded, (length - reach) * step);
  }
  return padded;
}

/** Return the greatest level in the runs of a kernel that begins at each pixel. */
function greatestInRuns(padded, stride, kernel, take) {
  const longest = Math.max(...kernel.runs.map(({ length }) => length));
  const tables = new Map([[1, padded]]);
  for (let reach = 1; 2 * reach <= longest; reach *= 2) {
    const next = tables.get(reach).slice();
    take(next, next, reach);
    tables.set(2 * reach, next);
  }
  const greatest = padded.map(() => 0);
  for (const { row, start, length } of kernel.runs) {
    const reach = 2 ** Math.floor(Math.log2(length));
    const place = row * stride + start;
    take(greatest, tables.get(reach), place);
    if (reach < length) take(greatest, tables.get(reach), place + length - reach);
  }
  return greatest;
}

/** Replace each level by the greater of it and another, some places later in other levels. */
function takeGreater(levels, others, step) {
  const stop = levels.length - step;
  for (let place = 0; place < stop; place++) {
    const other = others[place + step];
    if (other > levels[place]) levels[place] = other;
  }
}

/** The same for levels of 0 and 1, which are the bits of words. */
function takeAny(words, others, step) {
  const [skip, shift] = [step >> 5, step & 31];
  const stop = words.length - skip - 1;
  for (let place = 0; place < stop; place++) {
    let other = others[place + skip];
    if (shift) other = (other >>> shift) | (others[place + skip + 1] << (32 - shift));
    words[place] |= other;
  }
}

/**
 * Otsu's threshold of some levels, as `cv2.threshold(…, cv2.THRESH_OTSU)` returns it.
 *
 * @param {ArrayLike<number>} counts - How many of them have each level; see `histogram`.
 */
export function otsu(counts) {
  let all = 0;
  for (let level = 0; level < 256; level++) all += counts[level];
  const scale = 1 / all;
  let total = 0;
  for (let level = 0; level < 256; level++) total += level * counts[level];
  total *= scale;
  let [below, share, most, best] = [0, 0, 0, 0];
  for (let level = 0; level < 256; level++) {
    const here = counts[level] * scale;
    below *= share;
    share += here;
    const rest = 1 - share;
    if (Math.min(share, rest) < SMALLEST_SHARE || Math.max(share, rest) > 1 - SMALLEST_SHARE) {
      continue;
    }
    below = (below + level * here) / share;
    const beyond = (total - share * below) / rest;
    const between = share * rest * (below - beyond) * (below - beyond);
    if (between > most) [most, best] = [between, level];
  }
  return best;
}

const SMALLEST_SHARE = 2 ** -23;

/**
 * Return how many pixels have each level, 256 numbers; only those whose mask is not 0, if given.
 *
 * @param {{data: Uint8Array}} levels
 * @param {Levels | null} mask
 */
export function histogram(levels, mask = null) {
  const counts = new Int32Array(256);
  for (let place = 0; place < levels.data.length; place++) {
    if (mask === null || mask.data[place] > 0) counts[levels.data[place]]++;
  }
  return counts;
}

/** Return quantiles of levels without interpolation, from how many have each level. */
export function quantilesOf(counts, ...shares) {
  let all = 0;
  for (let level = 0; level < 256; level++) all += counts[level];
  return shares.map((share) => {
    let left = Math.trunc(share * (all - 1));
    let level = 0;
    while (left >= counts[level]) left -= counts[level++];
    return level;
  });
}

/** `cv2.medianBlur`: the median of a square of an odd side; the border is replicated. */
export function medianBlur(levels, side) {
  return medianWithin(copyMakeBorder(levels, side >> 1, "replicate"), side);
}

/** The median of each square of an odd side that lies within an image. */
export function medianWithin(padded, side) {
  const result = image(padded.height - side + 1, padded.width - side + 1);
  const rank = (side * side) >> 1;
  const counts = new Int32Array(256);
  for (let row = 0; row < result.height; row++) {
    // `below` of the pixels in the window are less than `median`.
    let [median, below] = [0, 0];
    counts.fill(0);
    for (let down = 0; down < side; down++) {
      const from = (row + down) * padded.width;
      for (let column = 0; column < side; column++) counts[padded.data[from + column]]++;
    }
    for (let column = 0; ; column++) {
      while (below > rank) below -= counts[--median];
      while (below + counts[median] <= rank) below += counts[median++];
      result.data[row * result.width + column] = median;
      if (column + 1 === result.width) break;
      for (let down = 0; down < side; down++) {
        const place = (row + down) * padded.width + column;
        const [gone, come] = [padded.data[place], padded.data[place + side]];
        counts[gone]--;
        counts[come]++;
        below += (come < median) - (gone < median);
      }
    }
  }
  return result;
}

/** `cv2.GaussianBlur(levels, (0, 0), sigma)`, which computes in fixed-point numbers. */
export function gaussianBlur(levels, sigma) {
  const weights = gaussianWeights(sigma);
  const reach = weights.length >> 1;
  const { height, width } = levels;
  const padded = copyMakeBorder(levels, reach, "reflect101");
  const [stride, data] = [padded.width, padded.data];
  const result = image(height, width);
  const down = new Int32Array(stride);
  for (let row = 0; row < height; row++) {
    // Sums of whole numbers are exact, in whatever order.
    down.fill(0);
    for (let k = 0; k < weights.length; k++) {
      const weight = weights[k];
      const from = (row + k) * stride;
      for (let column = 0; column < stride; column++) down[column] += weight * data[from + column];
    }
    for (let column = 0; column < width; column++) {
      let sum = 32768;
      for (let k = 0; k < weights.length; k++) sum += weights[k] * down[column + k];
      result.data[row * width + column] = Math.min(255, sum >> 16);
    }
  }
  return result;
}

/** Return the weights of a Gaussian blur, whose sum is 256; what rounding loses goes on. */
function gaussianWeights(sigma) {
  const length = rint(sigma * 6 + 1) | 1;
  const middle = length >> 1;
  const exact = Array.from({ length }, (_, k) => Math.exp((-0.5 / sigma ** 2) * (k - middle) ** 2));
  const total = exact.reduce((sum, weight) => sum + weight);
  const weights = new Int32Array(length);
  let [lost, sum] = [0, 0];
  for (let k = 0; k < middle; k++) {
    const wanted = (exact[k] / total) * 256 + lost;
    weights[k] = weights[length - 1 - k] = rint(wanted);
    lost = wanted - weights[k];
    sum += 2 * weights[k];
  }
  weights[middle] = 256 - sum;
  return weights;
}

/**
 * `cv2.blur` of channels of numbers, with a square and a replicated border.
 *
 * @param {Float32Array} data - Channels of each pixel in turn.
 */
export function boxBlur(data, height, width, channels, side) {
  const before = side >> 1;
  const sumsOf = (values, count, length, step, stride) => {
    const result = new Float64Array(values.length);
    for (let line = 0; line < count; line++) {
      const at = (place) => values[stride(line) + Math.min(Math.max(place, 0), length - 1) * step];
      let sum = 0;
      for (let place = -before; place < side - before; place++) sum += at(place);
      for (let place = 0; place < length; place++) {
        result[stride(line) + place * step] = sum;
        sum += at(place + side - before) - at(place - before);
      }
    }
    return result;
  };
  const [row, pixel] = [width * channels, channels];
  const across = sumsOf(data, height * channels, width, pixel, (line) => {
    return Math.floor(line / channels) * row + (line % channels);
  });
  const down = sumsOf(across, row, height, row, (line) => line);
  return Float32Array.from(down, (sum) => sum / (side * side));
}

/**
 * `cv2.resize`.
 *
 * @param {Levels} levels
 * @param {number} height
 * @param {number} width
 * @param {"area" | "linear" | "cubic"} kind - "area" reduces, "linear" and "cubic" enlarge.
 * @returns {Levels}
 */
export function resize(levels, height, width, kind) {
  if (height === levels.height && width === levels.width) {
    return image(height, width, levels.data.slice());
  }
  if (kind === "area") return resizeArea(levels, height, width);
  return resizeByWeights(levels, height, width, kind);
}

function resizeArea(levels, height, width) {
  const [down, across] = [levels.height / height, levels.width / width];
  if (Number.isInteger(down) && Number.isInteger(across)) {
    return reduceByWholes(levels, height, width, down, across);
  }
  const rows = areaShares(levels.height, height, down);
  const columns = areaShares(levels.width, width, across);
  const result = image(height, width);
  const [sums, line] = [new Float32Array(width), new Float32Array(width)];
  let current = 0;
  const finish = () => {
    for (let column = 0; column < width; column++) {
      result.data[current * width + column] = saturate(sums[column]);
    }
  };
  for (const row of rows) {
    line.fill(0);
    for (const { to, from, share } of columns) {
      line[to] += Math.fround(levels.data[row.from * levels.width + from] * share);
    }
    if (row.to !== current) {
      finish();
      current = row.to;
      sums.fill(0);
    }
    for (let column = 0; column < width; column++) {
      sums[column] += Math.fround(row.share * line[column]);
    }
  }
  finish();
  return result;
}

function reduceByWholes(levels, height, width, down, across) {
  const result = image(height, width);
  const scale = Math.fround(1 / (down * across));
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      let sum = 0;
      for (let dy = 0; dy < down; dy++) {
        const from = (row * down + dy) * levels.width + column * across;
        for (let dx = 0; dx < across; dx++) sum += levels.data[from + dx];
      }
      const level =
        down === 2 && across === 2 ? (sum + 2) >> 2 : saturate(Math.fround(sum * scale));
      result.data[row * width + column] = level;
    }
  }
  return result;
}

/** Return which share of each new pixel is made of which old one. */
function areaShares(before, after, scale) {
  const shares = [];
  for (let to = 0; to < after; to++) {
    const [start, stop] = [to * scale, (to + 1) * scale];
    const width = Math.min(scale, before - start);
    const first = Math.ceil(start);
    const last = Math.min(Math.floor(stop), before - 1);
    const whole = Math.min(first, last);
    if (whole - start > 1e-3) {
      shares.push({ to, from: whole - 1, share: Math.fround((whole - start) / width) });
    }
    for (let from = whole; from < last; from++) {
      shares.push({ to, from, share: Math.fround(1 / width) });
    }
    if (stop - last > 1e-3) {
      const share = Math.min(Math.min(stop - last, 1), width) / width;
      shares.push({ to, from: last, share: Math.fround(share) });
    }
  }
  return shares;
}

/** Enlarge: linearly with weights of 11 bits, cubically with exact ones, as OpenCV does. */
function resizeByWeights(levels, height, width, kind) {
  const linear = kind === "linear";
  const taps = linear ? 2 : 4;
  const weightsOf = linear ? linearWeights : cubicWeights;
  const rows = placesAndWeights(levels.height, height, weightsOf, taps);
  const columns = placesAndWeights(levels.width, width, weightsOf, taps);
  const size = levels.height * width;
  const across = linear ? new Int32Array(size) : new Float64Array(size);
  for (let row = 0; row < levels.height; row++) {
    for (let column = 0; column < width; column++) {
      let sum = 0;
      for (let k = column * taps; k < (column + 1) * taps; k++) {
        sum += levels.data[row * levels.width + columns.places[k]] * columns.weights[k];
      }
      // OpenCV drops as many bits here.
      across[row * width + column] = linear ? sum >> 4 : sum;
    }
  }
  const result = image(height, width);
  for (let row = 0; row < height; row++) {
    const [first, ...others] = range(row * taps, (row + 1) * taps).map((tap) => ({
      from: rows.places[tap] * width,
      weight: rows.weights[tap],
    }));
    for (let column = 0; column < width; column++) {
      let level = first.weight * across[first.from + column];
      if (linear) {
        const [second] = others;
        level = ((level >> 16) + ((second.weight * across[second.from + column]) >> 16) + 2) >> 2;
      } else {
        for (const { from, weight } of others) level += weight * across[from + column];
      }
      result.data[row * width + column] = saturate(level);
    }
  }
  return result;
}

const range = (start, stop) => Array.from({ length: stop - start }, (_, place) => start + place);

/** Return which old pixels each new one is made of, and their weights; both `taps` for each. */
function placesAndWeights(before, after, weightsOf, taps) {
  const places = new Int32Array(after * taps);
  const weights = new Float64Array(after * taps);
  for (let to = 0; to < after; to++) {
    const exact = Math.fround((to + 0.5) * (before / after) - 0.5);
    const first = Math.floor(exact);
    const shares = weightsOf(Math.fround(exact - first));
    for (let tap = 0; tap < taps; tap++) {
      const place = first + tap - (taps / 2 - 1);
      places[to * taps + tap] = Math.min(Math.max(place, 0), before - 1);
      weights[to * taps + tap] = shares[tap];
    }
  }
  return { places, weights };
}

const linearWeights = (rest) => [rint(Math.fround(1 - rest) * 2048), rint(rest * 2048)];

function cubicWeights(rest) {
  const A = -0.75;
  const f = Math.fround;
  const outer = f(f(f(f(f(A * f(rest + 1)) - f(5 * A)) * f(rest + 1)) + f(8 * A)) * f(rest + 1));
  const inner = (x) => f(f(f(f(f((A + 2) * x) - f(A + 3)) * x) * x) + 1);
  const weights = [f(outer - f(4 * A)), inner(rest), inner(f(1 - rest))];
  return [...weights, f(f(f(1 - weights[0]) - weights[1]) - weights[2])];
}

/**
 * `cv2.connectedComponentsWithStats` with 8-connectivity.
 *
 * @param {Levels} mask
 * @returns {{count: number, labels: Int32Array, left: Int32Array, top: Int32Array,
 *   right: Int32Array, bottom: Int32Array, area: Int32Array, centres: Float64Array}} The first
 *   component is the background, whose box is the whole image; `right` and `bottom` are exclusive,
 *   `centres` are x and y in turn. Components are numbered by the first of the blocks of 2×2 pixels
 *   that they are in, as OpenCV's algorithms on blocks do.
 */
export function connectedComponents(mask) {
  const { height, width, data } = mask;
  // Runs of ink in the rows, the run that each joins, and the place where each row's runs begin.
  /** @type {number[][]} */
  const [starts, stops, roots] = [[], [], []];
  const firsts = new Int32Array(height + 1);
  const rootOf = (run) => {
    while (roots[run] !== run) run = roots[run] = roots[roots[run]];
    return run;
  };
  for (let row = 0; row < height; row++) {
    firsts[row] = starts.length;
    let above = row ? firsts[row - 1] : 0;
    const end = (row + 1) * width;
    for (let place = row * width; place < end; place++) {
      if (data[place] === 0) continue;
      const start = place - row * width;
      while (place < end && data[place] !== 0) place++;
      const stop = place - row * width;
      const run = starts.length;
      starts.push(start);
      stops.push(stop);
      roots.push(run);
      while (above < firsts[row] && stops[above] < start) above++;
      for (let other = above; other < firsts[row] && starts[other] <= stop; other++) {
        const [one, two] = [rootOf(run), rootOf(other)];
        roots[Math.max(one, two)] = Math.min(one, two);
      }
    }
  }
  firsts[height] = starts.length;
  const numbers = new Int32Array(starts.length);
  let count = 1;
  for (let row = 0; row < height; row += 2) {
    // Two rows of runs, by the block in which each begins.
    const middle = firsts[row + 1];
    const last = firsts[Math.min(row + 2, height)];
    let [one, two] = [firsts[row], middle];
    while (one < middle || two < last) {
      const upper = two >= last || (one < middle && starts[one] >> 1 <= starts[two] >> 1);
      const root = rootOf(upper ? one++ : two++);
      if (numbers[root] === 0) numbers[root] = count++;
    }
  }
  const found = {
    count,
    labels: new Int32Array(height * width),
    left: new Int32Array(count).fill(width),
    top: new Int32Array(count).fill(height),
    right: new Int32Array(count),
    bottom: new Int32Array(count),
    area: new Int32Array(count),
    centres: new Float64Array(2 * count),
  };
  const { labels, left, top, right, bottom, area, centres } = found;
  for (let row = 0; row < height; row++) {
    for (let run = firsts[row]; run < firsts[row + 1]; run++) {
      const number = numbers[rootOf(run)];
      const [start, stop] = [starts[run], stops[run]];
      labels.fill(number, row * width + start, row * width + stop);
      left[number] = Math.min(left[number], start);
      top[number] = Math.min(top[number], row);
      right[number] = Math.max(right[number], stop);
      bottom[number] = row + 1;
      area[number] += stop - start;
      centres[2 * number] += ((stop - start) * (start + stop - 1)) / 2;
      centres[2 * number + 1] += (stop - start) * row;
    }
  }
  for (let number = 1; number < count; number++) {
    centres[2 * number] /= area[number];
    centres[2 * number + 1] /= area[number];
  }
  [left[0], top[0], right[0], bottom[0]] = [0, 0, width, height];
  area[0] = height * width - area.subarray(1).reduce((sum, one) => sum + one, 0);
  [centres[0], centres[1]] = [(width - 1) / 2, (height - 1) / 2];
  return found;
}

/**
 * `cv2.distanceTransform(mask, cv2.DIST_L2, 5)`: the distance of each pixel from the nearest 0.
 *
 * @param {Levels} mask
 * @returns {Float32Array}
 */
export function distanceTransform(mask) {
  const { height, width, data } = mask;
  const stride = width + 4;
  const distances = new Uint32Array(stride * (height + 4)).fill(FARTHEST);
  // The steps of a knight, a bishop and a rook that were taken before, in the order of the rows.
  // prettier-ignore
  const steps = [
    [-2 * stride - 1, LONG], [-2 * stride + 1, LONG], [-stride - 2, LONG], [-stride - 1, DIAGONAL],
    [-stride, STRAIGHT], [-stride + 1, DIAGONAL], [-stride + 2, LONG], [-1, STRAIGHT],
  ];
  const offsets = Int32Array.from(steps, ([offset]) => offset);
  const lengths = Uint32Array.from(steps, ([, length]) => length);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const place = (row + 2) * stride + column + 2;
      let least = 0;
      if (data[row * width + column] !== 0) {
        least = FARTHEST;
        for (let k = 0; k < 8; k++) {
          least = Math.min(least, distances[place + offsets[k]] + lengths[k]);
        }
      }
      distances[place] = least;
    }
  }
  const result = new Float32Array(height * width);
  for (let row = height - 1; row >= 0; row--) {
    for (let column = width - 1; column >= 0; column--) {
      const place = (row + 2) * stride + column + 2;
      let least = distances[place];
      if (least > STRAIGHT) {
        for (let k = 0; k < 8; k++) {
          least = Math.min(least, distances[place - offsets[k]] + lengths[k]);
        }
        distances[place] = least;
      }
      result[row * width + column] = least / 65536;
    }
  }
  return result;
}

const STRAIGHT = 65536;
const DIAGONAL = rint(Math.fround(1.4) * 65536);
const LONG = rint(Math.fround(2.1969) * 65536);
const FARTHEST = 0x7fffffff;

/** Fill the holes of a mask's components, as its outer outlines, drawn filled, do. */
export function fillHoles(mask) {
  const padded = copyMakeBorder(mask, 1);
  const { height, width, data } = padded;
  const outside = 2;
  const pending = [0];
  data[0] = outside;
  for (let place = pending.pop(); place !== undefined; place = pending.pop()) {
    const [row, column] = [Math.floor(place / width), place % width];
    const visit = (next) => {
      if (data[next] === 0) {
        data[next] = outside;
        pending.push(next);
      }
    };
    if (row > 0) visit(place - width);
    if (row < height - 1) visit(place + width);
    if (column > 0) visit(place - 1);
    if (column < width - 1) visit(place + 1);
  }
  return mapLevels(crop(padded, 1, 1, height - 1, width - 1), (level) =>
    level === outside ? 0 : 1,
  );
}

/** Return how many pixels `cv2.fillConvexPoly` fills in the convex hull of a mask's pixels. */
export function hullArea(mask) {
  const hull = convexHull(mask);
  const filled = image(mask.height, mask.width);
  hull.forEach((point, place) => drawLine(filled, hull.at(place - 1), point));
  if (hull.length > 2) fillConvex(filled, hull);
  return filled.data.reduce((sum, level) => sum + level, 0);
}

/** Return the corners, x and y, of the convex hull of a mask's pixels. */
function convexHull(mask) {
  const points = [];
  for (let row = 0; row < mask.height; row++) {
    const line = mask.data.subarray(row * mask.width, (row + 1) * mask.width);
    const first = line.findIndex((level) => level > 0);
    if (first < 0) continue;
    let last = mask.width - 1;
    while (line[last] === 0) last--;
    points.push([first, row]);
    if (last > first) points.push([last, row]);
  }
  const half = (ordered) => {
    const chain = [];
    for (const point of ordered) {
      while (chain.length > 1 && turn(chain.at(-2), chain.at(-1), point) <= 0) chain.pop();
      chain.push(point);
    }
    return chain.slice(0, -1);
  };
  if (points.length === 1) return points;
  return [...half(points), ...half(points.reverse())];
}

const turn = ([ax, ay], [bx, by], [cx, cy]) => (by - ay) * (cx - ax) - (bx - ax) * (cy - ay);

/** Draw a line of 1, as OpenCV's `LineIterator` goes. */
function drawLine(mask, [x0, y0], [x1, y1]) {
  let [x, y, dx, dy] = x1 < x0 ? [x1, y1, x0 - x1, y0 - y1] : [x0, y0, x1 - x0, y1 - y0];
  const down = dy < 0 ? -1 : 1;
  dy = Math.abs(dy);
  const steep = dy > dx;
  const [long, short] = steep ? [dy, dx] : [dx, dy];
  let rest = long - 2 * short;
  for (let step = 0; step <= long; step++) {
    mask.data[y * mask.width + x] = 1;
    const aside = rest < 0;
    rest += (aside ? 2 * long : 0) - 2 * short;
    if (steep || aside) y += down;
    if (!steep || aside) x += 1;
  }
}

/** Fill a convex polygon with 1, row by row, with places of 16 bits below the point. */
function fillConvex(mask, corners) {
  const ONE = 65536;
  const count = corners.length;
  const bottom = Math.max(...corners.map(([, y]) => y));
  const top = Math.min(...corners.map(([, y]) => y));
  const start = corners.findIndex(([, y]) => y === top);
  const sides = [1, count - 1].map((step) => ({ step, at: start, until: top, x: -ONE, slope: 0 }));
  let left = count;
  for (let y = top; y <= bottom; y++) {
    for (const side of sides) {
      if (y < side.until) continue;
      let [before, at] = [side.at, (side.at + side.step) % count];
      while (left-- > 0) {
        const until = corners[at][1];
        if (until > y) {
          const [from, to] = [corners[before][0] * ONE, corners[at][0] * ONE];
          const slope = Math.trunc(((to - from) * 2 + (until - y)) / (2 * (until - y)));
          Object.assign(side, { until, slope, x: from, at });
          break;
        }
        [before, at] = [at, (at + side.step) % count];
      }
    }
    const [first, last] = [sides[0].x, sides[1].x].sort((a, b) => a - b);
    const [from, to] = [(first + ONE / 2) / ONE, (last + ONE / 2) / ONE].map(Math.floor);
    const line = y * mask.width;
    mask.data.fill(1, line + Math.max(from, 0), line + Math.min(to, mask.width - 1) + 1);
    for (const side of sides) side.x += side.slope;
  }
}

/**
 * `cv2.transform` of pixels of three channels to one.
 *
 * @param {{height: number, width: number, data: Uint8Array}} pixels - Red, green and blue in turn.
 * @param {number[]} weights - Of the channels; the last is added.
 * @returns {Levels}
 */
export function weigh(pixels, weights) {
  const f = Math.fround;
  const [red, green, blue, constant] = weights.map(f);
  const result = image(pixels.height, pixels.width);
  const { data } = pixels;
  for (let place = 0, from = 0; place < result.data.length; place++, from += 3) {
    // A product and a sum are rounded once, as processors do.
    const some = f(red * data[from] + f(green * data[from + 1]));
    result.data[place] = saturate(f(f(blue * data[from + 2] + some) + constant));
  }
  return result;
}

/**
 * `cv2.warpAffine` with linear interpolation and a black border.
 *
 * @param {Levels} levels
 * @param {number[][]} forward - The map from places in `levels` to places in the result, 2×3.
 * @param {number} height - Of the result.
 * @param {number} width - Of the result.
 * @returns {Levels}
 */
export function warpAffine(levels, forward, height, width) {
  const f = Math.fround;
  const [[a, b, c], [d, e, g]] = invertAffineTransform(forward).map((row) => row.map(f));
  const result = image(height, width);
  const at = (row, column) =>
    row < 0 || column < 0 || row >= levels.height || column >= levels.width
      ? 0
      : levels.data[row * levels.width + column];
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const x = f(a * column + f(f(b * row) + c));
      const y = f(d * column + f(f(e * row) + g));
      const [left, top] = [Math.floor(x), Math.floor(y)];
      const [across, down] = [f(x - left), f(y - top)];
      const upper = between(at(top, left), at(top, left + 1), across);
      const lower = between(at(top + 1, left), at(top + 1, left + 1), across);
      result.data[row * width + column] = saturate(between(upper, lower, down));
    }
  }
  return result;
}

const between = (one, other, share) => Math.fround(share * Math.fround(other - one) + one);

/**
 * `cv2.invertAffineTransform`.
 *
 * @param {number[][]} forward
 * @returns {number[][]}
 */
export function invertAffineTransform([[a, b, c], [d, e, f]]) {
  const determinant = a * e - b * d;
  const scale = determinant === 0 ? 0 : 1 / determinant;
  const [w, x, y, z] = [e * scale, -b * scale, -d * scale, a * scale];
  return [
    [w, x, -w * c - x * f],
    [y, z, -y * c - z * f],
  ];
}

/**
 * Pillow's `Image.reduce`: the mean of squares; those at the right and the bottom may be smaller.
 *
 * @param {Uint8Array | Uint8ClampedArray} data - Channels of each pixel in turn.
 * @returns {{height: number, width: number, data: Uint8Array}}
 */
export function reduce(data, height, width, channels, factor) {
  const [rows, columns] = [Math.ceil(height / factor), Math.ceil(width / factor)];
  const result = new Uint8Array(rows * columns * channels);
  const sums = new Uint32Array(columns * channels);
  for (let row = 0; row < rows; row++) {
    sums.fill(0);
    const bottom = Math.min((row + 1) * factor, height);
    for (let y = row * factor; y < bottom; y++) {
      let place = y * width * channels;
      for (let column = 0; column < columns; column++) {
        const right = Math.min((column + 1) * factor, width);
        for (let x = column * factor; x < right; x++) {
          for (let channel = 0; channel < channels; channel++) {
            sums[column * channels + channel] += data[place++];
          }
        }
      }
    }
    for (let column = 0; column < columns; column++) {
      const right = Math.min((column + 1) * factor, width);
      const count = (bottom - row * factor) * (right - column * factor);
      const share = Math.floor(Math.fround(2 ** 24 / count));
      for (let channel = 0; channel < channels; channel++) {
        const sum = sums[column * channels + channel] + (count >> 1);
        result[(row * columns + column) * channels + channel] = Math.floor((sum * share) / 2 ** 24);
      }
    }
  }
  return { height: rows, width: columns, data: result };
}

/** Pillow's `Image.resize` with `BICUBIC`, which widens its kernel where the image shrinks. */
export function resizeBicubic(levels, height, width) {
  // Pillow scales the height first where that loses more than twice as many pixels; the levels are
  // rounded in between.
  const lost = levels.height - height;
  if (lost > 0 && lost > 2 * (levels.width - width)) {
    return resizeColumns(resizeRows(levels, height), width);
  }
  return resizeRows(resizeColumns(levels, width), height);
}

const resizeRows = (levels, height) => transpose(resizeColumns(transpose(levels), height));

function resizeColumns(levels, width) {
  if (width === levels.width) return levels;
  const columns = bicubicWeights(levels.width, width);
  const result = image(levels.height, width);
  for (let row = 0; row < levels.height; row++) {
    for (let column = 0; column < width; column++) {
      const { first, weights } = columns[column];
      let sum = 2 ** 21;
      for (let k = 0; k < weights.length; k++) {
        sum += weights[k] * levels.data[row * levels.width + first + k];
      }
      result.data[row * width + column] = clip(Math.floor(sum / 2 ** 22));
    }
  }
  return result;
}

const clip = (level) => (level < 0 ? 0 : level > 255 ? 255 : level);

/** Return the first old pixel that each new one is made of, and the weights of it and the next. */
function bicubicWeights(before, after) {
  const scale = before / after;
  const wide = Math.max(scale, 1);
  const reach = 2 * wide;
  return Array.from({ length: after }, (_, place) => {
    const centre = (place + 0.5) * scale;
    const first = Math.max(Math.trunc(centre - reach + 0.5), 0);
    const last = Math.min(Math.trunc(centre + reach + 0.5), before);
    const exact = Array.from({ length: last - first }, (_, k) =>
      bicubic((k + first - centre + 0.5) * (1 / wide)),
    );
    const total = exact.reduce((sum, weight) => sum + weight, 0);
    const weights = exact.map((weight) => {
      const scaled = weight * (1 / total) * 2 ** 22;
      return Math.trunc(scaled + (scaled < 0 ? -0.5 : 0.5));
    });
    return { first, weights };
  });
}

function bicubic(place) {
  const a = -0.5;
  const x = Math.abs(place);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}
