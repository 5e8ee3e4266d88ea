// The page: a sheet with a drawing or a picture, and the answer about it.

import { follow, paint, paintAll } from "./pen.js";
import { Trouble } from "./trouble.js";
import { fill, words } from "./words.js";

const CALM = 80; // least milliseconds between two requests while a line is being drawn
const SIDE = 168; // side in pixels of the picture of a drawing: more are slower and no more accurate
const NUMBER_SIDE = 400; // the same where a number is drawn, whose digits are smaller
const SHOWN = 1000; // longest side in pixels of the copy of an uploaded picture that is shown
const REMEMBERED = 60; // number of steps that can be undone

export const $ = (id) => document.getElementById(id);
const sheet = $("sheet");
const context = sheet.getContext("2d");

// The undo history: the sheet's content after each step, strokes or a picture. Steps are immutable.
const BLANK = { strokes: [], picture: null };
let steps = [BLANK];
let place = 0;
let stroke = null; // the stroke that is being drawn

let answers; // where answers come from: service.js or local.js
let more = {}; // what only one kind of page has, called when something happens; see `start`
let served = null; // the description of the model
let answer = null; // the last answer, and the picture that it is about
let asked = 0; // requests are numbered, because their responses may come in another order
let shown = 0;

const isBlank = ({ strokes, picture }) => !strokes.length && !picture;
const percent = (p) => (p > 0.9995 ? words.nearlyCertain : `${(100 * p).toFixed(1)}%`);
const digits = () => served.class_names.every((name) => /^\d$/.test(name));
const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

export const tell = (text) => {
  $("trouble").hidden = !text;
  if ($("trouble").textContent !== text) $("trouble").textContent = text;
};

// The sheet.

const ratio = () => (served ? served.image_size[0] / served.image_size[1] : 1);

const draw = () => {
  const box = sheet.getBoundingClientRect();
  const dense = window.devicePixelRatio || 1;
  const [width, height] = [box.width, box.height].map((side) => Math.round(side * dense));
  if (sheet.width !== width || sheet.height !== height) {
    sheet.width = width;
    sheet.height = height;
  }
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, width, height);
  const { strokes, picture } = steps[place];
  if (picture?.shown && !stroke) drawPicture(picture, width, height);
  const colour = getComputedStyle(sheet).color;
  paintAll(context, stroke ? (picture ? [stroke] : [...strokes, stroke]) : strokes, width, colour);
  $("file-name").hidden = !picture || stroke !== null;
  $("file-name").textContent = picture?.name ?? "";
  $("hint").classList.toggle("gone", stroke !== null || !isBlank(steps[place]));
};

const drawPicture = (picture, width, height) => {
  const scale = Math.min(width / picture.shown.width, height / picture.shown.height);
  const [w, h] = [picture.shown.width * scale, picture.shown.height * scale];
  const [left, top] = [(width - w) / 2, (height - h) / 2];
  context.imageSmoothingEnabled = scale < 3;
  context.drawImage(picture.shown, left, top, w, h);
  if (answer?.about !== steps[place] || !answer.said.box) return;
  context.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue("--accent");
  context.lineWidth = Math.max(2, width / 200);
  const rim = width / 80;
  // Bounding boxes. They are scaled, because the answer may be about a smaller copy.
  const sent = (scale * picture.shown.width) / picture.width;
  const signs = (answer.said.numbers ?? []).flatMap((number) => number.digits.map(({ box }) => box));
  const parts = signs.length ? signs : answer.said.parts;
  const boxes = parts.length ? parts : [answer.said.box];
  for (const [y0, x0, y1, x1] of boxes.map((box) => box.map((v) => v * sent))) {
    context.strokeRect(left + x0 - rim, top + y0 - rim, x1 - x0 + 2 * rim, y1 - y0 + 2 * rim);
  }
};

const update = () => {
  draw();
  $("undo").disabled = place === 0;
  $("redo").disabled = place === steps.length - 1;
  $("clear").disabled = isBlank(steps[place]);
};

const step = (next) => {
  steps = [...steps.slice(Math.max(0, place + 2 - REMEMBERED), place + 1), next];
  place = steps.length - 1;
  update();
  question(true);
};

const go = (by) => {
  if (stroke || !steps[place + by]) return;
  place += by;
  update();
  question(true);
};

// Return what is asked about: the uploaded file itself, or a picture of the strokes.
const pictured = ({ strokes, picture }, side = SIDE) => {
  if (picture) return picture.file;
  const canvas = document.createElement("canvas");
  const [height, width] = served.image_size;
  const asIs = height !== 28 || width !== 28; // then there is no preprocessing
  [canvas.width, canvas.height] = asIs ? [width, height] : [side, side];
  const sent = canvas.getContext("2d", { willReadFrequently: true });
  sent.fillStyle = asIs ? "#000" : "#fff";
  sent.fillRect(0, 0, canvas.width, canvas.height);
  paintAll(sent, strokes, canvas.width, asIs ? "#fff" : "#000");
  return canvas;
};

