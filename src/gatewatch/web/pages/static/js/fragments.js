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

// Fields in which something is typed. What is chosen is the server's to say: a radio's value is its name, no text of it.
const TYPED = "textarea, input:not([type=radio], [type=checkbox], [type=hidden], [type=submit], [type=button])";

/** Put elements in the place of those with their ids; what has the focus, and what is typed there, is kept where the
 * fresh part has the same field of the same thing. */
export function swap(content) {
  const active = document.activeElement;
  for (const fresh of [...content.children]) {
    const old = fresh.id && document.getElementById(fresh.id);
    if (!old) continue;
    const held = old.contains(active) ? like(active, old, fresh) : null;
    if (held && active.matches(TYPED)) held.value = active.value;
    const caret = held && active.selectionStart;
    old.replaceWith(fresh);
    if (held) {
      held.focus({ preventScroll: true });
      if (typeof caret === "number") held.setSelectionRange(caret, active.selectionEnd);
    }
  }
  document.dispatchEvent(new CustomEvent("swapped"));
}

/** What an element of a part belongs to: what is named by data-of, or where its form sends. */
function thing(element, within) {
  const found = element.closest("[data-of], form");
  return found && within.contains(found) ? (found.getAttribute("data-of") ?? found.getAttribute("action")) : null;
}

/** The element of a fresh part that stands for one of the old: the same by its id or name, of the same thing. What has
 * neither, and holds nothing, is the same by where it leads or by its words. */
function like(active, old, fresh) {
  if (active === old) return active.matches(TYPED) && thing(active, old) !== thing(fresh, fresh) ? null : fresh;
  const whose = thing(active, old);
  const all = [...fresh.querySelectorAll(active.tagName)];
  if (active.id || active.name) {
    const chosen = active.matches("[type=radio], [type=checkbox], button");
    const same = (each) => each.id === active.id && each.name === active.name && (!chosen || each.value === active.value);
    return all.find((each) => same(each) && thing(each, fresh) === whose);
  }
  if (active.matches(TYPED)) return null;
  const words = (each) => each.textContent.replace(/[\d,]+/g, "").trim();
  const leads = active.getAttribute("href");
  return all.find((each) => leads && each.getAttribute("href") === leads) ?? all.find((each) => words(each) === words(active));
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
