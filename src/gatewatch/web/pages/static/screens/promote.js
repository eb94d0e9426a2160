// Promoting: what is written or chosen for a request ticks it, and an answer can be taken to be corrected.

/** A request is meant as soon as something is said of it. */
function tick(field) {
  const box = field.closest(".entry")?.querySelector('legend input[type="checkbox"]');
  if (box && box !== field) box.checked = true;
}

document.addEventListener("input", (event) => tick(event.target));
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-start]");
  if (!button) return;
  const field = button.closest("section").querySelector("textarea");
  if (!field.value) field.value = field.dataset.suggested;
  field.focus(); // and it is not ticked yet: what went wrong is not what is right
});
