// A chart: the server's drawing at first, Vega's in its place once that is loaded; a stretch of it is chosen by dragging
// or by keys. What it is drawn from stands in the page as JSON, which a refresh brings anew.

import { say } from "./copy.js";

const TOKEN = "token:";
let drawn = null;

const host = () => document.querySelector("[data-chart]");
const given = () => document.getElementById("chart-data")?.textContent ?? "";

/** The colours that the theme has for the names of tokens. */
function coloured(value, probe = Object.assign(document.createElement("i"), { hidden: true })) {
  if (!probe.isConnected) document.body.append(probe);
  const seen = new Map();
  const turn = (each) => {
    if (Array.isArray(each)) return each.map(turn);
    if (each && typeof each === "object") return Object.fromEntries(Object.entries(each).map(([key, item]) => [key, turn(item)]));
    if (typeof each !== "string" || !each.startsWith(TOKEN)) return each;
    if (!seen.has(each)) {
      probe.style.color = `var(--${each.slice(TOKEN.length)})`;
      seen.set(each, getComputedStyle(probe).color);
    }
    return seen.get(each);
  };
  const { datasets, ...shape } = value;
  const found = { ...turn(shape), datasets };
  probe.remove();
  return found;
}

/** Vega, loaded once; null where the server has none. */
async function vega(url) {
  if (!window.vegaEmbed && url) await import(url);
  return window.vegaEmbed ?? null;
}

async function draw() {
  const place = host();
  const text = given();
  if (!place || !text || !place.dataset.chart) return;
  const embed = await vega(place.dataset.chart).catch(() => null);
  if (!embed || host() !== place || given() !== text) return;
  const canvas = document.createElement("div");
  canvas.className = "vega";
  place.append(canvas);
  const tooltip = { disableDefaultStyle: true, theme: "custom" };
  // `ast` has expressions interpreted, since the policy lets none be compiled; level 1 is errors alone.
  const options = { actions: false, ast: true, defaultStyle: false, renderer: "canvas", mode: "vega-lite", logLevel: 1, tooltip };
  const { view } = await embed(canvas, coloured(JSON.parse(text)), options);
  drawn?.view.finalize();
  place.querySelector("svg.plot")?.remove();
  for (const old of place.querySelectorAll(".vega")) if (old !== canvas) old.remove();
  drawn = { view, text, place, canvas };
  view.addResizeListener(() => setTimeout(overlay));
  place.dataset.drawn = "";
  overlay();
}

/** The chart moves into the frame that took the place of its own: nothing is drawn anew. */
function adopt(place) {
  place.querySelector("svg.plot")?.remove();
  place.append(drawn.canvas);
  place.dataset.drawn = "";
  drawn.place = place;
}

/** New data into the same chart: a tenth of the work of drawing it anew. */
async function renew() {
  const place = host();
  const text = given();
  if (!place || !text) return;
  if (!drawn || (!place.dataset.chart && drawn.place !== place)) return draw();
  if (drawn.place !== place) adopt(place);
  if (drawn.text === text) return overlay();
  drawn.text = text;
  for (const [name, rows] of Object.entries(JSON.parse(text).datasets)) drawn.view.data(name, rows);
  await drawn.view.runAsync();
  overlay();
}

// A stretch of time

function frame() {
  const { since, until, step } = document.getElementById("chart-facts").dataset;
  return { since: Number(since), until: Number(until), step: Number(step) };
}

/** Where the plot begins and ends within the host, in pixels. */
function edges() {
  const place = host();
  if (drawn?.place === place) {
    const left = drawn.view.origin()[0];
    return [left, left + drawn.view.width()];
  }
  const plot = place.querySelector("svg.plot");
  if (!plot) return null;
  const scale = plot.getBoundingClientRect().width / Number(plot.dataset.width);
  return [Number(plot.dataset.left) * scale, Number(plot.dataset.right) * scale];
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
  const [from, to] = [placeOf(Math.min(...chosen)), placeOf(Math.max(...chosen))];
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

/** Show the traces of a stretch: the form beneath the chart is asked. */
function ask() {
  const form = document.getElementById("stretch");
  if (!form || !chosen) return;
  const { step, since, until } = frame();
  let [from, to] = [Math.min(...chosen), Math.max(...chosen)];
  from = Math.max(since, Math.floor(from / step) * step);
  to = Math.min(Math.max(until, from + step), Math.max(from + step, Math.ceil(to / step) * step));
  chosen = [from, to];
  overlay();
  form.elements.from.value = Math.round(from);
  form.elements.to.value = Math.round(to);
  form.requestSubmit();
}

const held = (on) => document.documentElement.toggleAttribute("data-held", on);

document.addEventListener("pointerdown", (event) => {
  const place = event.target.closest?.("[data-chart]:not(.still)");
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
  const { since, until, step } = frame();
  const by = { ArrowLeft: -step, ArrowRight: step }[event.key];
  if (by) {
    let [from, to] = chosen ?? [until - step, until];
    if (event.shiftKey) to = Math.min(until, Math.max(from + step, to + by));
    else {
      const length = to - from;
      from = Math.min(until - step, Math.max(since, from + by));
      to = Math.min(until, from + length);
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

function recolour() {
  if (!drawn) return;
  drawn.text = "";
  drawn.place = null;
  draw();
}

document.addEventListener("swapped", () => {
  read();
  renew();
});
new MutationObserver(recolour).observe(document.documentElement, { attributeFilter: ["data-theme"] });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
addEventListener("resize", overlay);
read();
// After the first paint, so that the page is there before its library is.
requestAnimationFrame(() => setTimeout(draw));
