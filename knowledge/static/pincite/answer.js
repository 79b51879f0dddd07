// Follows an answer while it is written: pieces of text as they come, each sentence replaced by the checked
// one when it is complete, and at the end the same fragment that a reload would show.

const MARKER = /\s*\[\s*\d+(?:\s*[,;]\s*\d+)*\s*\]/g;
const UNVERIFIED = "not found word for word in the sources";
const OTHER_WORDS = "in other words than the source: compare";
const BUSY_PAUSE = 2000; // milliseconds between looks at an answer that is written elsewhere

function element(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

// How a page is named in a sentence; the same as the pages do it.
function at(label) {
  return /^\d+$/.test(label) ? `page\u00a0${label}` : label;
}

function link(viewer, citation) {
  const place = new URLSearchParams({
    version: citation.version_id,
    page: citation.page,
    start: citation.start,
    end: citation.end,
  });
  const cite = element("sup", "cite");
  const anchor = element("a", "");
  anchor.href = `${viewer}${citation.document_id}/?${place}#pin`;
  anchor.title = `“${citation.quote}” (${citation.document.split("/").pop()}, ${at(citation.page_label)})`;
  anchor.append(element("span", "sr", "Source "), `[${citation.number}]`);
  cite.append(anchor);
  return cite;
}

function checked(viewer, sentence) {
  const shown = element("span", "sentence");
  shown.append(element("span", "words", sentence.text));
  shown.append(...sentence.citations.map((citation) => link(viewer, citation)));
  if (!sentence.verbatim) {
    const isCited = sentence.citations.length > 0;
    shown.classList.add(isCited ? "paraphrase" : "unverified");
    shown.append(" ", element("span", "flag", isCited ? OTHER_WORDS : unverified(sentence)));
  }
  return shown;
}

function unverified({ problem, silent, cut }) {
  if (cut) return "not checked: the summary stopped here";
  if (silent) return "the machine found no answer: see the quotes yourself";
  return problem ? `not in the sources: ${problem}` : UNVERIFIED;
}

// What is left of the raw text once a completed sentence has been taken from its front.
function rest(raw, sentence) {
  const plain = raw.replace(MARKER, "").trimStart();
  return plain.startsWith(sentence) ? plain.slice(sentence.length) : "";
}

class Writing {
  constructor(body) {
    this.body = body;
    this.text = body.querySelector("[data-text]");
    this.told = body.querySelector("[data-told]");
    this.form = body.querySelector("[data-write]");
  }

  start() {
    this.failures = 0;
    this.form.hidden = true;
    this.body.querySelector(".message.error")?.remove();
    this.text.setAttribute("aria-busy", "true");
    this.tell("Reading…");
    this.source = new EventSource(this.body.dataset.stream);
    this.source.onopen = () => this.clear(); // a reconnected stream begins again
    this.source.onerror = () => this.onLost();
    const handlers = {
      text: (data) => this.onText(data),
      sentence: (data) => this.onSentence(data),
      problem: () => this.end(() => renew(this.body)),
      done: () => this.end(() => renew(this.body, "The summary is complete.")),
      busy: () => this.end(() => this.onBusy()),
    };
    for (const [kind, handle] of Object.entries(handlers)) {
      this.source.addEventListener(kind, (event) => handle(JSON.parse(event.data)));
    }
  }

  clear() {
    this.raw = "";
    this.tail = element("span", "tail");
    this.text.replaceChildren(this.tail);
  }

  onText(data) {
    this.tell("Writing…");
    this.raw += data.text;
    this.tail.textContent = this.raw;
  }

  onSentence(sentence) {
    this.raw = rest(this.raw, sentence.text);
    this.tail.textContent = this.raw;
    if (sentence.text) this.tail.before(checked(this.body.dataset.viewer, sentence), " ");
  }

  onBusy() {
    this.tell("This answer is being written in another window…");
    setTimeout(() => renew(this.body), BUSY_PAUSE);
  }

  // The browser reconnects by itself; when that does not help, a person decides.
  onLost() {
    this.failures += 1;
    if (this.source.readyState !== EventSource.CLOSED && this.failures < 3) return;
    this.end(() => {
      this.tell("The connection was lost before the summary was complete.");
      this.form.hidden = false;
    });
  }

  end(then) {
    this.source.close();
    this.text.removeAttribute("aria-busy");
    then();
  }

  tell(words) {
    if (this.told.textContent !== words) this.told.textContent = words;
  }
}

// Put what is stored now in place of what is shown, and go on following it if it is not complete.
async function renew(body, words = "") {
  const response = await fetch(body.dataset.body, { headers: { Accept: "text/html" } });
  if (!response.ok || response.redirected) return window.location.reload();
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const fresh = document.importNode(page.getElementById("answer-body"), true);
  const opened = body.querySelector("details.plan")?.open ?? false;
  body.replaceWith(fresh);
  const plan = fresh.querySelector("details.plan");
  if (plan) plan.open = opened;
  if (words) fresh.querySelector("[data-told]").textContent = words;
  return follow(fresh);
}

function follow(body) {
  const form = body.querySelector("[data-write]");
  if (!form) return;
  const writing = new Writing(body);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    writing.start();
  });
  if (body.dataset.state !== "failed") writing.start();
}

follow(document.getElementById("answer-body"));
