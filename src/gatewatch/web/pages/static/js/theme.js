// Theme and density: kept in cookies, so that the server writes them into the page.

import { bind } from "./keys.js";
import { say } from "./copy.js";

const html = document.documentElement;
const densities = ["compact", "comfortable", "full"];

/** Set "theme" or "density". */
export function set(name, value) {
  html.dataset[name] = value;
  document.cookie = `gatewatch_${name}=${value}; path=${(html.dataset.home ?? html.dataset.root) || "/"}; max-age=31536000; samesite=lax`;
  say(`${name === "theme" ? "Theme" : "Density"}: ${value}`);
}

bind("t", "Dark or light", () => {
  const dark = html.dataset.theme ? html.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  set("theme", dark ? "light" : "dark");
});
bind("d", "Density", () => set("density", densities[(densities.indexOf(html.dataset.density) + 1) % densities.length]));
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-set]");
  if (button) set(...button.dataset.set.split(":"));
});
