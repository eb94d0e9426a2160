// Compare: the next regression, and what can be done with the case that is open.

import { bind } from "../js/keys.js";
import { part } from "../js/fragments.js";
import { say } from "../js/copy.js";
import { close, current, go, toggle } from "../js/rows.js";

const among = "Compare";

/** Where the case is shown that keys are about: under the row, or the page's own. */
function shown() {
  const row = current();
  const open = row?.getAttribute("aria-expanded") === "true" ? row.nextElementSibling : document.querySelector(".opened");
  return open?.querySelector(".case");
}

/** Go to the next row in which a score fell, and open it. */
function next(step) {
  const rows = [...document.querySelectorAll("[data-row]")];
  const fell = (row) => [...row.querySelectorAll(".marks > b")].some((mark) => mark.textContent.startsWith("▼"));
  const open = document.querySelector('[data-row][aria-expanded="true"]');
  const here = rows.indexOf(open ?? current());
  const from = open || document.activeElement?.closest("[data-row]") ? here + step : Math.max(here, 0);
  for (let at = from; at >= 0 && at < rows.length; at += step) {
    if (!fell(rows[at])) continue;
    if (open) close(open);
    go(rows[at]);
    toggle(rows[at]);
    return true;
  }
  say(step > 0 ? "No regression after this one" : "No regression before this one");
  return true;
}

bind("n", "Next regression", () => next(1), among);
bind("N", "Regression before", () => next(-1), among);
const acts = { s: "Side by side, inline, raw", w: "By word, line, character", p: "Edit the case", b: "Accept the change", r: "Copy the command that runs it again" };
for (const [key, says] of Object.entries(acts)) {
  bind(key, says, () => {
    const target = shown()?.querySelector(`[data-do="${key}"]`);
    target?.click();
    return !!target;
  }, among);
}

/** Show a case otherwise, in its place; the choice is kept for the next ones. */
document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-part]");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const asked = new URL(link.href).searchParams;
  const root = document.documentElement.dataset.root || "/";
  for (const name of ["view", "by"]) {
    if (asked.has(name)) document.cookie = `gatewatch_${name}=${asked.get(name)}; path=${root}; max-age=31536000; samesite=lax`;
  }
  try {
    const content = await part(link.href, "row");
    const old = link.closest(".case");
    const key = link.dataset.do;
    const focused = old.contains(document.activeElement);
    const fresh = content.querySelector(".case");
    old.replaceWith(fresh);
    if (focused && key) fresh.querySelector(`[data-do="${key}"]`)?.focus();
  } catch (error) {
    say(`It could not be loaded: ${error.message}`);
  }
});
