// A chart: the server's drawing at first, Vega's in its place once that is loaded. What it is drawn from stands in the
// page as JSON, which a refresh brings anew. `drawn` is told, at document, when its plot may lie elsewhere than before.

const TOKEN = "token:";
let drawn = null;

/** The frame of the page's chart. */
export const host = () => document.querySelector("[data-chart]");
const given = () => document.getElementById("chart-data")?.textContent ?? "";

/** The colours that the theme has for the names of tokens. */
function coloured({ datasets, ...shape }) {
  const probe = document.body.appendChild(Object.assign(document.createElement("i"), { hidden: true }));
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
  const found = { ...turn(shape), datasets };
  probe.remove();
  return found;
}

/** Vega, loaded once; null where the server has none. */
async function vega(url) {
  if (!window.vegaEmbed && url) await import(url);
  return window.vegaEmbed ?? null;
}

const tell = () => document.dispatchEvent(new CustomEvent("drawn"));

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
  view.addResizeListener(() => setTimeout(tell));
  place.dataset.drawn = "";
  tell();
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
  if (drawn.text === text) return tell();
  drawn.text = text;
  for (const [name, rows] of Object.entries(JSON.parse(text).datasets)) drawn.view.data(name, rows);
  await drawn.view.runAsync();
  tell();
}

/** Where the plot begins and ends within the host, in pixels. */
export function edges() {
  const place = host();
  if (!place) return null;
  if (drawn?.place === place) {
    const left = drawn.view.origin()[0];
    return [left, left + drawn.view.width()];
  }
  const plot = place.querySelector("svg.plot");
  if (!plot) return null;
  const scale = plot.getBoundingClientRect().width / Number(plot.dataset.width);
  return [Number(plot.dataset.left) * scale, Number(plot.dataset.right) * scale];
}

function recolour() {
  if (!drawn) return;
  drawn.text = "";
  drawn.place = null;
  draw();
}

document.addEventListener("swapped", renew);
new MutationObserver(recolour).observe(document.documentElement, { attributeFilter: ["data-theme"] });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
// After the first paint, so that the page is there before its library is.
requestAnimationFrame(() => setTimeout(draw));
