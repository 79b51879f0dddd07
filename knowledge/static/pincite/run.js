// Follows research while it is done: each step as it is stored, and at the end the report that a reload shows.

const body = document.getElementById("run-body");
const list = document.getElementById("steps");
const KINDS = ["plan", "search", "finding", "gap", "write", "done", "problem"];
const shown = new Set();

async function renew() {
  const response = await fetch(body.dataset.body, { headers: { Accept: "text/html" } });
  if (!response.ok || response.redirected) return window.location.reload();
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  body.replaceWith(document.importNode(page.getElementById("run-body"), true));
}

function onStep(event) {
  if (shown.has(event.lastEventId)) return;
  shown.add(event.lastEventId);
  const line = document.createElement("li");
  line.textContent = JSON.parse(event.data).told;
  list.append(line);
}

// The stream begins with the first step; the browser reconnects by itself and says which step it saw last.
list.replaceChildren();
const source = new EventSource(body.dataset.stream);
for (const kind of KINDS) source.addEventListener(kind, onStep);
source.addEventListener("end", () => {
  source.close();
  renew();
});