// Questions and answers.

let asking = 0;
let askedAt = 0;
let later = null; // a timer

const question = async (final) => {
  if (!served) return;
  if (!final && (asking || performance.now() - askedAt < CALM)) {
    // The pen may rest where it is now, and no further move would ask about its last ones.
    later ??= setTimeout(() => {
      later = null;
      if (stroke) question(false);
    }, CALM);
    return;
  }
  const about = steps[place];
  const strokes = stroke ? (about.picture ? [stroke] : [...about.strokes, stroke]) : about.strokes;
  const now = stroke ? { strokes, picture: null } : about;
  asked += 1;
  const number = asked;
  if (isBlank(now)) {
    shown = number;
    tell("");
    showNothing();
    return;
  }
  const source = pictured(now);
  askedAt = performance.now();
  asking += 1;
  try {
    const { model, pictures } = await answers.classify(source, $("hand").value);
    // A blank cover shall not hide the other pages.
    const page = Math.max(0, pictures.findIndex(({ box }) => box));
    const said = pictures[page];
    if (said.verdict === "several" && digits()) {
      if (number < asked) return; // the next answer shall not wait until this one is read
      const numbers = await answers.read(pictured(now, NUMBER_SIDE), page);
      said.numbers = numbers.filter(({ text }) => text);
    }
    if (number < shown) return;
    shown = number;
    if (model.version !== served.model.version) meet();
    const labels = pictures.map(({ label }) => label ?? "–").join(", ");
    const all = { count: pictures.length, labels, page: page + 1 };
    const note = pictures.length > 1 ? fill(words.pages, all) : "";
    tell(said.error ? sentence(said.error.detail) : note);
    answer = { said, about, source, page, number, why: null };
    show(performance.now() - askedAt);
    if (final) settle();
  } catch (error) {
    if (number > shown && final) {
      if (["refused", "broken"].includes(error.kind)) showNothing();
      failed(error, () => question(true));
    } else if (!(error instanceof Trouble)) throw error;
  } finally {
    asking -= 1;
  }
};

let waiting = null; // a promise that the service is reachable again, or less busy

const failed = (error, again) => {
  if (!(error instanceof Trouble)) throw error;
  tell(error.kind === "token" ? "" : error.message);
  if (error.kind === "token") more.askForToken();
  if (waiting || !["gone", "busy"].includes(error.kind)) return;
  const pause = new Promise((resolve) => {
    setTimeout(resolve, 1000 * error.seconds);
  });
  waiting = (error.kind === "gone" ? answers.untilThere() : pause).then(() => {
    waiting = null;
    if (error.kind === "gone") tell("");
    again();
  });
};

// Announce a final answer to screen readers, and ask for its explanation.
const settle = () => {
  const { said } = answer;
  if (answer.about.picture) draw();
  $("said").textContent = said.error
    ? ""
    : `${$("label").textContent.replace("?", "")} ${$("verdict").textContent}`;
  more.settled?.(answer);
  if (said.image && ($("looked").checked || served.has_neighbours)) explain();
};

const explain = async () => {
  const mine = answer;
  try {
    const why = await answers.explain(mine.source, $("hand").value, mine.page);
    if (answer !== mine) return;
    answer.why = why;
    showMap();
    more.explained?.(why);
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    if (answer === mine) $("looked-note").textContent = error.message;
  }
};

const showNothing = () => {
  answer = null;
  $("answer").dataset.verdict = "";
  $("label").textContent = "";
  $("label").className = "idle";
  $("verdict").textContent = words.waiting;
  $("said").textContent = "";
  more.shown?.(null);
  showChances({});
  showSeen();
};

