// The page of the service: answers by HTTP, and what only a service has: a token, corrections, and
// the training images that are most similar.

import { $, meet, pixels, start, tell } from "./canvas.js";
import * as service from "./service.js";
import { Trouble } from "./trouble.js";
import { fill, words } from "./words.js";

let keeps = false; // whether the service keeps corrections
let source = null; // the picture that the last final answer is about

const correct = async (name) => {
  try {
    await service.correct(source, name);
    $("kept-note").textContent = fill(words.served.kept, { name });
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    if (error.kind === "token") askForToken();
    $("kept-note").textContent = error.message;
  }
};

const askForToken = () => {
  const wrong = service.hasToken();
  if (wrong) service.setToken(null);
  $("token-form").hidden = false;
  if (wrong) tell(words.served.tokenWrong);
  $("token").focus();
};

$("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const value = $("token").value.trim();
  $("token").value = "";
  if (!/^[\x21-\x7e]+$/.test(value)) {
    tell(words.served.tokenImpossible);
    return;
  }
  service.setToken(value);
  tell("");
  meet();
});

const met = ({ class_names: names, keeps_corrections }) => {
  keeps = keeps_corrections;
  $("token-form").hidden = true;
  $("keeps").textContent = keeps ? words.served.keepsCorrected : words.served.keepsNone;
  $("names").replaceChildren(
    ...names.map((name) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = name;
      button.addEventListener("click", () => correct(name));
      return button;
    }),
  );
};

const shown = (answer) => {
  if (!answer) $("wrong").hidden = true;
  if (!answer?.said.image) $("near").hidden = true;
};

const settled = (answer) => {
  source = answer.source;
  $("kept-note").textContent = "";
  $("wrong").hidden = !keeps || !answer.said.image || answer.said.verdict === "several";
};

const explained = ({ neighbours }) => {
  $("near").hidden = !neighbours?.length;
  $("near").querySelector("ul").replaceChildren(
    ...(neighbours ?? []).map(({ label, image }) => {
      const [item, canvas, name] = ["li", "canvas", "span"].map((tag) => document.createElement(tag));
      pixels(canvas, image);
      canvas.setAttribute("aria-hidden", "true");
      name.textContent = label;
      item.append(canvas, name);
      return item;
    }),
  );
};

start(service, { met, shown, settled, explained, askForToken });
