// Small things of the matter page and the document viewer; both work without them.

// A highlighted passage is brought into view, also when the address does not end in #pin.
const pin = document.getElementById("pin");
if (pin) pin.scrollIntoView({ block: "center" });

// In a long list of pages the current one is in view.
const current = document.querySelector(".page-list [aria-current]");
if (current) {
  const list = current.closest("ol");
  list.scrollTop = current.offsetTop - list.offsetTop - list.clientHeight / 2;
}

// Enter asks, Shift+Enter makes a new line.
for (const field of document.querySelectorAll("textarea[data-submit]")) {
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    field.form.requestSubmit();
  });
}

// A question takes a moment: say so, and do not send it twice.
for (const form of document.querySelectorAll("form[data-busy]")) {
  const button = form.querySelector("button");
  const words = button.textContent;
  form.addEventListener("submit", () => {
    button.textContent = form.dataset.busy;
    button.disabled = true;
  });
  // Coming back with the browser's button must find the form as it was.
  window.addEventListener("pageshow", () => {
    button.textContent = words;
    button.disabled = false;
  });
}

// A renewal that is asked for while another is under way would be lost with the element that it replaces.
let isRenewing = false;
let isRenewalDue = false;
const isList = (event) => event.target.id === "documents";
document.body.addEventListener("refresh", () => {
  isRenewalDue = isRenewing;
});
document.body.addEventListener("htmx:beforeRequest", (event) => {
  if (isList(event)) isRenewing = true;
});
for (const end of ["htmx:afterSettle", "htmx:responseError", "htmx:sendError"]) {
  document.body.addEventListener(end, (event) => {
    if (!isList(event)) return;
    isRenewing = false;
    if (isRenewalDue) document.body.dispatchEvent(new CustomEvent("refresh"));
  });
}

// The list renews itself often; people who listen to the page are told only when the work has moved on.
let told = document.getElementById("documents")?.dataset.told;
document.body.addEventListener("htmx:afterSwap", () => {
  const now = document.getElementById("documents")?.dataset.told;
  if (now === told) return;
  told = now;
  document.getElementById("documents-told").textContent = now;
});

// A list that renews itself must not show the sign-in page inside itself when the session has ended.
document.body.addEventListener("htmx:beforeSwap", (event) => {
  if (new URL(event.detail.xhr.responseURL).pathname.startsWith("/login/")) {
    event.detail.shouldSwap = false;
    window.location.reload();
  }
});

// A page that cannot be shown as it is printed says why in its place.
for (const picture of document.querySelectorAll(".printed img")) {
  const tell = async () => {
    const note = document.createElement("p");
    const response = await fetch(picture.src);
    const isTold = [409, 503].includes(response.status);
    note.textContent = isTold ? await response.text() : "The page cannot be shown as it is printed.";
    picture.parentElement.replaceChildren(note);
  };
  if (picture.complete && picture.naturalWidth === 0) tell();
  else picture.addEventListener("error", tell, { once: true });
}
