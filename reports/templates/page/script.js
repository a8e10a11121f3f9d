"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const names = data.coordinates;
  const fields = data.fields;
  const at = { ...Object.fromEntries(names.map((name, index) => [name, index])), ...data.columns };
  const form = document.querySelector(".filters");
  const tables = [...document.querySelectorAll(".board table")];
  const paperOrder = new Map(tables.map((table) => [table, [...table.tBodies].map((body) => [body, [...body.rows]])]));
  let opened = null;
  let isLoaded = false;
  document.documentElement.classList.add("script");

  // The state of the page is its fragment: filters by name, `sort` as BLOCK.COLUMN.SIDE, `open` as the anchor of a panel.
  const read = () => {
    const text = location.hash.slice(1);
    if (text && !text.includes("=")) return new URLSearchParams({ open: decode(text) });
    return new URLSearchParams(text);
  };
  const decode = (text) => { try { return decodeURIComponent(text); } catch { return text; } };
  const written = (state) => {
    for (const [name, value] of [...state]) if (!value) state.delete(name);
    return `#${state.toString().replaceAll("%2F", "/")}`;
  };
  const change = (changes) => {
    const state = read();
    for (const [name, value] of Object.entries(changes)) state.set(name, value);
    history.pushState(null, "", written(state));
    show();
  };

  // A cell without a coordinate, such as the shots of a method that is given no anomalies, passes every filter on it,
  // but brings no block with it of which no other cell passes.
  const passes = (state, fits = (own, wanted) => own === wanted || own === "") => (number) => {
    const cell = data.cells[number];
    return names.every((name) => !state.get(name) || fits(cell[at[name]], state.get(name)))
      && (!state.get("verdict") || cell[at.verdict] === state.get("verdict"))
      && (!state.get("measured") || cell[at.mean] !== "" || ["failed", "stale"].includes(cell[at.verdict]));
  };
  const isShown = (element) => !element.hidden;
  const cellOf = (td) => (td.dataset.n === undefined ? null : Number(td.dataset.n));

  const filter = (state) => {
    const strictly = passes(state, (own, wanted) => own === wanted);
    const holds = (table) => [...table.querySelectorAll("td[data-n]")].some((td) => strictly(cellOf(td)));
    const held = tables.filter(holds);
    const narrowed = [...names, "verdict", "measured"].some((name) => state.get(name));
    const kept = new Set();
    for (const table of tables) {
      const test = held.length && !held.includes(table) ? () => false : passes(state);
      const rows = [...table.tBodies].flatMap((body) => [...body.rows]).filter((row) => !row.classList.contains("group"));
      const columns = new Set();
      for (const row of rows) {
        const cells = [...row.cells].slice(1);
        let any = false;
        let beside = null;
        cells.forEach((td, index) => {
          const number = td.dataset.other === undefined ? cellOf(td) : beside;
          beside = number;
          const inside = number !== null && test(number);
          if (inside) { any = true; columns.add(index + 1); kept.add(number); }
          td.classList.toggle("out", narrowed && number !== null && !inside);
        });
        row.hidden = narrowed && !any;
      }
      for (const row of [table.tHead.rows[0], ...rows]) {
        [...row.cells].forEach((cell, index) => { if (index) cell.hidden = narrowed && !columns.has(index); });
      }
      for (const body of table.tBodies) {
        const group = body.querySelector(".group");
        if (group) group.hidden = ![...body.rows].some((row) => row !== group && isShown(row));
      }
      const empty = narrowed && !columns.size;
      table.parentElement.hidden = empty;
      const title = table.parentElement.previousElementSibling;
      if (title && title.tagName === "H3") title.hidden = empty;
    }
    document.getElementById("count").textContent = `${kept.size} of ${data.cells.length} cells`;
    for (const control of form.elements) {
      if (control.type === "checkbox") control.checked = Boolean(state.get(control.name));
      else if (control.tagName === "SELECT") control.value = state.get(control.name) || "";
    }
  };

  const SIDES = { p: ["published_mean", "published"], m: ["mean", "ours"] };
  const valueText = (number, side) => data.cells[number][at[SIDES[side][0]]] || "";
  const sort = (state) => {
    const [block, column, side] = (state.get("sort") || "").split(".");
    tables.forEach((table, index) => {
      const chosen = String(index) === block && SIDES[side] && table.tHead.rows[0].cells[Number(column)] && Number(column) > 0;
      const order = paperOrder.get(table);
      table.classList.toggle("sorted", Boolean(chosen));
      for (const [body, rows] of order) body.append(...rows);
      if (chosen) {
        const value = (row) => {
          const number = cellOf(row.cells[Number(column)]);
          const text = number === null ? "" : valueText(number, side);
          return text === "" ? -Infinity : Number(text);
        };
        const rows = order.flatMap(([, own]) => own).filter((row) => !row.classList.contains("group"));
        rows.sort((first, second) => value(second) - value(first) || 0);
        order[0][0].append(...rows);
      }
      [...table.tHead.rows[0].cells].forEach((head, place) => {
        const on = chosen && place === Number(column);
        if (on) head.setAttribute("aria-sort", "descending"); else head.removeAttribute("aria-sort");
        const note = head.querySelector("small");
        if (note) note.textContent = on ? ` by ${SIDES[side][1]} ▾` : "";
      });
    });
  };

  const open = (state) => {
    const target = state.get("open") ? document.getElementById(state.get("open")) : null;
    const panel = target && target.closest("details");
    if (opened && opened !== panel) opened.open = false;
    if (target && target !== document.body) {
      if (panel && !panel.open) panel.open = true;
      if (panel !== opened || !panel) {
        (panel || target).scrollIntoView({ behavior: isLoaded ? "auto" : "instant" });
        (panel ? panel.querySelector("summary") : target).focus({ preventScroll: true });
      }
    }
    opened = panel;
  };

  const show = () => { const state = read(); filter(state); sort(state); open(state); };

  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    const anchor = decode(link.getAttribute("href").slice(1));
    if (read().get("open") === anchor) { opened = null; open(read()); } else change({ open: anchor });
  });
  document.addEventListener("toggle", (event) => {
    const panel = event.target;
    if (!panel.classList || !panel.classList.contains("panel") || panel === opened && panel.open) return;
    const anchor = panel.querySelector(".inside").id;
    const state = read();
    if (panel.open) { state.set("open", anchor); opened = panel; }
    else if (state.get("open") === anchor) { state.delete("open"); opened = null; }
    else return;
    history.replaceState(null, "", written(state));
  }, true);
  form.addEventListener("change", (event) => {
    const control = event.target;
    change({ [control.name]: control.type === "checkbox" ? (control.checked ? "1" : "") : control.value });
  });
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    change(Object.fromEntries([...names, "verdict", "measured", "sort"].map((name) => [name, ""])));
  });
  form.addEventListener("submit", (event) => event.preventDefault());

  tables.forEach((table, block) => {
    [...table.tHead.rows[0].cells].slice(1).forEach((head, index) => {
      const column = index + 1;
      const numbers = [...table.tBodies].flatMap((body) => [...body.rows]).map((row) => row.cells[column] && cellOf(row.cells[column])).filter((number) => number !== null && number !== undefined);
      const sides = ["p", "m"].filter((side) => numbers.some((number) => valueText(number, side) !== ""));
      if (!sides.length) return;
      const button = document.createElement("button");
      button.type = "button"; button.className = "sort"; button.title = "Sort the rows by this column";
      button.append(...head.childNodes, document.createElement("small"));
      button.addEventListener("click", () => {
        const now = (read().get("sort") || "").split(".");
        const next = now[0] === String(block) && now[1] === String(column) ? sides[sides.indexOf(now[2]) + 1] : sides[0];
        change({ sort: next ? `${block}.${column}.${next}` : "" });
      });
      head.append(button);
    });
  });

  // What is shown, in three forms; the LaTeX of the whole table for a paper is written by `bench report --format latex`.
  const shownCells = () => data.cells.filter((_, number) => passes(read())(number));
  const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/;
  const field = (text) => {
    const safe = FORMULA.test(text) && !Number.isFinite(Number(text)) ? `'${text}` : text;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const named = (cell) => Object.fromEntries(fields.map((name, index) => [name, cell[index]]));
  const tex = (text) => data.latex[text] || text;
  const texCell = (td) => {
    const number = cellOf(td);
    const printed = td.querySelector(".p");
    if (number === null) return printed ? printed.firstChild.textContent.replace("±", "$\\pm$") : "--";
    const cell = data.cells[number];
    const side = (mean, std) => (mean && std ? `${mean}$\\pm$${std}` : mean);
    const published = side(cell[at.published_mean], cell[at.published_std]);
    const measured = side(cell[at.mean], cell[at.std]);
    const own = at.place === undefined || td.querySelector("strong") ? "\\textbf{%}" : td.querySelector("u") ? "\\underline{%}" : "%";
    return [published, measured && own.replace("%", () => measured)].filter(Boolean).join(" / ") || "--";
  };
  const latex = () => tables.filter((table) => isShown(table.parentElement)).map((table) => {
    const heads = [...table.tHead.rows[0].cells].filter(isShown);
    const texts = heads.map((head) => tex((head.querySelector("button") || head).firstChild.textContent));
    const rows = [...table.tBodies].flatMap((body) => [...body.rows]).filter((row) => isShown(row) && !row.classList.contains("group"));
    const lines = rows.map((row) => {
      const group = row.cells[0].querySelector(".of-group");
      const own = row.cells[0].lastChild.textContent;
      const label = group ? `${tex(group.textContent.replace(/, $/, ""))}, ${tex(own)}` : tex(own);
      return [label, ...[...row.cells].slice(1).filter(isShown).map(texCell)].join(" & ");
    });
    const title = table.dataset.title ? `% ${table.dataset.title}\n` : "";
    return `${title}\\begin{tabular}{l${"c".repeat(heads.length - 1)}}\n\\toprule\n${texts.join(" & ")} \\\\\n\\midrule\n`
      + `${lines.map((line) => `${line} \\\\`).join("\n")}\n\\bottomrule\n\\end{tabular}\n`;
  }).join("\n");
  const FORMS = {
    CSV: ["csv", "text/csv", () => `${[fields, ...shownCells()].map((line) => line.map(field).join(",")).join("\n")}\n`],
    JSON: ["json", "application/json", () => `${JSON.stringify({ table: data.table, title: data.title, metric: data.metric, cells: shownCells().map(named) }, null, 2)}\n`],
    LaTeX: ["tex", "text/plain", latex],
  };
  const save = (kind) => {
    const [ending, type, text] = FORMS[kind];
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text()], { type: `${type};charset=utf-8` }));
    link.download = `${data.table.replace(":", "-")}.${ending}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };
  const copy = async (kind) => {
    const text = FORMS[kind][2]();
    try { await navigator.clipboard.writeText(text); } catch {
      const area = document.createElement("textarea");
      area.value = text; document.body.append(area); area.select(); document.execCommand("copy"); area.remove();
    }
    document.getElementById("count").textContent = `copied as ${kind}`;
  };
  form.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button && button.dataset.save) save(button.dataset.save);
    if (button && button.dataset.copy) copy(button.dataset.copy);
  });

  addEventListener("popstate", show);
  addEventListener("hashchange", show);
  show();
  isLoaded = true;
})();
