"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const root = document.documentElement;

  /* Theme */
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches);
  const themeButton = document.getElementById("theme");
  const showTheme = () => {
    themeButton.setAttribute("aria-pressed", String(isDark()));
    all(".plot[data-drawn]").forEach(draw);
  };
  themeButton.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    showTheme();
  });
  prefersDark.addEventListener("change", showTheme);
  themeButton.setAttribute("aria-pressed", String(isDark()));

  /* Filter by framework and text */
  const boxes = all("input[name=framework]");
  const search = document.getElementById("search");
  const status = document.getElementById("status");
  const chosen = () => new Set(boxes.filter((box) => box.checked).map((box) => box.value));
  const measureChoices = all("select.measure");
  const filter = () => {
    const shown = chosen();
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const measureOf = new Map(measureChoices.flatMap((choice) => choice.dataset.tables.split(" ").map((table) => [table, choice.value])));
    const suits = (element) => {
      const frameworks = element.dataset.framework ? element.dataset.framework.split(" ") : [];
      if (!frameworks.every((name) => shown.has(name))) return false;
      if ("measure" in element.dataset) {
        const wanted = measureOf.get(element.closest("table").id);
        if (wanted && wanted !== element.dataset.measure) return false;
      }
      if (!("text" in element.dataset)) return true;
      const text = element.textContent.toLowerCase();
      return words.every((word) => text.includes(word));
    };
    for (const element of all("[data-framework], [data-text]")) element.hidden = !suits(element);
    const rows = all("tr[data-text]");
    const filtered = words.length || shown.size < boxes.length;
    status.textContent = filtered ? `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows` : "";
    all(".plot[data-drawn]").forEach(draw);
  };
  boxes.forEach((box) => box.addEventListener("change", filter));
  search.addEventListener("input", filter);
  measureChoices.forEach((choice) => choice.addEventListener("change", filter));

  /* Sorting */
  const valueOf = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.value === undefined ? cell.textContent.trim().toLowerCase() : Number.parseFloat(cell.dataset.value);
  };
  const before = (a, b) => {
    const numbers = typeof a === "number" && typeof b === "number";
    return numbers ? a - b : String(a).localeCompare(String(b));
  };
  const isMissing = (value) => Number.isNaN(value) || value === "";
  for (const button of all("th button")) {
    button.addEventListener("click", () => {
      const header = button.closest("th");
      const table = header.closest("table");
      const down = header.getAttribute("aria-sort") === "ascending" || (header.classList.contains("n") && !header.hasAttribute("aria-sort"));
      all("th[aria-sort]", table).forEach((other) => other.removeAttribute("aria-sort"));
      header.setAttribute("aria-sort", down ? "descending" : "ascending");
      const column = header.cellIndex;
      const body = table.tBodies[0];
      const rows = [...body.rows].map((row) => [valueOf(row, column), row]);
      rows.sort(([a], [b]) => (isMissing(a) - isMissing(b)) || (down ? before(b, a) : before(a, b)));
      body.append(...rows.map(([, row]) => row));
    });
  }

  /* Charts: drawn when they come near, or all before printing */
  const specs = new WeakMap();
  const specOf = (plot) => {
    if (!specs.has(plot)) specs.set(plot, JSON.parse(plot.nextElementSibling.textContent));
    return structuredClone(specs.get(plot));
  };
  const withoutHidden = (figure) => {
    const shown = chosen();
    const data = figure.data.filter((trace) => !trace.meta.framework || shown.has(trace.meta.framework));
    for (const trace of data) {
      if (!trace.meta.frameworks) continue;
      const keep = trace.meta.frameworks.map((name) => shown.has(name));
      for (const rows of ["y", "z", "text"]) trace[rows] = trace[rows].filter((_, row) => keep[row]);
    }
    const categories = figure.layout.yaxis && figure.layout.yaxis.categoryarray;
    if (categories) {
      const names = new Set(data.flatMap((trace) => [...trace.y]));
      figure.layout.yaxis.categoryarray = categories.filter((name) => names.has(name));
    }
    return { data, layout: figure.layout };
  };
  const template = () => {
    const style = getComputedStyle(root);
    const colour = (name) => style.getPropertyValue(name).trim();
    const axis = {
      gridcolor: colour("--grid"), linecolor: colour("--line"), zerolinecolor: colour("--line"), tickcolor: colour("--line"),
    };
    return {
      layout: {
        paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", xaxis: axis, yaxis: axis,
        font: { color: colour("--ink"), size: 12, family: getComputedStyle(document.body).fontFamily },
        hoverlabel: { bgcolor: colour("--raised"), bordercolor: colour("--line"), font: { color: colour("--ink") } },
        modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("--muted"), activecolor: colour("--link") },
      },
    };
  };
  function draw(plot) {
    const { figure, config } = specOf(plot);
    const { data, layout } = withoutHidden(figure);
    layout.template = template();
    plot.dataset.drawn = "";
    return Plotly.react(plot, data, layout, config);
  }
  const near = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      draw(target);
    }
  }, { rootMargin: "600px" });
  all(".plot").forEach((plot) => near.observe(plot));

  /* Links into closed parts */
  const reveal = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let at = target; at; at = at.parentElement) if (at instanceof HTMLDetailsElement) at.open = true;
    target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  reveal();

  /* Paper: light, everything open, every chart drawn to the page's width */
  let opened = [];
  let theme;
  addEventListener("beforeprint", () => {
    theme = root.dataset.theme;
    root.dataset.theme = "light";
    opened = all("details:not([open]):not(.long)");
    opened.forEach((part) => { part.open = true; });
    all(".plot").forEach((plot) => { draw(plot); Plotly.Plots.resize(plot); });
  });
  addEventListener("afterprint", () => {
    if (theme) root.dataset.theme = theme;
    else delete root.dataset.theme;
    opened.forEach((part) => { part.open = false; });
    all(".plot[data-drawn]").forEach((plot) => { draw(plot); Plotly.Plots.resize(plot); });
  });
})();
