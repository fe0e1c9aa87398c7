  const $ = id => document.getElementById(id);
  const make = (tag, cls, text) => {
    const e = document.createElement(tag);
    if (cls) e.className = cls;
    if (text !== undefined) e.textContent = text;
    return e;
  };

  // Light and dark: the system's choice until the button is used.
  const root = document.documentElement;
  const dark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  try { const t = localStorage.getItem("snapbench-theme"); if (t) root.dataset.theme = t; } catch { /* files may have no storage */ }
  $("theme").addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    try { localStorage.setItem("snapbench-theme", root.dataset.theme); } catch { /* as above */ }
  });

  // A heading that sorts is a button, so that a keyboard reaches it.
  function asButton(heading) {
    const b = make("button", "sort");
    b.type = "button";
    b.append(...heading.childNodes);
    heading.append(b);
  }

  // Tables sort by a click on a column: numbers by their value, text in natural order; averages stay below.
  const natural = new Intl.Collator(undefined, { numeric: true }).compare;
  const units = { "B": 1, "KiB": 1024, "MiB": 1048576, "GiB": 1073741824, "TiB": 1099511627776, "ms": .001, "s": 1, "min": 60 };
  const value = text => {
    const m = /^[-−]?\d[\d.]*(?:e[-+]?\d+)?(?=$|[\s\[])/.exec(text);
    if (!m) return null;
    const unit = text.slice(m[0].length).trim().split(" ")[0];
    return parseFloat(m[0].replace("−", "-")) * (units[unit] || 1);
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells], original = [...table.tBodies[0].rows];
    heads.forEach(asButton);
    heads.forEach((th, i) => th.addEventListener("click", () => {
      const was = th.getAttribute("aria-sort");
      heads.forEach(h => h.removeAttribute("aria-sort"));
      const rows = original.slice();
      if (was !== "descending") {
        const sign = was === "ascending" ? -1 : 1;
        th.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
        rows.sort((a, b) => {
          const strong = a.classList.contains("strong") - b.classList.contains("strong");
          if (strong) return strong;
          const x = a.cells[i].textContent, y = b.cells[i].textContent, p = value(x), q = value(y);
          if (p !== null && q !== null) return sign * (p - q);
          if (p === null && q === null) return sign * natural(x, y);
          return p === null ? 1 : -1;
        });
      }
      table.tBodies[0].append(...rows);
    }));
  }
