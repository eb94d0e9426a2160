// What every page has. What only some need, or only when it is asked for, is loaded then.

import { bind } from "./keys.js";
import "./fragments.js";
import "./rows.js";
import "./theme.js";

function menu() {
  if (!document.querySelector("a[data-menu]") || document.querySelector("dialog[open]")) return false;
  import("./menu.js").then((found) => found.open());
  return true;
}

bind("Mod+k", "Menu", menu);
document.addEventListener("click", (event) => {
  // Lists that drop down close as one expects.
  for (const each of document.querySelectorAll("details.drop[open]")) if (!each.contains(event.target)) each.open = false;
  if (!event.ctrlKey && !event.metaKey && event.target.closest("a[data-menu]") && menu()) event.preventDefault();
});
document.addEventListener("keydown", (event) => {
  const open = event.key === "Escape" && document.querySelector("details.drop[open]");
  if (!open) return;
  open.open = false;
  open.querySelector("summary").focus();
});
if (document.querySelector("[data-refresh]")) import("./live.js");
// Where a screen has scripts of its own, ready.js comes after them.
if (!document.querySelector('script[src$="/ready.js"]')) document.documentElement.dataset.ready = "";