const show = (milliseconds) => {
  const { said } = answer;
  const verdict = said.error ? "" : said.verdict;
  const none = digits() ? words.notADigit : words.noneOfThem;
  const label = $("label");
  const numbers = said.numbers ?? [];
  const text = numbers.length
    ? numbers.map((number) => number.text + (number.verdict === "unsure" ? "?" : "")).join(" ")
    : said.label === null || !verdict
      ? ""
      : said.label + (verdict === "unsure" ? "?" : "");
  if (label.textContent !== text) {
    label.textContent = text;
    label.className = "";
    void label.offsetWidth; // forces a layout, without which the animation would not start again
    const size = text.length > 8 || (text.length > 2 && !numbers.length) ? "long" : "number";
    label.className = [text ? "new" : "idle", text.length > 2 ? size : ""].join(" ");
  }
  $("answer").dataset.verdict = verdict;
  const line = $("verdict");
  line.textContent = "";
  const strong = document.createElement("b");
  if (verdict === "unsure") {
    const [[, first], [other, second]] = [said.top[0], said.top[1] ?? [null, 0]];
    const chance = fill(words.withChance, { chance: percent(first) });
    const values = { other, chance: percent(second) };
    strong.textContent = words.unsure;
    line.append(strong, chance, other === null ? "" : fill(words.orOtherWithChance, values));
  } else if (verdict === "digit") {
    strong.textContent = digits() ? words.digit : words.recognised;
    line.append(strong, fill(words.withChance, { chance: percent(said.probability) }));
  } else if (numbers.length) {
    tellNumbers(line, strong, numbers);
  } else if (verdict === "several") {
    strong.textContent = words.several;
    line.append(strong, digits() ? words.noNumber : words.oneAtATime);
  } else if (verdict) {
    strong.textContent = none;
    line.append(strong, said.image ? "" : words.noInk);
  } else {
    line.append(words.noAnswer);
  }
  showChances(said.probabilities ?? {}, said.top?.[0]?.[0]);
  showSeen();
  const values = { version: served.model.version, milliseconds: Math.round(milliseconds) };
  $("about").textContent = fill(words.answered, values);
  more.shown?.(answer);
};

// Tell how sure numbers are, and of one that is unsure, where, and what it may be instead.
const tellNumbers = (line, strong, numbers) => {
  const least = percent(Math.min(...numbers.map(({ probability }) => probability)));
  const chance = fill(words.withChance, { chance: least });
  const count = numbers.length;
  const [first] = numbers;
  if (numbers.every(({ verdict }) => verdict === "number")) {
    strong.textContent = count > 1 ? fill(words.numbers, { count }) : words.number;
    line.append(strong, chance);
    return;
  }
  strong.textContent = words.unsure;
  const places = first.digits.flatMap(({ verdict }, i) => (verdict === "unsure" ? [i + 1] : []));
  if (count === 1 && places.length) {
    line.append(strong, fill(words.atPlaces, { places: places.join(", ") }), chance);
  } else line.append(strong, chance);
  if (count === 1 && first.others.length) {
    line.append(fill(words.orOther, { other: first.others[0][0] }));
  }
};

const showChances = (probabilities, best) => {
  for (const row of $("chances").tBodies[0].rows) {
    const p = probabilities[row.dataset.name];
    row.className = best !== undefined && row.dataset.name === best ? "best" : "";
    row.querySelector("i").style.transform = `translateX(${100 * (p ?? 0) - 101}%)`;
    row.cells[2].textContent = p === undefined ? words.noChance : percent(p);
  }
};

// Draw one of the network's images, and over it the evidence: blue for the class, orange against.
export const pixels = (canvas, image, evidence) => {
  const [height, width] = [image.length, image[0].length];
  [canvas.width, canvas.height] = [width, height];
  const drawn = new ImageData(width, height);
  const most = Math.max(0.5, ...(evidence ?? []).flat().map(Math.abs));
  image.flat().forEach((level, i) => {
    const value = evidence ? evidence[Math.floor(i / width)][i % width] / most : 0;
    const share = 0.75 * Math.abs(value);
    const over = value > 0 ? [75, 165, 255] : [255, 130, 40]; // as on the other pages
    over.forEach((v, channel) => {
      drawn.data[4 * i + channel] = (1 - share) * level + share * v;
    });
    drawn.data[4 * i + 3] = 255;
  });
  canvas.getContext("2d").putImageData(drawn, 0, 0);
};

const showSeen = () => {
  const seen = $("seen");
  const image = answer?.said.image;
  if (image) pixels(seen, image);
  else seen.getContext("2d").clearRect(0, 0, seen.width, seen.height);
  const { width, height } = seen;
  seen.setAttribute("aria-label", image ? fill(words.seen, { width, height }) : words.seenNothing);
  showMap();
};

const showMap = () => {
  const image = answer?.said.image;
  const why = answer?.why;
  const note = $("looked-note");
  $("map").hidden = !$("looked").checked;
  $("looked-at").hidden = !image;
  if (image) pixels($("looked-at"), image, why?.evidence);
  const name = answer?.said.top?.[0]?.[0];
  if (!image) note.textContent = words.nothingToExplain;
  else if (!why) note.textContent = words.mapping;
  else if (!why.strongest) note.textContent = fill(words.noPart, { name });
  else note.textContent = fill(words.strongest, { place: why.strongest, name });
};

$("looked").addEventListener("change", () => {
  showMap();
  if ($("looked").checked && answer?.said.image && !answer.why) explain();
});

$("hand").addEventListener("change", () => question(true));

// The pen.

