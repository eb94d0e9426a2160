// Traces: the panel beside the list, which follows j and k; arrows in the tree of steps; how many are selected.

import { bind } from "../js/keys.js";
import { part } from "../js/fragments.js";
import { say } from "../js/copy.js";

const WAIT_MS = 60;
const panel = () => document.getElementById("panel");
let turn = 0;
let timer = 0;

/** Show an address in the panel; the page's own address says which trace that is. */
async function open(url, row) {
  const mine = ++turn;
  const place = panel();
  try {
    const content = await part(url, "panel");
    if (mine !== turn) return;
    place.replaceChildren(content);
    place.hidden = false;
    place.scrollTop = 0;
    if (!row) return;
    for (const other of document.querySelectorAll('[data-row][aria-current="true"]')) other.removeAttribute("aria-current");
    row.setAttribute("aria-current", "true");
    const here = new URL(location);
    here.searchParams.set("trace", row.querySelector("input[name=trace]").value);
    history.replaceState(history.state, "", here);
  } catch (error) {
    if (mine === turn) say(`It could not be loaded: ${error.message}`);
  }
}

function close() {
  const place = panel();
  if (!place || place.hidden) return false;
  turn += 1;
  const within = place.contains(document.activeElement);
  place.hidden = true;
  place.replaceChildren();
  const row = document.querySelector('[data-row][aria-current="true"]');
  row?.removeAttribute("aria-current");
  const here = new URL(location);
  here.searchParams.delete("trace");
  history.replaceState(history.state, "", here);
  if (within) row?.focus();
  return true;
}

document.addEventListener(
  "click",
  (event) => {
    if (event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const row = panel() && event.target.closest?.("[data-row]");
    if (row && !event.target.closest("a:not(.open), button, input, label")) {
      if (getSelection().toString()) return;
      event.preventDefault();
      event.stopPropagation();
      show(row);
      return;
    }
    const link = event.target.closest?.(".panel [data-panel-link]");
    if (link) {
      event.preventDefault();
      open(link.href);
    } else if (event.target.closest?.("[data-close]") && close()) event.preventDefault();
  },
  true,
);

async function show(row) {
  const { go } = await import("../js/rows.js");
  go(row);
  clearTimeout(timer);
  if (panel().hidden || row.getAttribute("aria-current") !== "true") open(row.querySelector("a.open").href, row);
}

document.addEventListener("row", ({ detail: row }) => {
  if (!panel() || panel().hidden) return;
  clearTimeout(timer);
  timer = setTimeout(() => open(row.querySelector("a.open").href, row), WAIT_MS);
});

function toggle(event) {
  const row = document.activeElement?.closest("[data-row]") ?? document.querySelector('[data-row][tabindex="0"]');
  if (!row || (event.key === "Enter" && !event.target.matches("[data-row]"))) return false;
  if (row.getAttribute("aria-current") === "true" && !panel().hidden) return close();
  show(row);
  return true;
}

if (panel()) {
  bind("o", "Open, close", toggle, "In lists");
  bind("Enter", "Open, close", toggle, "In lists");
  bind("Escape", "Close", close, "In lists");
}

document.addEventListener("keydown", (event) => {
  const summary = event.target.closest?.("[data-tree] summary");
  if (!summary) return;
  const every = [...summary.closest("[data-tree]").querySelectorAll("summary")];
  const place = every.indexOf(summary);
  const to = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: every.length - 1 }[event.key];
  if (to !== undefined) every[Math.min(Math.max(to, 0), every.length - 1)].focus();
  else if (event.key === "ArrowRight") summary.parentElement.open = true;
  else if (event.key === "ArrowLeft") summary.parentElement.open = false;
  else return;
  event.preventDefault();
});

// What drops down with something to be filled in begins there.
document.addEventListener(
  "toggle",
  (event) => {
    if (event.target.matches?.("details.drop[open]")) event.target.querySelector("input:not([type=hidden]), select")?.focus();
  },
  true,
);

function counted() {
  const n = document.querySelectorAll("[data-row] input[name=trace]:checked").length;
  for (const place of document.querySelectorAll("[data-selected]")) place.textContent = n ? `${n} selected` : "";
}

document.addEventListener("selected", counted);
document.addEventListener("swapped", counted);
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-reload]")) event.target.form.submit();
});
counted();
