"use strict";
const tip = document.getElementById("tip");
const say = (text, event) => {
  tip.textContent = text;
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = Math.max(4, Math.min(event.clientX + 14, innerWidth - box.width - 4)) + "px";
  tip.style.top = (event.clientY + 18 + box.height > innerHeight ? event.clientY - box.height - 10 : event.clientY + 18) + "px";
};
document.addEventListener("pointermove", event => {
  const marked = event.target.closest("[data-tip]");
  if (marked) say(marked.dataset.tip, event);
  else if (!event.target.closest(".timeline svg")) tip.hidden = true;
});
document.addEventListener("scroll", () => { tip.hidden = true; }, true);
addEventListener("beforeprint", () => { for (const part of document.querySelectorAll("details")) part.open = true; });

for (const map of document.querySelectorAll(".map"))
  for (const button of map.querySelectorAll("button"))
    button.addEventListener("click", () => {
      const shown = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", shown);
      map.querySelector(`g[data-of="${button.dataset.of}"]`).style.display = shown ? "" : "none";
    });

const draw = (parent, name, attributes, text = "") => {
  const made = document.createElementNS(parent.namespaceURI, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  parent.append(made);
  return made;
};

// Steps of 1, 2 or 5 times a power of ten, about nine of them.
const niceStep = span => {
  const power = 10 ** Math.floor(Math.log10(span / 9));
  return power * [1, 2, 5, 10].find(m => m * power >= span / 9 * 0.999);
};

for (const box of document.querySelectorAll(".timeline")) {
  const svg = box.querySelector("svg"), plot = box.querySelector(".plot"), cursor = box.querySelector(".cursor");
  const chosen = box.querySelector(".chosen"), data = JSON.parse(box.querySelector("script").textContent);
  const { left, right } = data, bottom = +plot.getAttribute("height"), least = (right - left) / 200;
  let from = left, to = right, pressed = null;
  // x on the page, x in the plot before any zoom, and seconds.
  const placed = x => left + (x - from) / (to - from) * (right - left);
  const original = x => from + (x - left) / (right - left) * (to - from);
  const seconds = x => data.start + (x - left) / (right - left) * (data.end - data.start);

  const drawNames = () => {
    const group = box.querySelector(".names");
    group.replaceChildren();
    for (const bar of plot.querySelectorAll("rect")) {
      const begin = +bar.getAttribute("x"), end = begin + +bar.getAttribute("width");
      const a = Math.max(left, placed(begin)), b = Math.min(right, placed(end));
      if (b - a < 12) continue;
      const y = +bar.getAttribute("y") + 16;
      const name = draw(group, "text", { class: "in", x: (a + b) / 2, y, "text-anchor": "middle", fill: bar.dataset.ink }, bar.dataset.label);
      if (name.getComputedTextLength() > b - a - 4) name.remove();
    }
  };
  const drawTicks = () => {
    const group = box.querySelector(".ticks"), first = seconds(from), last = seconds(to), step = niceStep(last - first);
    const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    group.replaceChildren();
    for (let n = Math.ceil(first / step - 1e-9); n * step <= last + 1e-9; n++) {
      const x = left + (n * step - first) / (last - first) * (right - left);
      draw(group, "line", { class: "axis", x1: x, x2: x, y1: bottom, y2: bottom + 4 });
      draw(group, "text", { class: "tick", x, y: bottom + 17, "text-anchor": x > right - 12 ? "end" : "middle" }, (n * step).toFixed(decimals));
    }
  };
  const show = (begin, end) => {
    const width = Math.min(Math.max(end - begin, least), right - left);
    from = Math.min(Math.max((begin + end - width) / 2, left), right - width);
    to = from + width;
    plot.setAttribute("viewBox", `${from} 0 ${width} ${bottom}`);
    drawNames();
    drawTicks();
  };
  const tools = {
    closer: w => show(from + w / 4, to - w / 4), wider: w => show(from - w / 2, to + w / 2),
    earlier: w => show(from - w / 2, to - w / 2), later: w => show(from + w / 2, to + w / 2), whole: () => show(left, right),
  };
  box.querySelector(".tools").hidden = false;
  for (const button of box.querySelectorAll(".tools button"))
    button.addEventListener("click", () => tools[button.dataset.do](to - from));

  const xOf = event => {
    const frame = svg.getBoundingClientRect();
    return (event.clientX - frame.left) * svg.viewBox.baseVal.width / frame.width;
  };
  const within = x => Math.min(Math.max(x, left), right);
  const leave = () => { tip.hidden = true; cursor.setAttribute("visibility", "hidden"); };
  const tell = (x, event) => {
    const time = seconds(original(x)), part = (time - data.start) / (data.end - data.start), lines = [time.toFixed(2) + " s"];
    for (const row of data.rows) {
      const span = row.spans.find(s => s[0] <= time && time < s[1]);
      if (span) lines.push(row.name + ": " + span[2] + (row.name === "true" ? "" : ", confidence " + span[3].toFixed(2)));
    }
    for (const column of data.columns) {
      const value = column.values[Math.round(part * (column.values.length - 1))];
      lines.push(column.name.replaceAll("_", " ") + ": " + (value === null ? "missing" : value + " " + column.unit));
    }
    say(lines.join("\n"), event);
  };
  svg.addEventListener("pointermove", event => {
    const x = xOf(event);
    if (pressed !== null) {
      const ends = [pressed, within(x)].sort((a, b) => a - b);
      chosen.setAttribute("x", ends[0]);
      chosen.setAttribute("width", ends[1] - ends[0]);
      chosen.setAttribute("visibility", "visible");
    }
    if (x < left || x > right) { leave(); return; }
    for (const end of ["x1", "x2"]) cursor.setAttribute(end, x);
    cursor.setAttribute("visibility", "visible");
    tell(x, event);
  });
  svg.addEventListener("pointerleave", leave);
  // A finger scrolls the page; it has the buttons.
  svg.addEventListener("pointerdown", event => {
    if (event.button || event.pointerType === "touch") return;
    pressed = within(xOf(event));
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener("pointerup", event => {
    if (pressed === null) return;
    const ends = [pressed, within(xOf(event))].sort((a, b) => a - b).map(original);
    const far = Math.abs(within(xOf(event)) - pressed) > 5;
    pressed = null;
    chosen.setAttribute("visibility", "hidden");
    if (far) show(...ends);
  });
  svg.addEventListener("pointercancel", () => { pressed = null; chosen.setAttribute("visibility", "hidden"); });
  svg.addEventListener("dblclick", tools.whole);
  drawNames();  // as measured, where the page had to guess how wide they are
}
