// Sends the photo that was chosen or dropped, and shows what was measured. All that the service says is set as text.
"use strict";

const byId = (id) => document.getElementById(id);
const maxBytes = Number(document.querySelector("main").dataset.maxBytes);
let photo = null;
let underWay = null;

function say(text, busy = false) {
  byId("state").textContent = text;
  byId("state").classList.toggle("busy", busy);
}

function complain(message) {
  say("");
  byId("result").hidden = true;
  byId("trouble").textContent = message;
  byId("trouble").hidden = false;
}

async function measure(file) {
  photo = file;
  // The photo that was chosen last is the one that is wanted.
  if (underWay) underWay.abort();
  const request = (underWay = new AbortController());
  byId("trouble").hidden = true;
  if (file.size > maxBytes) {
    complain(`${file.name} has ${(file.size / 1e6).toFixed(1)} MB; at most ${maxBytes / 1e6} MB are taken.`);
    return;
  }
  say(`Measuring ${file.name} …`, true);
  const form = new FormData();
  form.append("sheet", byId("sheet").value);
  form.append("overlay", "true");
  form.append("photo", file, file.name);
  try {
    const response = await fetch("v1/measure", { method: "POST", body: form, signal: request.signal });
    const answer = await response.json();
    if (request.signal.aborted) return;
    if (answer.error) complain(`${file.name}: ${answer.error.message}`);
    else show(answer);
  } catch (error) {
    if (!request.signal.aborted) complain(`No answer: ${error.message}. Is the service running? Try again.`);
  }
}

function show(answer) {
  byId("name").textContent = answer.photo;
  const camera = answer.camera;
  byId("facts").textContent =
    `${answer.sheet.format.toUpperCase()}, long side ${answer.sheet.long_side} · camera ` +
    `${(camera.height_mm / 10).toFixed(0)} cm up, tilted ${camera.tilt_deg.toFixed(0)}° · ` +
    `${answer.width} × ${answer.height} px`;
  byId("feet").hidden = answer.feet.length === 0;
  byId("feet").tBodies[0].replaceChildren(...answer.feet.map(footRow));
  byId("warnings").replaceChildren(...answer.warnings.map(warningRow));
  byId("overlay").hidden = !answer.overlay;
  if (answer.overlay) byId("overlay").src = answer.overlay;
  const feet = answer.feet.map((foot) => `${foot.side} foot ${foot.length_mm.toFixed(0)} mm long`);
  byId("overlay").alt = `The photo with its measures drawn on it: ${feet.join(", ") || "no foot found"}`;
  say(`Measured: ${feet.join(", ") || "no foot found"}.`);
  byId("result").hidden = false;
  byId("result").focus({ preventScroll: true });
}

function copyOf(id) {
  return byId(id).content.cloneNode(true);
}

function footRow(foot) {
  const row = copyOf("foot-row").firstChild;
  const sizes = foot.shoe_sizes;
  const child = sizes.child ? " C" : "";
  row.cells[0].textContent = foot.side;
  row.cells[1].append(withHalf(foot.length_mm, foot.uncertainty_mm.length));
  row.cells[2].append(withHalf(foot.width_mm, foot.uncertainty_mm.width));
  row.cells[3].textContent = sizes.eu;
  ["uk", "us_men", "us_women"].forEach((system, place) => {
    row.cells[4 + place].textContent = sizes[system] === null ? "-" : `${sizes[system]}${child}`;
  });
  return row;
}

function withHalf(millimetres, half) {
  const text = copyOf("with-half");
  text.querySelector("strong").textContent = millimetres.toFixed(1);
  text.querySelector("small").textContent = `± ${half.toFixed(1)}`;
  return text;
}

function warningRow(warning) {
  const row = copyOf("warning-row").firstChild;
  row.querySelector("code").textContent = warning.code;
  row.querySelector("span").textContent = warning.message;
  return row;
}

function take(files) {
  if (files.length === 0) return;
  if (files.length > 1) say("One photo at a time: the first is measured.");
  measure(files[0]);
}

byId("photo").addEventListener("change", () => {
  take(byId("photo").files);
});
// The same photo may be chosen again.
byId("photo").addEventListener("click", () => {
  byId("photo").value = "";
});
// Of a photo that was measured before its sheet was named.
byId("sheet").addEventListener("change", () => {
  if (photo) measure(photo);
});
byId("form").addEventListener("submit", (event) => event.preventDefault());

// A photo that misses the zone must not replace the page.
for (const kind of ["dragover", "drop"]) window.addEventListener(kind, (event) => event.preventDefault());
byId("zone").addEventListener("dragover", () => byId("zone").classList.add("over"));
byId("zone").addEventListener("dragleave", () => byId("zone").classList.remove("over"));
window.addEventListener("drop", (event) => {
  byId("zone").classList.remove("over");
  take(event.dataTransfer.files);
});
