// Tables: rows that the choice leaves, pivoted by what the reader compares.

const MAX_ROWS = 200; // that are drawn at once

/** An element with attributes and children; texts are text and nothing else. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** A count with its noun, which is given in the plural. */
function numberOf(count, plural) {
  return `${count.toLocaleString("en")} ${count === 1 ? plural.replace(/s$/, "") : plural}`;
}

const EMPTY = {text: "", order: "", key: null, bound: false};

function entryOf(plain) {
  if (!Array.isArray(plain)) return {...EMPTY, text: plain, order: plain};
  const [text, order, key, bound] = plain;
  return {text, order, key, bound: Boolean(bound)};
}

/** Headings that stand for another label. */
const LABEL_OF = {"at L": "L"};

/** What a row is about: by its label columns, and what all rows share. */
function labelsOfRow(table, row) {
  const labels = {...table.shared};
  table.columns.slice(0, table.labels).forEach((column, place) => { labels[LABEL_OF[column] ?? column] = row[place].text; });
  return labels;
}

/** A table of one column for each value of `beside`, as {columns, labels, rows}. Results that no label tells apart have a row each. */
function pivoted(table, beside, passes) {
  const cells = [];
  for (const row of table.rows) {
    const about = labelsOfRow(table, row);
    table.columns.slice(table.labels).forEach((model, place) => {
      const labels = {...about, model};
      const entry = row[table.labels + place];
      if (entry.text && passes(labels)) cells.push({row, labels, entry});
    });
  }
  const own = table.columns.slice(0, table.labels);
  const across = own.includes(beside) ? beside : "model";
  const heads = own.filter(column => column !== across);
  if (across !== "model") heads.push("model");
  const order = across === "model" ? table.columns.slice(table.labels) : inOrder(across, cells.map(cell => cell.labels[across]));
  const columns = order.filter(value => cells.some(cell => cell.labels[across] === value));
  const rows = new Map(); // those with the same labels together
  for (const {row, labels, entry} of cells) {
    const head = heads.map(name => name === "model" ? entryOf(labels.model) : row[own.indexOf(name)]);
    const name = JSON.stringify(head.map(cell => cell.text));
    if (!rows.has(name)) rows.set(name, []);
    const alike = rows.get(name), place = heads.length + columns.indexOf(labels[across]);
    let free = alike.find(other => other[place] === EMPTY);
    if (!free) alike.push(free = [...head, ...columns.map(() => EMPTY)]);
    free[place] = entry;
  }
  return {columns: [...heads, ...columns], labels: heads.length, rows: [...rows.values()].flat()};
}

/** Rows of a table without models beside each other: by their labels, or by those of the records they lead to. */
function filtered(table, passes, labelsOfKey) {
  const rows = table.rows.filter(row => {
    const about = labelsOfRow(table, row);
    if (["task", "L", "model"].some(name => name in about)) return passes(about);
    const keys = row.map(entry => entry.key).filter(key => key && labelsOfKey(key));
    return keys.length === 0 || keys.some(key => passes(labelsOfKey(key)));
  });
  return {columns: table.columns, labels: table.labels, rows};
}

/** How dark the cells of a table are, from 0 to 1, by their numbers; null for bounds and texts. */
function shades(table, scale) {
  const at = scale === "log" ? Math.log : number => Math.min(Math.max(number, 0), 1);
  const isShaded = entry => entry.key && !entry.bound && typeof entry.order === "number" && (scale !== "log" || entry.order > 0);
  const numbers = table.rows.flat().filter(isShaded).map(entry => at(entry.order));
  const low = scale === "log" ? numbers.reduce((a, b) => Math.min(a, b), Infinity) : 0;
  const high = scale === "log" ? numbers.reduce((a, b) => Math.max(a, b), -Infinity) : 1;
  return entry => isShaded(entry) && scale ? (high > low ? (at(entry.order) - low) / (high - low) : 0.5) : null;
}

function sortRows(rows, {column, descending}) {
  const direction = descending ? -1 : 1;
  const ascending = (a, b) => typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, {numeric: true});
  const compare = (a, b) => (a === "") - (b === "") || direction * ascending(a, b);
  return rows.toSorted ? rows.toSorted((a, b) => compare(a[column].order, b[column].order))
    : [...rows].sort((a, b) => compare(a[column].order, b[column].order));
}

/** Draw a table into its place, which keeps by what it is sorted. */
function drawTable(place, shown, scale, name) {
  let all = false;
  const shade = shades(shown, scale);
  const cell = (entry, column) => {
    if (column < shown.labels) return make(...(entry.text ? ["th", {scope: "row", class: "label"}] : ["td", {}]), linked(entry));
    const amount = shade(entry);
    const kinds = [amount !== null && "shaded", entry.bound && "bound"].filter(Boolean).join(" ");
    const style = amount === null ? null : `--amount: ${(0.06 + 0.44 * amount).toFixed(2)}`;
    return make("td", {class: kinds || null, style}, linked(entry));
  };
  const draw = () => {
    const sorting = {...place.sorting, column: shown.columns.indexOf(place.sorting?.heading)};
    const heading = (text, column) => {
      const sorted = sorting.column === column ? (sorting.descending ? "descending" : "ascending") : null;
      const sort = () => {
        place.sorting = {heading: text, descending: sorted === "ascending"};
        draw();
        place.querySelectorAll("thead button")[column].focus();
      };
      const kind = column < shown.labels ? "label" : null;
      return make("th", {scope: "col", class: kind, "aria-sort": sorted}, make("button", {type: "button", onclick: sort}, text));
    };
    const rows = sorting.column < 0 ? shown.rows : sortRows(shown.rows, sorting);
    const body = rows.slice(0, all ? rows.length : MAX_ROWS).map(row => make("tr", {}, ...row.map(cell)));
    const head = make("thead", {}, make("tr", {}, ...shown.columns.map(heading)));
    const isWrapped = !scale && shown.labels === shown.columns.length;
    place.replaceChildren(make("table", {class: isWrapped ? "wrapped" : null, "aria-labelledby": `${name}-title`}, head, make("tbody", {}, ...body)));
    if (body.length < rows.length) {
      const more = () => {
        all = true;
        draw();
        const first = place.querySelectorAll("tbody tr")[body.length]; // of the new rows
        first.tabIndex = -1;
        first.focus();
      };
      place.append(make("button", {type: "button", class: "plain", onclick: more}, `show all ${numberOf(rows.length, "rows")}`));
    }
  };
  if (shown.rows.length) draw();
  else place.replaceChildren(make("p", {class: "note"}, "Nothing of this choice."));
}

function linked(entry) {
  return entry.key && entry.text ? make("a", {href: `#${entry.key}`}, entry.text) : entry.text;
}
