// Runs: two that are selected are compared; c without a selection compares the row that keys are about with its baseline.

import { current } from "../js/rows.js";
import { say } from "../js/copy.js";

document.getElementById("chosen")?.addEventListener("submit", (event) => {
  const boxes = [...event.target.querySelectorAll("input[name=run]:checked")];
  if (boxes.length > 1) return;
  event.preventDefault();
  const run = boxes[0]?.value ?? current()?.querySelector("input[name=run]")?.value;
  if (!run) return say("Select two runs first: x");
  const url = new URL(event.target.action);
  url.searchParams.set("candidate", run);
  location.assign(url);
});

/** What the list asks for when it refreshes: the rows of runs that go on, or were not read yet. */
function want() {
  const form = document.getElementById("chosen");
  if (!form?.dataset.refresh) return;
  const url = new URL(location.href);
  for (const row of document.querySelectorAll("[data-pending]")) url.searchParams.append("want", row.dataset.pending);
  form.dataset.src = url.href;
}

document.addEventListener("swapped", want);
want();
