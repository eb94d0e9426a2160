// A stretch of a chart's time: chosen by dragging or by keys, and asked for by the form beneath; a line that runs through
// all charts of the page at the time under the pointer.

import { edges, host } from "./chart.js";
import { say } from "./copy.js";

function frame() {
  const { since, until, step } = document.getElementById("chart-facts").dataset;
  return { since: Number(since), until: Number(until), step: Number(step) };
}

function timeAt(x) {
  const [left, right] = edges();
  const { since, until } = frame();
  return since + (Math.min(Math.max(x, left), right) - left) / (right - left) * (until - since);
}

function placeOf(at) {
  const [left, right] = edges();
  const { since, until } = frame();
  return left + (at - since) / (until - since) * (right - left);
}

let chosen = null;

/** Draw what is chosen, and the cursor, over the plot. */
function overlay() {
  const place = host();
  const brush = place?.querySelector(".brush");
  if (!brush || !edges()) return;
  brush.hidden = !chosen;
  if (!chosen) return;
  const [from, to] = [placeOf(Math.min(...chosen)), placeOf(Math.min(frame().until, Math.max(...chosen)))];
  brush.style.transform = `translateX(${from}px)`;
  brush.style.width = `${Math.max(1, to - from)}px`;
}

function cross(at) {
  for (const line of document.querySelectorAll(".cross")) {
    const plot = line.parentElement;
    const scale = plot.querySelector("svg.plot");
    line.hidden = at === null || (plot !== host() && !scale);
    if (line.hidden) continue;
    const { since, until } = frame();
    const [left, right] =
      plot === host()
        ? edges()
        : [scale.dataset.left, scale.dataset.right].map((each) => (Number(each) * scale.getBoundingClientRect().width) / Number(scale.dataset.width));
    line.style.transform = `translateX(${left + ((at - since) / (until - since)) * (right - left)}px)`;
  }
}

/** Where the last bucket ends. */
function last() {
  const { step, until } = frame();
  return Math.ceil(until / step) * step;
}

/** A stretch from edge to edge of buckets. */
function whole([begin, end]) {
  const { step, since } = frame();
  const from = Math.min(last() - step, Math.max(since, Math.floor(Math.min(begin, end) / step) * step));
  const to = Math.max(from + step, Math.min(last(), Math.ceil(Math.max(begin, end) / step) * step));
  return [from, to];
}

/** Show the traces of a stretch: the form beneath the chart is asked. */
function ask() {
  const form = document.getElementById("stretch");
  if (!form || !chosen) return;
  const [from, to] = whole(chosen);
  chosen = [from, to];
  overlay();
  form.elements.from.value = Math.round(from);
  form.elements.to.value = Math.round(to);
  form.requestSubmit();
}

const held = (on) => document.documentElement.toggleAttribute("data-held", on);

document.addEventListener("pointerdown", (event) => {
  const place = event.target.closest?.("[data-chart]");
  if (!place || event.button || event.target.closest("a") || !edges()) return;
  const box = place.getBoundingClientRect();
  const begin = timeAt(event.clientX - box.left);
  const moved = (move) => {
    chosen = [begin, timeAt(move.clientX - box.left)];
    overlay();
  };
  const done = (up) => {
    removeEventListener("pointermove", moved);
    removeEventListener("pointerup", done);
    removeEventListener("pointercancel", done);
    held(false);
    if (up.type === "pointercancel" || !chosen || Math.abs(up.clientX - event.clientX) < 4) return;
    ask();
  };
  held(true);
  addEventListener("pointermove", moved);
  addEventListener("pointerup", done);
  addEventListener("pointercancel", done);
});

document.addEventListener("pointermove", (event) => {
  const plot = event.target.closest?.("[data-chart], .small");
  if (!plot || !host() || !edges()) return;
  const box = plot.getBoundingClientRect();
  const svg = plot.querySelector("svg.plot");
  if (plot === host()) return cross(timeAt(event.clientX - box.left));
  const scale = box.width / Number(svg.dataset.width);
  const [left, right] = [Number(svg.dataset.left) * scale, Number(svg.dataset.right) * scale];
  const { since, until } = frame();
  const part = Math.min(1, Math.max(0, (event.clientX - box.left - left) / (right - left)));
  cross(since + part * (until - since));
});
document.addEventListener("pointerout", (event) => {
  if (event.target.closest?.("[data-chart], .small") && !event.relatedTarget?.closest?.("[data-chart], .small")) cross(null);
});

document.addEventListener("keydown", (event) => {
  if (!event.target.matches?.("[data-chart]") || !edges()) return;
  const { since, step } = frame();
  const by = { ArrowLeft: -step, ArrowRight: step }[event.key];
  if (by) {
    let [from, to] = whole(chosen ?? [last() - step, last()]);
    if (event.shiftKey) to = Math.min(last(), Math.max(from + step, to + by));
    else {
      const length = to - from;
      from = Math.min(last() - step, Math.max(since, from + by));
      to = Math.min(last(), from + length);
    }
    chosen = [from, to];
    overlay();
    say(`${new Date(from * 1000).toISOString().slice(0, 16).replace("T", " ")} to ${new Date(to * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC`);
  } else if (event.key === "Enter" && chosen) ask();
  else if (event.key === "Escape" && chosen) {
    chosen = null;
    overlay();
  } else return;
  event.preventDefault();
});

/** What the page says is chosen, when it comes. */
function read() {
  const form = document.getElementById("stretch");
  const [from, to] = [Number(form?.elements.from.value), Number(form?.elements.to.value)];
  chosen = from && to ? [from, to] : null;
  overlay();
}

document.addEventListener("swapped", read);
document.addEventListener("drawn", overlay);
addEventListener("resize", overlay);
read();
