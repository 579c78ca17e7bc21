// Puts the newest state of what moves in the place of the old. Without it the page shows what was when it was loaded.
"use strict";
for (const place of document.querySelectorAll("[data-live]")) {
  const stream = new EventSource(place.dataset.live);
  stream.addEventListener("state", (event) => {
    const scrolled = [...place.querySelectorAll(".scroll")].map((table) => table.scrollLeft);
    // What the hub sends here is the same markup that it puts into the page.
    place.innerHTML = event.data;
    place.querySelectorAll(".scroll").forEach((table, index) => (table.scrollLeft = scrolled[index] || 0));
    place.dataset.updates = Number(place.dataset.updates || 0) + 1;
  });
  // The hub ends streams from time to time, and the browser comes again; "gone" means: do not.
  stream.addEventListener("gone", () => stream.close());
}
