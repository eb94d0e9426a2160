// Parts that follow what happens: fetched again every so many seconds, but not under somebody's hands.

import { part, swap } from "./fragments.js";
import { say } from "./copy.js";

let timer = 0;
let taken = Date.now();
let failed = false;

const root = () => document.querySelector("[data-refresh]");

/** Whether a swap would take something away from under somebody. `html[data-held]` is set while a brush is. */
function held() {
  return (
    document.hidden ||
    "held" in document.documentElement.dataset ||
    !getSelection().isCollapsed ||
    document.querySelector('[data-row][aria-expanded="true"], dialog[open], :popover-open, details.drop[open]') ||
    document.activeElement?.matches("textarea, select, input:not([type=checkbox])")
  );
}

/** Rows keep their places: fresh ones are told of, and come when they are asked for. */
function rows(content) {
  const fresh = content.querySelector("[data-rows]");
  const old = fresh && document.getElementById(fresh.id);
  if (!old) return;
  const known = new Set([...old.querySelectorAll("[data-row]")].map((row) => row.id));
  const arrived = [...fresh.querySelectorAll("[data-row]")].filter((row) => !known.has(row.id)).length;
  const place = document.querySelector("[data-new]");
  if (!place || (!arrived && known.size)) {
    fresh.remove();
    return;
  }
  if (!known.size) return;
  fresh.remove();
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = `${arrived} new`;
  button.addEventListener("click", () => {
    const holder = document.createElement("div");
    holder.append(fresh);
    swap(holder);
    place.replaceChildren();
  });
  place.replaceChildren(button);
}

/** Fetch the page's live parts now. */
export async function refresh() {
  const from = root();
  if (!from || held()) return;
  try {
    const here = location.href;
    const content = await part(from.dataset.src || here, "live");
    if (held() || location.href !== here) return; // by now another window of the page is shown
    rows(content);
    swap(content);
    taken = Date.now();
    failed = false;
  } catch (error) {
    if (!failed) say(`It is not fresh any more: ${error.message}`);
    failed = true;
  }
}

function age() {
  const pill = document.querySelector("[data-age]");
  const seconds = Math.round((Date.now() - taken) / 1000);
  const text = seconds < 3 ? "live" : seconds < 120 ? `${seconds} s ago` : `${Math.round(seconds / 60)} min ago`;
  if (pill && pill.textContent !== text) pill.textContent = text;
}

function begin() {
  clearInterval(timer);
  const from = root();
  if (!from) return;
  const every = Math.max(1, Number(from.dataset.refresh)) * 1000;
  timer = setInterval(() => {
    if (Date.now() - taken >= every - 500) refresh();
    age();
  }, Math.min(every, 5000));
}

document.addEventListener("visibilitychange", () => document.hidden || refresh());
begin();
