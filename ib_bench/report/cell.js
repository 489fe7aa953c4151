// An opened cell: its numbers, the command that repeats it, its success curve, its trials and their losses.

const CHART = {$schema: "https://vega.github.io/schema/vega-lite/v6.json", background: "white", height: 240};
const TRIAL = ["size", "learning rate", "seed", "status", "steps", "best loss"];
const DIAGNOSES = {succeeded: 0, futile: 1, failed: 2, diverged: 3};

/** Plain trials as objects: those that the page holds. */
function trialsOf(cell, trials) {
  return cell.trials.filter(place => place !== null).map(place => {
    const [size, rate, seed, status, steps, loss, threshold, at, losses] = trials[place];
    const curve = losses.map((value, index) => ({step: Array.isArray(at) ? at[index] : at * (index + 1), loss: value}));
    return {place, size, rate, seed, status, steps, loss, threshold, curve};
  });
}

/** How often training runs of each size succeed, with the band that was fitted, if one was. */
function successSpec(cell, trials) {
  const sizes = new Map((cell.shares ?? []).map(([size, succeeded, number]) => [size, [succeeded, number]]));
  for (const {size, status} of cell.shares ? [] : trials) {
    const [succeeded, number] = sizes.get(size) ?? [0, 0];
    sizes.set(size, [succeeded + (status === "succeeded"), number + 1]);
  }
  const points = [...sizes].map(([size, [succeeded, number]]) => ({size, chance: succeeded / number, succeeded, trials: number}));
  const band = (cell.band ?? []).map(([size, low, chance, high]) => ({size, low, chance, high}));
  const x = {field: "size", type: "quantitative", scale: {type: "log", base: 10}, title: "training sequences N", axis: {format: ",~g", tickCount: 6}};
  const y = field => ({field, type: "quantitative", scale: {domain: [0, 1]}, title: "share of runs that succeed"});
  const fitted = [
    {data: {values: band}, mark: {type: "area", opacity: 0.2, color: "#0072B2"}, encoding: {x, y: y("low"), y2: {field: "high"}}},
    {data: {values: band}, mark: {type: "line", color: "#0072B2"}, encoding: {x, y: y("chance")}},
  ];
  return {
    ...CHART,
    layer: [
      {mark: {type: "rule", color: "grey", strokeDash: [4, 4]}, encoding: {y: {datum: 0.5}}},
      ...(band.length ? fitted : []),
      {
        data: {values: points},
        mark: {type: "point", filled: true, color: "#0072B2", opacity: 1},
        encoding: {x, y: y("chance"), size: {field: "trials", type: "quantitative", legend: null, scale: {range: [40, 200]}},
          tooltip: ["size", "succeeded", "trials"].map(field => ({field}))},
      },
    ],
  };
}

/** Validation losses of all trials, with epsilon. */
function lossSpec(trials) {
  const values = trials.flatMap(({place, size, rate, seed, status, curve}) => curve
    .filter(({loss}) => loss !== null && loss > 0)
    .map(({step, loss}) => ({trial: place, size, rate, seed, status, step, loss})));
  const y = {field: "loss", type: "quantitative", scale: {type: "log", base: 10}, title: "validation loss, nats", axis: {format: "~g", tickCount: 6}};
  const tooltip = ["size", "rate", "seed", "status", "step", "loss"].map(field => ({field}));
  return {
    ...CHART,
    layer: [
      {
        data: {values},
        mark: {type: "line", point: {size: 12}, strokeWidth: 1.2, opacity: 0.8},
        encoding: {
          x: {field: "step", type: "quantitative", title: "optimizer steps"}, y, detail: {field: "trial"}, tooltip,
          color: {field: "size", type: "ordinal", title: "N", scale: {scheme: "viridis", reverse: true}},
        },
      },
      {
        data: {values: [...new Set(trials.map(({threshold}) => threshold))].map(loss => ({loss}))},
        mark: {type: "rule", strokeDash: [5, 4], color: "#D55E00", strokeWidth: 1.5}, encoding: {y},
      },
    ],
  };
}

