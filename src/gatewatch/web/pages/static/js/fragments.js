// Parts of pages: fetched from the page's own address, and put in the place of the elements with their ids.

import { say } from "./copy.js";

const DEBOUNCE_MS = 80;
let turn = 0;
let typed = 0;

/** What the server answers for a part of a page, as nodes; an error is thrown with what it says. */
export async function part(url, name, signal) {
  const reply = await fetch(url, { headers: { accept: "text/html", "x-gatewatch-fragment": name }, signal });
  if (reply.status === 401 || reply.redirected) location.assign(url);
  const holder = document.createElement("template");
  holder.innerHTML = await reply.text();
  if (!reply.ok) throw new Error(holder.content.textContent.trim().split("\n")[0] || `${reply.status}`);
  return holder.content;
}

/** Put elements in the place of those with their ids; what has the focus, and what is typed there, is kept. */
export function swap(content) {
  const active = document.activeElement;
  for (const fresh of [...content.children]) {
    const old = fresh.id && document.getElementById(fresh.id);
    if (!old) continue;
    const held = old.contains(active) ? like(active, fresh) : null;
    if (held && "value" in active && active.matches("input, textarea")) held.value = active.value;
    const caret = held && active.selectionStart;
    old.replaceWith(fresh);
    if (held) {
      held.focus({ preventScroll: true });
      if (typeof caret === "number") held.setSelectionRange(caret, active.selectionEnd);
    }
  }
  document.dispatchEvent(new CustomEvent("swapped"));
}

/** The element of a fresh part that stands for one of the old. */
function like(active, fresh) {
  if (active.id) return fresh.id === active.id ? fresh : fresh.querySelector(`#${CSS.escape(active.id)}`);
  if (active.name) return fresh.querySelector(`[name="${CSS.escape(active.name)}"]`);
  const label = active.textContent.replace(/[\d,]+/g, "").trim();
  return [...fresh.querySelectorAll(active.tagName)].find((each) => each.textContent.replace(/[\d,]+/g, "").trim() === label);
}

/** Show another window of this page, under its own address. An answer that another has overtaken is dropped. */
export async function show(url, { push = true } = {}) {
  const mine = ++turn;
  const rows = document.querySelector("[data-rows]");
  rows?.setAttribute("aria-busy", "true");
  try {
    const content = await part(url, "rows");
    if (mine !== turn) return;
    history[push ? "pushState" : "replaceState"]({ ours: true }, "", url);
    swap(content);
  } catch (error) {
    if (mine === turn) say(`It could not be loaded: ${error.message}`);
  } finally {
    if (mine === turn) document.querySelector("[data-rows]")?.removeAttribute("aria-busy");
  }
}

/** The address of a form, without what is empty. */
function addressed(form) {
  const url = new URL(form.action);
  const given = [...new FormData(form)].filter(([, value]) => value !== "");
  url.search = new URLSearchParams(given);
  return url;
}

document.addEventListener("input", (event) => {
  const form = event.target.closest?.("form[data-live]");
  if (!form) return;
  clearTimeout(typed);
  typed = setTimeout(() => show(addressed(form), { push: !event.target.matches("[type=search]") }), DEBOUNCE_MS);
});

document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-live]");
  if (!form) return;
  event.preventDefault();
  clearTimeout(typed);
  show(addressed(form));
});

document.addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const link = event.target.closest("a[data-live], a[data-swap]");
  if (!link) return;
  event.preventDefault();
  if (link.matches("[data-live]")) show(link.href);
  else unfold(link);
});

/** "Show all": what is cut, whole, in its place. */
async function unfold(link) {
  try {
    const content = await part(link.href, "text");
    const cut = link.closest(".cut");
    cut.previousElementSibling.replaceWith(content);
    cut.remove();
  } catch (error) {
    say(`It could not be loaded: ${error.message}`);
  }
}

addEventListener("popstate", (event) => {
  if (event.state?.ours || document.querySelector("form[data-live]")) location.reload();
});
