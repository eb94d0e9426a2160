// Copying, and short notices.

/** Say something for a moment; screen readers are told. */
export function say(text) {
  let toast = document.querySelector(".toast");
  if (!toast) {
    toast = document.createElement("div");
    toast.className = "toast";
    toast.setAttribute("role", "status");
    document.body.append(toast);
  }
  toast.textContent = text;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => (toast.textContent = ""), 4000);
}

/** Put a text into the clipboard, also where the page did not come over https. */
export async function copy(text, done = "Copied") {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const holder = document.createElement("textarea");
    holder.value = text;
    (document.querySelector("dialog[open]") ?? document.body).append(holder);
    holder.select();
    document.execCommand("copy");
    holder.remove();
  }
  say(done);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button.dataset.copy);
});