follow(sheet, {
  begin: (begun) => {
    stroke = begun;
    draw();
  },
  move: (grown, from) => {
    paint(context, grown, from);
    question(false);
  },
  end: (ended) => {
    const { strokes, picture } = steps[place];
    stroke = null;
    step({ strokes: [...(picture ? [] : strokes), ended], picture: null });
  },
});

$("undo").addEventListener("click", () => go(-1));
$("redo").addEventListener("click", () => go(1));
$("clear").addEventListener("click", () => step(BLANK));

document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.altKey || event.target.matches("input[type=text]")) return;
  const key = event.key.toLowerCase();
  if (key !== "z" && key !== "y") return;
  event.preventDefault();
  go(key === "y" || event.shiftKey ? 1 : -1);
});

new ResizeObserver(draw).observe(sheet);
for (const query of ["(prefers-color-scheme: dark)", "print"]) {
  matchMedia(query).addEventListener("change", draw); // the ink's colour changes
}

// Uploaded, pasted and dropped pictures.

const smaller = (image, side, colour) => {
  const scale = Math.min(1, side / Math.max(image.width, image.height));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.width, image.height].map((v) => Math.max(1, Math.round(v * scale)));
  const copy = canvas.getContext("2d");
  if (colour) {
    copy.fillStyle = colour;
    copy.fillRect(0, 0, canvas.width, canvas.height);
  }
  copy.drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas;
};

const take = async (file) => {
  const mostBytes = served?.most_bytes ?? Infinity;
  const mostPixels = served?.most_pixels ?? Infinity;
  let [sent, width, canvas] = [file, 0, null];
  try {
    const image = await createImageBitmap(file);
    width = image.width;
    canvas = smaller(image, SHOWN);
    if (file.size > mostBytes || image.width * image.height > mostPixels) {
      // Whoever answers would reduce it to 800 pixels a side anyway.
      const copy = smaller(image, 2000, "#fff");
      sent = await new Promise((resolve) => {
        copy.toBlob(resolve, "image/jpeg", 0.92);
      });
      width = copy.width;
    }
    image.close();
  } catch {
    // The service reads some formats that this browser cannot show, so whoever answers decides.
  }
  if (sent.size > mostBytes) {
    const most = Math.floor(mostBytes / 1e6);
    tell(fill(words.served.tooLarge, { name: file.name || words.served.thePicture, most }));
    return;
  }
  tell("");
  step({ strokes: [], picture: { file: sent, name: file.name ?? "", shown: canvas, width } });
};

for (const input of [$("upload"), $("camera")]) {
  input.addEventListener("change", () => {
    if (input.files.length) take(input.files[0]);
    input.value = ""; // so that the same file can be chosen again
  });
}

document.addEventListener("paste", (event) => {
  if (event.target.matches?.("input")) return;
  const file = [...event.clipboardData.files][0];
  if (file) take(file);
  else tell(words.noPicture);
});

const carriesFile = (event) => event.dataTransfer.types.includes("Files");

for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    if (!carriesFile(event)) return;
    event.preventDefault();
    const leaves = kind === "drop" || (kind === "dragleave" && event.relatedTarget === null);
    $("paper").classList.toggle("wanted", !leaves);
    if (kind === "drop" && event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
  });
}

// The model.

export const meet = async () => {
  try {
    served = await answers.meet();
  } catch (error) {
    if (error.kind === "broken") $("verdict").textContent = words.noAnswer;
    failed(error, meet);
    return;
  }
  tell("");
  $("hint-what").textContent = digits()
    ? words.draw
    : fill(words.drawOneOf, { names: served.class_names.join(", ") });
  $("about").textContent = fill(words.model, { version: served.model.version });
  $("hands").hidden = !["1", "7"].every((name) => served.class_names.includes(name));
  sheet.style.aspectRatio = 1 / ratio();
  $("chances").tBodies[0].replaceChildren(
    ...served.class_names.map((name) => {
      const row = document.createElement("tr");
      row.dataset.name = name;
      const head = document.createElement("th");
      head.scope = "row";
      head.append(document.createElement("span"));
      head.firstChild.textContent = name;
      const bar = document.createElement("td");
      bar.append(document.createElement("div"));
      bar.firstChild.append(document.createElement("i"));
      row.append(head, bar, document.createElement("td"));
      return row;
    }),
  );
  more.met?.(served);
  showNothing();
  question(true);
};

// Start the page. `where` answers: a module with `meet`, `classify`, `read`, `explain` and
// `untilThere`. Of the functions in `only`, each of which may be missing, `met` is called with the
// model's description, `shown` with each answer, or null, `settled` with each final one,
// `explained` with its explanation, and `askForToken` if one is needed.
export const start = (where, only = {}) => {
  const page = document.documentElement.dataset;
  if ("stopped" in page) return; // early.js has said why
  page.started = "";
  answers = where;
  more = only;
  meet();
};
