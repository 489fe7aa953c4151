// The choice of results: kept in the address, and applied to figures and tables alike; a league stays whole.

const LABELS = ["source", "task", "L", "supervision", "lengths", "model"]; // in the order of each cell's labels
const BESIDE = ["model", "supervision", "lengths", "L", "task"];

async function unpacked(element) {
  const bytes = Uint8Array.from(atob(element.textContent), character => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

const data = await unpacked(document.getElementById("data"));
const form = document.getElementById("choice");
const dialog = document.getElementById("cell");
for (const table of data.tables) table.rows = table.rows.map(row => row.map(entryOf));

const labelsByKey = new Map(Object.entries(data.cells).map(([key, {labels}]) =>
  [key, Object.fromEntries(LABELS.map((name, place) => [name, String(labels[place] ?? "")]))]));
const values = Object.fromEntries(LABELS.map(name => [name, [...new Set([...labelsByKey.values()].map(labels => labels[name]))].filter(Boolean)]));
values.L.sort((a, b) => a - b);
const known = Object.fromEntries(LABELS.map(name => [name, new Set(values[name])]));

/** Values in the order of all values of a label. */
function inOrder(name, some) {
  const present = new Set(some);
  return [...(values[name] ?? []).filter(value => present.has(value)), ...[...present].filter(value => !known[name]?.has(value))];
}

let drawnSearch = location.search; // of the choice that is drawn
const chosen = Object.fromEntries(LABELS.map(name => [name, new Set()]));
let beside = "model";

/** Whether the choice leaves what has these labels. A label that is missing, or stands for several values, passes. */
function passes(labels) {
  return LABELS.every(name => {
    const value = String(labels[name] ?? "");
    return chosen[name].size === 0 || !known[name].has(value) || chosen[name].has(value);
  });
}

function readAddress() {
  const query = new URLSearchParams(location.search);
  for (const name of LABELS) chosen[name] = new Set(query.getAll(name).filter(value => known[name].has(value)));
  beside = BESIDE.includes(query.get("beside")) ? query.get("beside") : "model";
}

function writeAddress() {
  const query = new URLSearchParams();
  for (const name of LABELS) for (const value of chosen[name]) query.append(name, value);
  if (beside !== "model") query.set("beside", beside);
  replaceAddress(`${query.size ?? [...query].length ? `?${query}` : ""}${location.hash}`);
  drawnSearch = location.search;
}

function replaceAddress(end) {
  try {
    history.replaceState(null, "", `${location.pathname}${end}`);
  } catch { /* a page inside another one may have no address of its own */ }
}

function summaryText(name) {
  const some = inOrder(name, chosen[name]);
  return `${name}: ${some.length === 0 ? "all" : some.length < 3 ? some.join(", ") : `${some.length} of ${values[name].length}`}`;
}

/** Build the form, once: its controls keep the focus, and its output stays one live region. */
function buildForm() {
  const choices = LABELS.filter(name => values[name].length > 1).map(name => {
    const boxes = values[name].map(value => {
      const change = event => { chosen[name][event.target.checked ? "add" : "delete"](value); changed(); };
      return make("label", {}, make("input", {type: "checkbox", name, value, onchange: change}), ` ${value}`);
    });
    return make("details", {"data-label": name}, make("summary"), make("fieldset", {}, make("legend", {}, name), ...boxes));
  });
  const options = BESIDE.map(name => make("option", {value: name}, name));
  const select = make("select", {name: "beside", onchange: event => { beside = event.target.value; changed(); }}, ...options);
  const clear = () => { for (const name of LABELS) chosen[name].clear(); beside = "model"; changed(); };
  form.replaceChildren(...choices, make("label", {}, "side by side ", select),
    make("button", {type: "button", class: "plain", onclick: clear}, "show all"), make("output", {role: "status"}));
  form.hidden = false;
}

/** The form as the choice is. */
function updateForm() {
  for (const details of form.querySelectorAll("details")) {
    const name = details.dataset.label;
    const summary = details.querySelector("summary");
    summary.textContent = summaryText(name);
    summary.classList.toggle("chosen", chosen[name].size > 0);
    for (const box of details.querySelectorAll("input")) box.checked = chosen[name].has(box.value);
  }
  form.querySelector("select").value = beside;
}

function changed() {
  writeAddress();
  updateForm();
  draw();
}

/** What is shown of a table; a league stays whole, as ranks are those of all its models. */
function shownOf(table) {
  if (table.whole) return table;
  return table.scale ? pivoted(table, beside, passes) : filtered(table, passes, key => labelsByKey.get(key));
}

let drawing = 0;

/** Draw everything again: tables at once, figures one after the other. */
async function draw() {
  const current = ++drawing;
  const isChosen = LABELS.some(name => chosen[name].size);
  for (const table of data.tables) {
    const place = document.getElementById(table.name)?.querySelector(".wide");
    if (!place) continue;
    drawTable(place, shownOf(table), table.scale, table.name);
  }
  const all = [...labelsByKey.values()];
  const number = all.filter(passes).length.toLocaleString("en");
  form.querySelector("output").textContent = `${number} of ${numberOf(all.length, "results")}`;
  const charts = [...document.querySelectorAll("figure > .chart")];
  for (const [place, chart] of charts.entries()) {
    await new Promise(resolve => setTimeout(resolve)); // so that a click is never kept waiting
    if (current !== drawing) return;
    await drawChart(chart, chosenSpec(data.specs[place], passes, isChosen, chart.clientWidth), chart.parentElement.id);
  }
  document.body.dataset.drawn = String(current);
}

/** What tables say of a record. */
function numbersOf(key) {
  const found = new Map();
  for (const {scale, name, rows} of data.tables) {
    const title = document.getElementById(`${name}-title`)?.textContent.split(":")[0] ?? name;
    for (const entry of scale ? rows.flat() : []) if (entry.key === key) found.set(title, entry.text);
  }
  return [...found];
}

function followAddress() {
  const key = location.hash.slice(1);
  const cell = Object.hasOwn(data.cells, key) ? data.cells[key] : null;
  if (cell) {
    const {task, L, supervision, lengths, model} = labelsByKey.get(key);
    const title = [model, task, L && `L = ${L}`, supervision, lengths && `${lengths} lengths`].filter(Boolean).join(" \u00b7 ");
    openCell(dialog, {key, title, cell, numbers: numbersOf(key), trials: data.trials});
    return;
  }
  if (dialog.open) dialog.close();
  const target = document.getElementById(key);
  if (target?.tagName === "DETAILS") target.open = true;
}

dialog.addEventListener("close", () => {
  if (dialog.open) return; // again, with another cell
  releaseCell(dialog);
  if (labelsByKey.has(location.hash.slice(1))) replaceAddress(location.search);
});
dialog.addEventListener("click", event => { if (event.target === dialog) dialog.close(); });
addEventListener("hashchange", followAddress);
addEventListener("popstate", () => { const before = location.search; if (before !== drawnSearch) { readAddress(); updateForm(); draw(); drawnSearch = before; } });
addEventListener("beforeprint", () => { for (const claim of document.querySelectorAll("details.claim")) claim.open = true; });
document.addEventListener("click", event => {
  for (const open of form.querySelectorAll("details[open]")) if (!open.contains(event.target)) open.open = false;
});
form.addEventListener("keydown", event => {
  const open = event.target.closest("details[open]");
  if (event.key === "Escape" && open) { open.open = false; open.querySelector("summary").focus(); }
});
form.addEventListener("submit", event => event.preventDefault());

readAddress();
buildForm();
updateForm();
followAddress();
await draw();
