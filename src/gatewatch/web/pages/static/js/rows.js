// Rows: moved through by keys, opened in place or as a page, selected; the next window is fetched at the end.

import { bind } from "./keys.js";
import { part } from "./fragments.js";
import { copy, say } from "./copy.js";

const all = () => [...document.querySelectorAll("[data-row]")];

/** The row that keys are about: the one with the focus, or that had it last. */
export function current() {
  const focused = document.activeElement?.closest("[data-row], .opened");
  if (focused) return focused.matches("[data-row]") ? focused : focused.previousElementSibling;
  return document.querySelector('[data-row][tabindex="0"]');
}

/** Make a row the one that Tab comes to, and give it the focus. */
export function go(row) {
  for (const each of document.querySelectorAll('[data-row][tabindex="0"]')) each.tabIndex = -1;
  row.tabIndex = 0;
  row.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
  document.dispatchEvent(new CustomEvent("row", { detail: row }));
}

async function move(step) {
  const rows = all();
  if (!rows.length) return;
  const here = document.activeElement?.closest("[data-row], .opened") ? rows.indexOf(current()) : -1;
  let next = here + step;
  if (here < 0) next = Math.max(0, rows.indexOf(current()));
  if (next >= rows.length && (await more())) return move(step);
  go(rows[Math.min(Math.max(next, 0), rows.length - 1)]);
}

/** Open a row: as a page where its link is one, or in place; close it where it is open. */
export async function toggle(row = current()) {
  const link = row?.querySelector("a.open");
  if (!link) return;
  if (row.closest('[data-opens="page"]')) return link.click();
  if (close(row)) return;
  row.setAttribute("aria-expanded", "true");
  try {
    const content = await part(link.href, "row");
    if (row.getAttribute("aria-expanded") !== "true" || row.nextElementSibling?.matches(".opened")) return;
    const holder = document.createElement("div");
    const cell = document.createElement("div");
    holder.className = "opened";
    holder.setAttribute("role", "row");
    cell.setAttribute("role", "gridcell");
    cell.append(content);
    holder.append(cell);
    row.after(holder);
    document.dispatchEvent(new CustomEvent("opened", { detail: holder }));
  } catch (error) {
    row.setAttribute("aria-expanded", "false");
    say(`It could not be loaded: ${error.message}`);
  }
}

/** Close a row, and say whether it was open. */
export function close(row) {
  if (row?.getAttribute("aria-expanded") !== "true") return false;
  row.setAttribute("aria-expanded", "false");
  if (row.nextElementSibling?.matches(".opened")) {
    const within = row.nextElementSibling.contains(document.activeElement);
    row.nextElementSibling.remove();
    if (within) go(row);
  }
  return true;
}

function select(row = current()) {
  if (!row) return false;
  const box = row.querySelector("input[type=checkbox]");
  if (box) return box.click();
  mark(row, row.getAttribute("aria-selected") !== "true");
}

function mark(row, on) {
  row.setAttribute("aria-selected", on);
  document.dispatchEvent(new CustomEvent("selected", { detail: row }));
}

let fetching = false;

/** Fetch the next window of rows; says whether there was one. */
async function more() {
  const link = document.querySelector("a[data-more]");
  if (!link || fetching) return false;
  fetching = true;
  link.setAttribute("aria-busy", "true");
  try {
    const content = await part(link.href, "rows");
    const fresh = content.querySelector("[data-rows]");
    (link.closest('[role="row"]') ?? link).replaceWith(...(fresh ? fresh.childNodes : []));
    watch();
    return true;
  } catch (error) {
    link.removeAttribute("aria-busy");
    say(`It could not be loaded: ${error.message}`);
    return false;
  } finally {
    fetching = false;
  }
}

const seen = new IntersectionObserver((entries) => entries.some((each) => each.isIntersecting) && more(), { rootMargin: "400px" });

function watch() {
  seen.disconnect();
  const link = document.querySelector("a[data-more]");
  if (link) seen.observe(link);
  const first = document.querySelector("[data-row]");
  if (first && !document.querySelector('[data-row][tabindex="0"]')) first.tabIndex = 0;
}

document.addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (event.target.closest("a[data-more]")) {
    event.preventDefault();
    more();
    return;
  }
  const row = event.target.closest("[data-row]");
  if (!row || event.target.closest("a:not(.open), button, input, select, label, summary") || getSelection().toString()) return;
  if (row.closest('[data-opens="page"]')) {
    if (!event.target.closest("a.open")) row.querySelector("a.open")?.click();
    return;
  }
  event.preventDefault();
  go(row);
  toggle(row);
});
document.addEventListener("change", (event) => {
  const row = event.target.matches("input[type=checkbox]") && event.target.closest("[data-row]");
  if (row) mark(row, event.target.checked);
});
document.addEventListener("swapped", watch);

const among = "In lists";
bind("j", "Down", () => (all().length ? void move(1) : false), among);
bind("k", "Up", () => (all().length ? void move(-1) : false), among);
bind("o", "Open, close", () => (current() ? void toggle() : false), among);
bind("Enter", "Open, close", (event) => (event.target.matches("[data-row]") ? void toggle(event.target) : false), among);
bind("Escape", "Close", () => close(current()), among);
bind("x", "Select", () => (current() ? void select() : false), among);
bind("y", "Copy the link to it", () => copy(current()?.querySelector("a.open")?.href ?? location.href, "Link copied"));
watch();
