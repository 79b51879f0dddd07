// Uploads one file per request, a few at a time, with a bar for each file and one for the whole batch.

const AT_ONCE = 3;
const RENEW_EVERY = 1500; // milliseconds between renewals of the list while files are being sent
const NOT_DOCUMENTS = new Set([".DS_Store", "Thumbs.db", "desktop.ini"]);
const WORDS = {
  queued: "sent",
  duplicate: "the same as another file here",
  unchanged: "already here",
  rejected: "not taken in",
};

const form = document.querySelector("form[data-upload]");
const area = document.getElementById("upload");
const list = document.getElementById("upload-files");
const bar = document.getElementById("upload-bar");
const report = document.getElementById("upload-report");
const told = document.getElementById("upload-told");
const batch = { waiting: [], running: 0, total: 0, ended: 0, refused: 0, renewed: 0, upload: null };

// --- Files, from the two fields and from what is dropped ---

function picked(file) {
  return { file, path: file.webkitRelativePath || file.name };
}

async function entries(directory) {
  const reader = directory.createReader();
  const all = [];
  for (;;) {
    // A reader hands out a hundred entries at a time and ends with an empty list.
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return all;
    all.push(...some);
  }
}

async function filesIn(entry) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return [{ file, path: entry.fullPath.replace(/^\//, "") }];
  }
  const found = await Promise.all((await entries(entry)).map(filesIn));
  return found.flat();
}

async function dropped(transfer) {
  const roots = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!roots.length) return [...transfer.files].map(picked);
  return (await Promise.all(roots.map(filesIn))).flat();
}

// --- Sending: each file in pieces, so that a dropped connection costs one piece ---

const PIECE = 8 * 1024 * 1024;
const PAUSES = [1, 2, 4, 8, 15, 30, 30, 30]; // seconds between tries when the connection is lost
const LOST = { kind: "rejected", detail: "The connection was lost. Send it again." };

class Refused extends Error {}

function call(method, path, body, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, path);
    request.responseType = "json";
    request.setRequestHeader("X-CSRFToken", form.elements.csrfmiddlewaretoken.value);
    if (onProgress) request.upload.onprogress = (event) => onProgress(event.loaded);
    const isJson = body && !(body instanceof Blob);
    request.setRequestHeader("Content-Type", isJson ? "application/json" : "application/octet-stream");
    request.onload = () => {
      const { status, response } = request;
      if (status < 300) resolve(response);
      else if (status === 409 && response?.offset !== undefined) resolve(response);
      else if (status >= 500) reject(new Error(`error ${status}`));
      else reject(new Refused(response?.detail ?? refusal(status)));
    };
    request.onerror = () => reject(new Error("connection lost"));
    request.send(isJson ? JSON.stringify(body) : body);
  });
}

async function persistently(action) {
  for (const pause of [...PAUSES, null]) {
    try {
      return await action();
    } catch (error) {
      if (error instanceof Refused || pause === null) throw error;
      await new Promise((resolve) => setTimeout(resolve, pause * 1000));
    }
  }
}

function begun() {
  const custodian = encodeURIComponent(form.elements.custodian.value);
  batch.upload ??= persistently(() => call("POST", `${form.dataset.begin}?custodian=${custodian}`));
  return batch.upload;
}

async function send({ file, path }, onProgress) {
  try {
    const upload = await begun();
    const announced = { path, size: file.size };
    const address = `${form.dataset.api}uploads/${upload.id}/files`;
    let state = await persistently(() => call("POST", address, announced));
    const transfer = `${form.dataset.api}transfers/${state.id}`;
    while (!state.outcome) {
      const { offset } = state;
      const piece = file.slice(offset, offset + PIECE);
      const tell = (loaded) => onProgress(offset + loaded, file.size);
      state = await persistently(async () => {
        // What arrived before the connection was lost need not be sent again.
        return call("PATCH", `${transfer}?offset=${offset}`, piece, tell);
      });
    }
    return { kind: state.outcome, detail: "" };
  } catch (error) {
    return error instanceof Refused ? { kind: "rejected", detail: error.message } : LOST;
  }
}

