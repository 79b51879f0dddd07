// Security keys and passkeys: the browser talks to the key, the form carries what it said.

const options = JSON.parse(document.getElementById("key-options").textContent);

for (const form of document.querySelectorAll("form[data-key]")) {
  const credential = form.elements.namedItem("credential");
  const failed = form.querySelector("[role=alert]");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    failed.hidden = true;
    try {
      credential.value = JSON.stringify(await webauthnJSON[form.dataset.key](options));
      form.submit();
    } catch {
      failed.hidden = false;
    }
  });
}
