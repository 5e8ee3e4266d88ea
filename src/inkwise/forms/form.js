"use strict";
(() => {
  const inputs = [...document.querySelectorAll(".cell input")];

  // Enter and the arrows go from cell to cell, in the order of the page.
  document.addEventListener("keydown", (event) => {
    const place = inputs.indexOf(event.target);
    if (place < 0 || event.isComposing) return;
    const step = { Enter: event.shiftKey ? -1 : 1, ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = inputs[place + step];
    if (next) {
      next.focus();
      next.select();
    }
  });

  document.addEventListener("input", (event) => {
    const cell = event.target.closest(".cell");
    if (cell) cell.classList.toggle("changed", event.target.value !== event.target.defaultValue);
  });

  // The table as it stands on the paper: a line a row, a field a cell.
  const table = (form) => {
    const rows = Array.from({ length: Number(form.dataset.rows) }, () =>
      Array(Number(form.dataset.columns)).fill(""));
    for (const input of form.querySelectorAll("input"))
      rows[input.dataset.row - 1][input.dataset.column - 1] = input.value.trim();
    return rows;
  };

  const quote = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

  document.addEventListener("click", (event) => {
    if (!event.target.matches(".download")) return;
    const form = event.target.closest(".form");
    const lines = table(form).map((row) => row.map(quote).join(","));
    const name = `${form.dataset.name.split(/[\\/]/).pop().replace(/\.[^.]*$/, "") || "form"}.csv`;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([[...lines, ""].join("\n")], { type: "text/csv" }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    const changed = form.querySelectorAll(".changed").length;
    form.querySelector(".said").textContent =
      `${name}: ${changed} ${changed === 1 ? "cell" : "cells"} corrected.`;
  });
})();