/** Empty the dialog, and release what the browser holds for it: figures and the file of the config. */
function releaseCell(dialog) {
  for (const chart of dialog.querySelectorAll(".chart")) putChart(chart, null);
  const file = dialog.querySelector("a[download]");
  if (file) URL.revokeObjectURL(file.href);
  dialog.replaceChildren();
}

/** Fill and show the dialog for a record. */
function openCell(dialog, {key, title, cell, numbers, trials}) {
  releaseCell(dialog); // of the cell before, if it is still open
  const own = trialsOf(cell, trials);
  const commands = cell.config.split("\n").filter(line => line.startsWith("# ")).map(line => line.slice(2));
  const yaml = cell.config;
  const copy = event => navigator.clipboard?.writeText(commands.join("\n")).then(() => { event.target.textContent = "copied"; });
  const file = URL.createObjectURL(new Blob([yaml], {type: "text/yaml"}));
  const numMissing = cell.trials.length - own.length;
  const missing = numMissing ? `This page lacks ${numMissing.toLocaleString("en")} of its ${numberOf(cell.trials.length, "trials")}; \`ib-bench trials\` lists all in a store.` : "";
  const epsilons = [...new Set(own.map(({threshold}) => threshold))].join(", ");
  const charts = own.length ? [
    chartPlace("Success curve", "Share of training runs that succeed at each size; where a curve was fitted, with its 90 % band."),
    chartPlace("Validation losses", `One line a trial, coloured by N. Dashed: epsilon = ${epsilons}; a trial succeeds below it.`),
  ] : [];
  dialog.replaceChildren(
    make("button", {type: "button", class: "plain close", onclick: () => dialog.close()}, "close"),
    make("h2", {id: "cell-title", tabindex: "-1"}, title),
    make("dl", {}, ...numbers.flatMap(([name, text]) => [make("dt", {}, name), make("dd", {}, text)])),
    make("h3", {}, "Measure it again"),
    make("pre", {tabindex: "0", class: "command"}, commands.join("\n")),
    make("p", {}, make("button", {type: "button", class: "plain", onclick: copy}, "copy"), " ",
      make("a", {href: file, download: `${key}.yaml`}, "save the config"), " (the folder configs beside this page has it too: run the command where this page lies, with --store and the path of your store, which gives the trials that it holds; and with PYTHONPATH=FOLDER before it if the model is of your own)"),
    make("details", {}, make("summary", {}, "config"), make("pre", {tabindex: "0"}, yaml)),
    ...charts.flat(),
    make("h3", {id: "cell-trials-title"}, `Trials (${own.length})`),
    ...(missing ? [make("p", {class: "note"}, missing)] : []),
    make("div", {class: "wide", tabindex: "0", role: "group", "aria-labelledby": "cell-trials-title"}),
  );
  if (own.length) {
    drawTable(dialog.lastElementChild, {columns: TRIAL, labels: 0, rows: own.map(trialRow)}, null, "cell-trials");
  }
  if (!dialog.open) dialog.showModal();
  dialog.querySelector("h2").focus();
  if (charts.length) {
    const width = Math.max(180, Math.min(720, charts[0][2].clientWidth - 150)); // the rest is for axis and legend
    drawChart(charts[0][2], {...successSpec(cell, own), width}, `${key}-success`);
    drawChart(charts[1][2], {...lossSpec(own), width}, `${key}-losses`);
  }
}

function chartPlace(title, note) {
  return [make("h3", {}, title), make("p", {class: "note"}, note), make("div", {class: "wide chart", role: "group", "aria-label": title, tabindex: "0"})];
}

function trialRow({size, rate, seed, status, steps, loss}) {
  const number = (value, text) => ({...EMPTY, text: text ?? value.toLocaleString("en"), order: value});
  const state = {...EMPTY, text: status, order: DIAGNOSES[status] ?? status};
  return [number(size), number(rate, String(rate)), number(seed, String(seed)), state, number(steps), loss === null ? EMPTY : number(loss, loss.toPrecision(3))];
}
