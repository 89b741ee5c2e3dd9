// The widgets of notebook.py. Texts of documents and labels are set as text, never as HTML.
const make = (tag, text, style) => {
  const one = document.createElement(tag);
  if (text !== undefined) one.textContent = text;
  if (style) one.style.cssText = style;
  return one;
};

function steer(model, el) {
  const sliders = make("div", undefined, "display:grid;grid-template-columns:auto 12em 3em;gap:.2em 1em;width:fit-content;align-items:center");
  const ranking = make("table", undefined, "margin-top:1em;border-collapse:collapse");
  const drawSliders = () => {
    sliders.replaceChildren();
    for (const [id, name, share] of model.get("features")) {
      const factor = model.get("factors")[id] ?? 1;
      const label = make("label", `${name}  ${share >= 0 ? "+" : ""}${share.toFixed(3)}`);
      const slider = make("input");
      Object.assign(slider, { type: "range", min: 0, max: 3, step: 0.1, value: factor, id: `factor-${id}-${Math.random()}` });
      slider.setAttribute("aria-label", name);
      label.htmlFor = slider.id;
      const value = make("output", `× ${factor}`);
      slider.oninput = () => (value.textContent = `× ${slider.value}`);
      slider.onchange = () => {
        const factors = { ...model.get("factors") };
        if (+slider.value === 1) delete factors[id];
        else factors[id] = +slider.value;
        model.set("factors", factors);
        model.save_changes();
      };
      sliders.append(label, slider, value);
    }
  };
  const drawRanking = () => {
    ranking.replaceChildren();
    model.get("ranking").forEach((row, place) => {
      const moved = row.before == null ? "new" : row.before - place - 1;
      const arrow = moved === "new" ? "new" : moved > 0 ? `▲ ${moved}` : moved < 0 ? `▼ ${-moved}` : "·";
      const line = make("tr");
      for (const text of [place + 1, arrow, row.score.toFixed(4), row.doc_id, row.text])
        line.append(make("td", text, "text-align:left;padding:.1em .8em .1em 0;vertical-align:top"));
      ranking.append(line);
    });
  };
  model.on("change:factors", drawSliders);
  model.on("change:ranking", drawRanking);
  drawSliders();
  drawRanking();
  el.append(sliders, ranking);
}

function compare(model, el) {
  const table = make("div");
  const choice = (side) => {
    const select = make("select", undefined, "max-width:24em");
    select.setAttribute("aria-label", `${side} document`);
    for (const id of model.get("documents")) select.append(new Option(id, id));
    const draw = () => (select.value = model.get(side));
    select.onchange = () => {
      model.set(side, select.value);
      model.save_changes();
    };
    model.on(`change:${side}`, draw);
    draw();
    return select;
  };
  const draw = () => (table.innerHTML = model.get("html")); // the library's own table, in which all text is escaped
  model.on("change:html", draw);
  draw();
  el.append(choice("first"), make("span", " over "), choice("second"), table);
}

function render({ model, el }) {
  const error = make("p", undefined, "color:#b00020");
  const drawError = () => (error.textContent = model.get("error"));
  model.on("change:error", drawError);
  el.append(make("p", model.get("query"), "font-weight:bold"));
  (model.get("kind") === "steer" ? steer : compare)(model, el);
  drawError();
  el.append(error);
}

export default { render };
