  // Pictures: pointing at a mark, or moving to it with Tab and the arrow keys, tells its number and interval; a mark that
  // stands for rows leads to them. Below each picture it can be saved, or its numbers.
  const svgName = "http://www.w3.org/2000/svg";
  const shape = (tag, attributes) => {
    const e = document.createElementNS(svgName, tag);
    for (const [name, v] of Object.entries(attributes)) e.setAttribute(name, v);
    return e;
  };
  const short = v => String(Number(v.toPrecision(4)));
  function telling(s) {
    const what = s.f.map(([name, v]) => name ? name + " " + v : v).join(", ");
    if (s.v === undefined) return what + ": no value";
    let text = what + ": " + short(s.v);
    if (s.lo !== undefined) text += " [" + short(s.lo) + ", " + short(s.hi) + "]";
    if (s.n) text += ", n = " + s.n;
    return text;
  }

  const tip = $("tip");
  function tell(node, text) {
    tip.textContent = text;
    tip.hidden = false;
    const at = node.getBoundingClientRect(), w = tip.offsetWidth, h = tip.offsetHeight;
    tip.style.left = Math.max(4, Math.min(at.left + at.width / 2 - w / 2, document.documentElement.clientWidth - w - 4)) + "px";
    tip.style.top = (at.top > h + 8 ? at.top - h - 6 : at.bottom + 6) + "px";
  }
  const hush = () => { tip.hidden = true; };
  addEventListener("scroll", hush, { passive: true, capture: true });
  addEventListener("keydown", e => { if (e.key === "Escape") hush(); });

  function furnishFigures() {
    for (const svg of document.querySelectorAll("svg.figure")) {
      const list = JSON.parse(svg.dataset.spots || "[]"), layer = shape("g", { class: "spots" }), nodes = [];
      const at = svg.closest("[data-part]"), part = at ? +at.dataset.part : -1;
      for (const s of list) {
        const [x, y, width, height] = s.b, text = telling(s);
        let node = shape("rect", { class: "spot", x, y, width, height });
        const to = part >= 0 && s.r && target(part, s.r);
        if (to) {
          const a = shape("a", { href: to });
          a.append(node);
          node = a;
        } else node.setAttribute("role", "img");
        node.setAttribute("aria-label", text + (to ? ": to its samples" : ""));
        node.setAttribute("tabindex", nodes.length ? "-1" : "0");
        node.addEventListener("pointerenter", () => tell(node, text));
        node.addEventListener("pointerleave", hush);
        node.addEventListener("focus", () => tell(node, text));
        node.addEventListener("blur", hush);
        nodes.push(node);
        layer.append(node);
      }
      layer.addEventListener("keydown", e => {
        const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[e.key], i = nodes.indexOf(document.activeElement);
        if (!by || i < 0) return;
        e.preventDefault();
        const next = nodes[Math.min(Math.max(i + by, 0), nodes.length - 1)];
        nodes[i].setAttribute("tabindex", "-1");
        next.setAttribute("tabindex", "0");
        next.focus();
      });
      if (nodes.length) { svg.setAttribute("role", "group"); svg.append(layer); }
      offer(svg, list);
    }
  }

  // target is the address of the rows that a mark stands for.
  function target(part, r) {
    const v = r.v && data.variants.find(x => x.part === part && x.name === r.v);
    if (r.v && !v) return "";
    return address({ part: data.parts.length > 1 ? data.parts[part] : "", task: r.t, variant: v ? v.label : "", length: r.l, depth: r.d });
  }

  function offer(svg, list) {
    const tools = make("div", "tools"), title = svg.getAttribute("aria-label"), name = svg.dataset.name || "figure";
    const kinds = [["SVG", () => save(name + ".svg", new Blob([plainSVG(svg)], { type: "image/svg+xml" }))], ["PNG", () => savePNG(svg, name + ".png")]];
    if (list.length) kinds.push(["CSV", () => save(name + ".csv", new Blob([table(list)], { type: "text/csv" }))]);
    for (const [kind, act] of kinds) {
      const b = make("button", "", kind);
      b.type = "button";
      b.setAttribute("aria-label", `Save ${title} as ${kind}`);
      b.addEventListener("click", act);
      tools.append(b);
    }
    svg.closest("figure").append(tools);
  }

  function save(name, blob) {
    const a = make("a"), at = URL.createObjectURL(blob);
    a.href = at;
    a.download = name;
    a.click();
    setTimeout(() => URL.revokeObjectURL(at), 10000);
  }

  // A saved picture is the printed one, dark theme or not.
  const light = {
    ink: "#1a1a1a", muted: "#777777", panel: "#ffffff", grid: "#dddddd", na: "#e2e2e2", hatch: "#c4c4c4", band: "#eeeeee",
  };
  function plainSVG(svg) {
    const copy = svg.cloneNode(true);
    for (const e of copy.querySelectorAll(".spots")) e.remove();
    for (const name of ["class", "role", "style", "aria-label", "data-spots", "data-name"]) copy.removeAttribute(name);
    return new XMLSerializer().serializeToString(copy).replace(/var\(--([a-z]+)\)/g, (all, name) => light[name] || all);
  }
  function savePNG(svg, name) {
    const box = svg.viewBox.baseVal, sharp = 300 / 72, img = new Image(), canvas = make("canvas");
    canvas.width = Math.round(box.width * sharp);
    canvas.height = Math.round(box.height * sharp);
    img.addEventListener("load", () => {
      canvas.getContext("2d").drawImage(img, 0, 0, canvas.width, canvas.height);
      canvas.toBlob(b => save(name, b), "image/png");
    });
    img.setAttribute("src", "data:image/svg+xml;charset=utf-8," + encodeURIComponent(plainSVG(svg)));
  }
  function table(list) {
    const names = [...new Set(list.flatMap(s => s.f.map(f => f[0] || "panel")))];
    const cell = v => /[",\n]/.test(v) ? '"' + v.replaceAll('"', '""') + '"' : v;
    const lines = list.map(s => {
      const of = new Map(s.f.map(([name, v]) => [name || "panel", v]));
      return [...names.map(n => of.get(n) ?? ""), s.v ?? "", s.lo ?? "", s.hi ?? "", s.n || ""];
    });
    return [[...names, "value", "low", "high", "n"], ...lines].map(line => line.map(v => cell(String(v))).join(",")).join("\n") + "\n";
  }
