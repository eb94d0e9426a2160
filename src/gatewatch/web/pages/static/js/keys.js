// Keys: one table binds them and prints the sheet. Elements add theirs by data-key, and say what they do by data-says.

const table = new Map();
const mac = /Mac|iP/.test(navigator.platform);
const CHORD_MS = 1200;
let begun = "";
let timer = 0;

/** Bind a key: "j", "?", "Mod+k", or a chord, "g o". `act` gets the event; where it gives false, the key is not ours. */
export function bind(key, says, act, group = "Everywhere") {
  table.set(key, { says, act, group });
}

/** Whether keys are being typed into something. */
export function typing(element) {
  if (!(element instanceof Element)) return false;
  return element.matches("textarea, select, [contenteditable], input:not([type=checkbox], [type=radio], [type=button])");
}

/** An element of the page that has a key, where it can be seen. */
function keyed(key, within = document) {
  const all = [...within.querySelectorAll(`[data-key="${CSS.escape(key)}"]`)];
  return all.find((each) => each.checkVisibility() && !each.disabled) ?? (key.includes(" ") ? all[0] : undefined);
}

function press(element) {
  if (typing(element)) element.focus();
  else element.click();
}

function named(event) {
  if (event.getModifierState("AltGraph")) return event.key; // as "[" is typed on many keyboards
  if (event.altKey) return "";
  const mod = mac ? event.metaKey : event.ctrlKey;
  if (event.metaKey || event.ctrlKey) return mod ? `Mod+${event.key}` : "";
  return event.key;
}

function pressed(event) {
  if (event.defaultPrevented || event.isComposing) return;
  const key = named(event);
  const dialog = document.querySelector("dialog[open]");
  if (!key) return;
  if (typing(event.target) && !key.startsWith("Mod+")) {
    if (key === "Escape" && !dialog) event.target.blur(); // what is typed there stays
    return;
  }
  if (dialog && key !== "?") {
    const element = keyed(key, dialog);
    if (element) event.preventDefault();
    if (element) press(element);
    return;
  }
  const whole = begun ? `${begun} ${key}` : key;
  clearTimeout(timer);
  begun = "";
  const entry = table.get(whole);
  const element = entry ? undefined : keyed(whole);
  if (entry ? entry.act(event) !== false : element) {
    event.preventDefault();
    if (element) press(element);
  } else if (!whole.includes(" ") && isFirst(key)) {
    begun = key;
    timer = setTimeout(() => (begun = ""), CHORD_MS);
  }
}

/** Whether a chord begins with a key. */
function isFirst(key) {
  const first = `${key} `;
  return document.querySelector(`[data-key^="${CSS.escape(first)}"]`) || [...table.keys()].some((each) => each.startsWith(first));
}

function shown(key) {
  return key.split(" ").map((part) => {
    const cap = document.createElement("kbd");
    cap.textContent = part.replace(/^Mod\+(.)/, (_, key) => (mac ? "⌘" : "Ctrl+") + key.toUpperCase()).replace("Escape", "Esc");
    return cap;
  });
}

/** Every key there is now, by group. */
function groups() {
  const found = new Map();
  const add = (group, key, says) => {
    const rows = found.get(group) ?? found.set(group, new Map()).get(group);
    rows.set(key, says);
  };
  for (const each of document.querySelectorAll("[data-key]")) {
    const group = each.closest(".rail") ? "Go to" : "On this page";
    add(group, each.dataset.key, each.dataset.says ?? each.getAttribute("aria-label") ?? each.textContent.trim());
  }
  for (const [key, { says, group }] of table) add(group, key, says);
  return found;
}

/** The sheet of all keys. */
export function sheet() {
  const open = document.querySelector("dialog.sheet");
  if (open) return open.close();
  const dialog = document.createElement("dialog");
  dialog.className = "sheet";
  dialog.setAttribute("aria-label", "Keys");
  for (const [group, rows] of groups()) {
    const part = document.createElement("section");
    const title = document.createElement("h2");
    const list = document.createElement("dl");
    title.textContent = group;
    for (const [key, says] of rows) {
      const term = document.createElement("dt");
      const detail = document.createElement("dd");
      term.append(...shown(key));
      detail.textContent = says;
      list.append(term, detail);
    }
    part.append(title, list);
    dialog.append(part);
  }
  dialog.tabIndex = -1;
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
  return true;
}

bind("?", "These keys", sheet);
bind("/", "Search", () => {
  const field = document.querySelector("[data-search]");
  field?.focus();
  return !!field;
});
bind("f", "Filters", () => {
  const field = document.querySelector(".bar select, .bar .chip");
  field?.focus();
  return !!field;
});
for (const [key, rel, says] of [["[", "prev", "Previous"], ["]", "next", "Next"]]) {
  bind(key, says, () => {
    const link = document.querySelector(`a[rel=${rel}]`);
    link?.click();
    return !!link;
  });
}
document.addEventListener("keydown", pressed);
document.addEventListener("click", (event) => event.target.closest("[data-keys]") && sheet());
