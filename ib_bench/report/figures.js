// Figures: panels of those rows that the choice leaves. Scales stay those of all results, so that views can be compared.

const MAX_PANELS = 60;
const MAX_COLUMNS = 4;
const PANEL_MARGIN = 45; // pixels beside a panel, for the axis
const NARROW = 600; // pixels of a page, in which legends do not stand beside panels
const MAX_VECTOR_ROWS = 4000; // more are drawn as pixels

/** Whether a row is one result, or pools results of all that is chosen; a median over all tasks is none of one task. */
function isOfChoice(row) {
  return row.href || LABELS.every(name => chosen[name].size === 0 || name in row);
}

/** A figure's specification for a choice and a width in pixels. */
function chosenSpec(spec, passes, isChosen, width) {
  if (!spec.concat) return spec;
  const columns = columnsFor(spec, width);
  if (!isChosen && columns >= spec.columns) return spec;
  const drawn = spec.concat.map(panel => ({title: panel.title.text, rows: spec.datasets[panel.data.name]}));
  const kept = [...drawn, ...(spec.usermeta?.left_out ?? [])]
    .map(({title, rows}) => ({title, rows: rows.filter(row => passes(row) && isOfChoice(row))}))
    .filter(({rows}) => rows.length);
  const panels = kept.slice(0, MAX_PANELS);
  const inRow = Math.min(panels.length, isChosen ? columns : Math.min(columns, spec.columns));
  const template = withAxes(spec.concat[0]);
  const concat = panels.map(({title}, place) => ({
    ...withoutAxes(template, place % inRow > 0, place + inRow < panels.length),
    data: {name: `rows ${place}`},
    title: {...template.title, text: title},
  }));
  const datasets = Object.fromEntries(panels.map(({rows}, place) => [`rows ${place}`, rows]));
  const {usermeta, ...rest} = spec;
  if (/^the first \d/.test(spec.title?.text[0])) rest.title = {...spec.title, text: spec.title.text.slice(1)}; // how many panels all results have
  if (width < NARROW) rest.config = {...spec.config, legend: {...spec.config.legend, orient: "top", columns: 2}};
  return {...rest, concat, columns: inRow, datasets, numLeftOut: kept.length - panels.length};
}

function columnsFor(spec, width) {
  return Math.max(1, Math.min(MAX_COLUMNS, Math.floor((width - 150) / (spec.concat[0].width + PANEL_MARGIN))));
}

/** A panel whose axes have labels, whatever place it was drawn for. */
function withAxes(panel) {
  return mapAxes(panel, () => true, axis => {
    const {labels, ticks, title, ...rest} = axis;
    return labels === false && ticks === false ? rest : axis;
  });
}

function withoutAxes(panel, isInner, isUpper) {
  const hides = channel => channel === "x" ? isUpper : isInner;
  return mapAxes(panel, hides, axis => ({...axis, labels: false, ticks: false, title: null}));
}

function mapAxes(panel, applies, change) {
  const layer = panel.layer.map(own => {
    const encoding = {...own.encoding};
    for (const channel of ["x", "y"]) {
      if (encoding[channel] && applies(channel)) encoding[channel] = {...encoding[channel], axis: change(encoding[channel].axis ?? {})};
    }
    return {...own, encoding};
  });
  return {...panel, layer};
}

/** Draw a specification into its place, unless it is there. */
async function drawChart(place, spec, name) {
  if (place.spec === spec) return;
  place.spec = spec;
  if (spec.concat && !spec.concat.length) {
    putChart(place, null, make("p", {class: "note"}, "Nothing of this choice."));
    return;
  }
  const {numLeftOut, ...drawn} = spec;
  const numRows = Object.values(spec.datasets ?? {}).reduce((sum, rows) => sum + rows.length, 0);
  const renderer = numRows > MAX_VECTOR_ROWS ? "canvas" : "svg";
  const inner = make("div");
  const embedded = await vegaEmbed(inner, drawn, {renderer, logLevel: 1, downloadFileName: name, actions: {source: false, editor: false, compiled: false}});
  if (place.spec !== spec || !place.isConnected) { // another one is wanted by now, or none
    embedded.finalize();
    return;
  }
  for (const group of inner.querySelectorAll("[role=graphics-symbol]:not([aria-label])")) { // holds marks that have labels
    group.removeAttribute("role");
    group.removeAttribute("aria-roledescription");
  }
  inner.querySelector("summary")?.setAttribute("aria-label", "Save this figure");
  inner.querySelector("svg, canvas")?.setAttribute("aria-label", place.getAttribute("aria-label") ?? name);
  linkMarkers(inner);
  putChart(place, embedded, inner);
  if (numLeftOut) place.append(make("p", {class: "note"}, `${numberOf(numLeftOut, "more panels")}: choose less.`));
}

/** Put something into the place of a chart. The chart before it is finalized: Vega listens on the document until then. */
function putChart(place, embedded, ...children) {
  place.embedded?.finalize();
  place.embedded = embedded;
  place.replaceChildren(...children);
}

const LINK = /(?:^|; )href: (#\w+)$/; // as Vega-Lite ends the description of a mark that has one
const STEPS = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity};

/** Markers as links for the keyboard: Tab leads to one of a figure, arrows to the others, Enter opens it. */
function linkMarkers(chart) {
  const byKey = new Map();
  for (const mark of chart.querySelectorAll("[role=graphics-symbol][aria-label*='href: #']")) {
    const key = LINK.exec(mark.getAttribute("aria-label"))?.[1];
    const isLine = mark.getAttribute("aria-roledescription") === "line mark";
    if (key && !(isLine && byKey.has(key))) byKey.set(key, mark); // the last is drawn on top
  }
  const markers = [...byKey];
  for (const [place, [key, mark]] of markers.entries()) {
    mark.setAttribute("role", "link");
    mark.removeAttribute("aria-roledescription");
    mark.setAttribute("aria-label", mark.getAttribute("aria-label").replace(LINK, ""));
    mark.setAttribute("tabindex", place ? "-1" : "0");
    mark.addEventListener("focus", () => pointAt(mark, "pointermove"));
    mark.addEventListener("blur", () => pointAt(mark, "pointerout"));
    mark.addEventListener("keydown", event => {
      if (event.key === "Enter") location.hash = key;
      else if (event.key in STEPS) {
        const other = markers[Math.max(0, Math.min(markers.length - 1, place + STEPS[event.key]))][1];
        mark.setAttribute("tabindex", "-1");
        other.setAttribute("tabindex", "0");
        other.focus();
      } else return;
      event.preventDefault(); // arrows would scroll
    });
  }
}

/** What the pointer does at the middle of a marker: its text is shown, or no longer. */
function pointAt(mark, type) {
  const {x, y, width, height} = mark.getBoundingClientRect();
  mark.dispatchEvent(new PointerEvent(type, {bubbles: true, clientX: x + width / 2, clientY: y + height / 2}));
  document.getElementById("vg-tooltip-element")?.setAttribute("aria-hidden", "true"); // the marker's label says it all
}