function refusal(status) {
  const reasons = { 403: "You may not upload here.", 413: "The file is too large." };
  return reasons[status] ?? `The service did not take it (error ${status}).`;
}

function line(path) {
  const row = document.createElement("li");
  const name = document.createElement("span");
  const state = document.createElement("span");
  const progress = document.createElement("progress");
  name.textContent = path;
  name.className = "upload-name";
  state.className = "upload-state";
  progress.max = 1;
  progress.setAttribute("aria-label", path);
  row.append(name, progress, state);
  return row;
}

async function sendNext() {
  const item = batch.waiting.shift();
  if (!item) return;
  batch.running += 1;
  const row = line(item.path);
  const progress = row.querySelector("progress");
  list.append(row);
  list.scrollTop = list.scrollHeight;
  const outcome = await send(item, (loaded, total) => {
    progress.value = total ? loaded / total : 1;
  });
  progress.remove();
  row.className = outcome.kind;
  const detail = outcome.kind === "rejected" ? `: ${outcome.detail}` : "";
  row.querySelector(".upload-state").textContent = WORDS[outcome.kind] + detail;
  batch.running -= 1;
  batch.ended += 1;
  batch.refused += outcome.kind === "rejected" ? 1 : 0;
  tell();
  sendNext();
}

function tell() {
  const isOver = batch.ended === batch.total;
  bar.max = batch.total;
  bar.value = batch.ended;
  const refused = batch.refused ? ` ${batch.refused} not taken in; the list says why.` : "";
  told.textContent = `${batch.ended} of ${batch.total} files sent.${refused}`;
  if (isOver && batch.upload) {
    batch.upload.then((upload) => {
      report.href = `${form.dataset.api}uploads/${upload.id}/report`;
      report.hidden = false;
    });
  }
  if (isOver || Date.now() - batch.renewed > RENEW_EVERY) {
    batch.renewed = Date.now();
    document.body.dispatchEvent(new CustomEvent("refresh"));
  }
}

function upload(items) {
  const wanted = items.filter(({ file }) => !NOT_DOCUMENTS.has(file.name));
  if (!wanted.length) return;
  if (batch.ended === batch.total) {
    Object.assign(batch, { total: 0, ended: 0, refused: 0, upload: null });
    report.hidden = true;
    list.replaceChildren();
  }
  batch.waiting.push(...wanted);
  batch.total += wanted.length;
  document.getElementById("upload-progress").hidden = false;
  area.open = true;
  tell();
  while (batch.running < AT_ONCE && batch.waiting.length) sendNext();
}

// --- The form, and the whole page as a place to drop on ---

form.querySelector("[data-plain]").hidden = true;
form.querySelector(".drop-hint").hidden = false;
for (const field of form.querySelectorAll("input[type=file]")) {
  field.addEventListener("change", () => {
    upload([...field.files].map(picked));
    field.value = "";
  });
}

function hasFiles(event) {
  return event.dataTransfer?.types.includes("Files");
}

let depth = 0; // dragenter and dragleave fire for every element on the way
document.addEventListener("dragenter", (event) => {
  if (!hasFiles(event)) return;
  depth += 1;
  area.open = true;
  document.body.classList.add("dropping");
});
document.addEventListener("dragleave", (event) => {
  if (!hasFiles(event)) return;
  depth -= 1;
  if (depth <= 0) document.body.classList.remove("dropping");
});
document.addEventListener("dragover", (event) => {
  if (hasFiles(event)) event.preventDefault();
});
document.addEventListener("drop", async (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  depth = 0;
  document.body.classList.remove("dropping");
  upload(await dropped(event.dataTransfer));
});
window.addEventListener("beforeunload", (event) => {
  if (batch.ended < batch.total) event.preventDefault();
});
