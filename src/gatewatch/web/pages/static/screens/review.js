// Labelling by keys: what is sent is kept while the next item, which was fetched before, takes its place.

import { part, swap } from "../js/fragments.js";
import { bind } from "../js/keys.js";
import { say } from "../js/copy.js";

const item = () => document.getElementById("item");
const form = () => document.querySelector("form[data-label]");
let shown = performance.now();
let ahead = null;
let sending = false;

/** Fetch the item that is next, so that it is there when this one is done. */
function prepare() {
  const url = item()?.dataset.next;
  ahead = url ? part(url, "item").catch(() => null) : null;
}

/** Put an item in the place of the one that is shown. */
function place(content) {
  swap(content);
  const url = item()?.dataset.url;
  if (url) history.pushState({ ours: true }, "", url);
  shown = performance.now();
  scrollTo(0, 0);
  item()?.querySelector("h2")?.focus({ preventScroll: true });
  prepare();
}

/** Say beside the form what is wrong with it. */
function complain(text) {
  const list = document.createElement("ul");
  const line = document.createElement("li");
  list.className = "problems";
  list.setAttribute("role", "alert");
  line.textContent = text;
  list.append(line);
  document.getElementById("problems")?.replaceChildren(list);
}

/** Send what the form says, and go on to the next item. */
async function send(sent, button) {
  if (sending) return;
  sending = true;
  sent.elements.seconds.value = ((performance.now() - shown) / 1000).toFixed(1);
  const expected = sent.elements.expected;
  if (expected.value === expected.dataset.suggested) expected.value = "";
  const body = new URLSearchParams([...new FormData(sent), ["act", button?.value ?? "label"]]);
  try {
    const reply = await fetch(sent.action, { method: "POST", body, headers: { accept: "text/html", "x-gatewatch-fragment": "said" } });
    if (reply.redirected || reply.status === 401) return location.assign(item().dataset.url);
    const holder = document.createElement("template");
    holder.innerHTML = await reply.text();
    if (reply.status === 409 && holder.content.getElementById("item")) return swap(holder.content);
    if (!reply.ok) return complain(holder.content.querySelector("h2")?.textContent.trim() || `It was not kept: ${reply.status}`);
    const next = await (ahead ?? part(item().dataset.next, "item").catch(() => null));
    if (!next) return location.assign(item().dataset.next);
    place(next);
    swap(holder.content);
  } catch {
    complain("The server does not answer. What you typed is still here: send it again.");
  } finally {
    sending = false;
  }
}

document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-label]")) return;
  event.preventDefault();
  send(event.target, event.submitter);
});

/** Choose an answer by its key. */
function choose(key) {
  const label = document.querySelector(`label.choice[data-key="${key}"]`);
  label?.click();
  return !!label;
}

let last = null;
document.addEventListener("focusin", (event) => (last = event.target.closest("[data-field]") ?? last));

/** Go to the next field, or the one before: from where one is, or was before one left it. */
function step(by) {
  const fields = [...document.querySelectorAll("[data-field]")];
  if (!fields.length) return false;
  const here = fields.indexOf(last);
  const field = fields[Math.min(Math.max(here + by, 0), fields.length - 1)];
  (field.querySelector(":checked") ?? field.querySelector("input, textarea")).focus();
  return true;
}

/** What would be right: it begins with what was answered. */
function expect() {
  const field = document.querySelector('textarea[name="expected"]');
  if (!field) return false;
  if (!field.value && field.dataset.suggested) field.value = field.dataset.suggested;
  field.focus();
  return true;
}

/** Show what the judge said, and keep what is typed. */
async function peek(link) {
  const form = link.closest("form"); // by the time it is answered another item's may be shown
  try {
    const content = await part(link.href, "item");
    const mark = content.querySelector('[name="saw"]');
    link.closest(".peek").replaceWith(content.querySelector(".peek"));
    if (mark) form.append(mark);
  } catch (error) {
    say(`It could not be loaded: ${error.message}`);
  }
}

document.addEventListener("click", (event) => {
  const link = event.target.closest('.peek a[data-key="h"]');
  if (!link || event.button || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  peek(link);
});

/** Leave the field that is typed in, so that keys are keys again. */
function leave() {
  const field = document.activeElement;
  if (!field?.matches("textarea, input")) return false;
  field.blur();
  return true;
}

const group = "Labelling";
const words = { y: "Right", n: "Wrong" };
for (const key of "123456789yn") bind(key, words[key] ?? `Answer ${key}`, () => choose(key), group);
bind("e", "What would be right", expect, group);
bind("ArrowDown", "The next field", () => step(1), group);
bind("ArrowUp", "The field before", () => step(-1), group);
bind("Escape", "Leave the field", leave, group);
if (form()) prepare();
