// The menu: screens, runs, datasets, failures by a few letters of their name, whole ids as they were pasted.

import { part } from "./fragments.js";

const DEBOUNCE_MS = 80;

/** Open the menu. */
export function open() {
  const link = document.querySelector("a[data-menu]");
  if (!link || document.querySelector("dialog[open]")) return false;
  const dialog = document.createElement("dialog");
  const field = document.createElement("input");
  const list = document.createElement("div");
  let asked = 0;
  let timer = 0;
  let sought = "";
  dialog.className = "ask-for";
  dialog.setAttribute("aria-label", "Menu");
  field.type = "search";
  field.placeholder = "A screen, a run, a dataset, an id";
  field.setAttribute("aria-label", "Search");
  dialog.append(field, list);

  const links = () => [...list.querySelectorAll("a")];
  const at = () => links().findIndex((each) => each.getAttribute("aria-current") === "true");
  const choose = (place) => {
    const found = links();
    found.forEach((each, index) => (index === place ? each.setAttribute("aria-current", "true") : each.removeAttribute("aria-current")));
    found[place]?.scrollIntoView({ block: "nearest" });
  };
  const look = async () => {
    const mine = ++asked;
    sought = field.value;
    const url = new URL(link.href);
    url.searchParams.set("q", field.value);
    try {
      const content = await part(url, "menu");
      if (mine !== asked) return;
      list.replaceChildren(content);
      choose(0);
    } catch (error) {
      if (mine === asked) list.textContent = error.message;
    }
  };
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(look, DEBOUNCE_MS);
  });
  field.addEventListener("keydown", async (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      choose((at() + step + links().length) % links().length);
    } else if (event.key === "Enter") {
      event.preventDefault();
      clearTimeout(timer);
      if (field.value !== sought) await look(); // what was typed last may not have been looked for
      links()[Math.max(0, at())]?.click();
    }
  });
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
  look();
  return true;
}
