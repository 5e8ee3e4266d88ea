"use strict";
(() => {
  const main = document.querySelector("main");
  const cards = [...document.querySelectorAll(".card")];
  const byId = (id) => document.getElementById(id);
  let kept = true;

  // The decisions by the image's index: {decision, decided}. The browser stores them.
  let decisions = {};
  try {
    const found = JSON.parse(localStorage.getItem(main.dataset.store));
    if (found && typeof found === "object") decisions = found;
  } catch {
    decisions = {};
  }

  const save = () => {
    try {
      localStorage.setItem(main.dataset.store, JSON.stringify(decisions));
    } catch {
      kept = false;
    }
  };

  const of = (card) => decisions[card.dataset.index];

  const show = (card) => {
    const decision = of(card)?.decision ?? "";
    const decided = decision === "accept" ? of(card).decided : card.dataset.suggested;
    card.classList.toggle("accept", decision === "accept");
    card.classList.toggle("reject", decision === "reject");
    card.querySelector(".accept").setAttribute("aria-pressed", decision === "accept");
    card.querySelector(".reject").setAttribute("aria-pressed", decision === "reject");
    card.querySelector("select").value = decided;
    card.querySelector(".change b").textContent = `${card.dataset.given} → ${decided}`;
    card.querySelector(".accept").setAttribute(
      "aria-label", `Accept ${decided} for image ${card.dataset.index}`);
    card.querySelector(".state").textContent =
      { accept: `becomes ${decided}`, reject: `stays ${card.dataset.given}` }[decision] ?? "open";
  };

  const count = () => {
    const done = cards.filter((card) => of(card)).length;
    byId("progress").value = done;
    byId("decided").textContent = `${done.toLocaleString("en")} of ${cards.length.toLocaleString("en")}`;
    return done;
  };

  const decide = (card, decision, decided) => {
    if (decision) decisions[card.dataset.index] = { decision, decided };
    else delete decisions[card.dataset.index];
    save();
    show(card);
    count();
    const warning = kept ? "" : " This browser cannot store decisions: download them before you leave.";
    byId("said").textContent =
      `Image ${card.dataset.index}: ${card.querySelector(".state").textContent}.${warning}`;
  };

  // Choosing the same decision again withdraws it.
  const press = (card, decision) => {
    const again = of(card)?.decision === decision;
    const decided = decision === "accept" ? card.querySelector("select").value : card.dataset.given;
    decide(card, again ? "" : decision, decided);
    return !again;
  };

  const go = (card) => {
    if (!card) return;
    card.focus({ preventScroll: true });
    card.scrollIntoView({ block: "nearest" });
  };

  // Return the card above or below: the horizontally nearest one in the next row of cards.
  const vertical = (card, down) => {
    const box = card.getBoundingClientRect();
    const rest = cards
      .map((other) => [other, other.getBoundingClientRect()])
      .filter(([, other]) => (down ? other.top > box.top + 1 : other.top < box.top - 1));
    if (!rest.length) return null;
    const top = rest[down ? 0 : rest.length - 1][1].top;
    const row = rest.filter(([, other]) => Math.abs(other.top - top) <= 1);
    row.sort(([, one], [, other]) => Math.abs(one.left - box.left) - Math.abs(other.left - box.left));
    return row[0][0];
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("select")) return;
    const card = event.target.closest(".card");
    const place = cards.indexOf(card);
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (!card) {
      if (key !== "ArrowRight" && key !== "ArrowLeft") return;
      go(cards.find((other) => !of(other)) ?? cards[0]);
    } else if (key === "ArrowRight") go(cards[place + 1]);
    else if (key === "ArrowLeft") go(cards[place - 1]);
    else if (key === "ArrowDown") go(vertical(card, true));
    else if (key === "ArrowUp") go(vertical(card, false));
    else if (key === "a" || key === "r") {
      if (press(card, key === "a" ? "accept" : "reject")) go(cards[place + 1]);
    } else return;
    event.preventDefault();
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest(".buttons button");
    if (button) press(button.closest(".card"), button.classList.contains("accept") ? "accept" : "reject");
  });

  document.addEventListener("change", (event) => {
    const card = event.target.closest(".card");
    if (card) decide(card, "accept", event.target.value);
  });

  const rows = () =>
    cards.map((card) => ({
      split: main.dataset.split,
      index: Number(card.dataset.index),
      given: card.dataset.given,
      decided: of(card)?.decided ?? card.dataset.suggested,
      decision: of(card)?.decision ?? "",
      image_sha256: card.dataset.sha256,
    }));

  const download = (name, type, text) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    byId("said").textContent = `${name}: ${count().toLocaleString("en")} decisions.`;
  };

  byId("csv").addEventListener("click", () => {
    const columns = main.dataset.columns.split(",");
    const quote = (cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
    const lines = rows().map((row) => columns.map((name) => quote(String(row[name]))).join(","));
    download("labels.csv", "text/csv", [columns.join(","), ...lines, ""].join("\n"));
  });

  byId("json").addEventListener("click", () => {
    const { dataset, split } = main.dataset;
    const document = { schema: "inkwise-labels/1", dataset, split, decisions: rows() };
    download("labels.json", "application/json", `${JSON.stringify(document, null, 2)}\n`);
  });

  cards.forEach(show);
  count();
})();
