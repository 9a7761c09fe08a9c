"use strict";
(() => {
  const make = (name, properties) => Object.assign(document.createElement(name), properties);
  const plain = (cell) => (cell.querySelector("b") || cell).textContent.trim();
  const number = (text) => {
    const found = text.replace(/\u2212/g, "-").replace(/,/g, "").match(/^[-+]?\d+(\.\d+)?/);
    return found && Number(found[0]);
  };
  const compare = (one, other) => {
    const [a, b] = [number(one), number(other)];
    if (a !== null && b !== null) return a - b;
    if (a !== null || b !== null) return a !== null ? -1 : 1;
    return one.localeCompare(other, undefined, { numeric: true });
  };
  const sortable = (table, rows) => {
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, column) => {
      const button = make("button", { type: "button", title: "Sort by this column" });
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => {
        const next = { null: "ascending", ascending: "descending", descending: null };
        const order = next[heading.getAttribute("aria-sort")];
        headings.forEach((other) => other.removeAttribute("aria-sort"));
        if (order) heading.setAttribute("aria-sort", order);
        const turn = order === "descending" ? -1 : 1;
        const sorted = [...rows];
        if (order) sorted.sort((a, b) => turn * compare(plain(a.cells[column]), plain(b.cells[column])));
        table.tBodies[0].append(...sorted);
      });
    });
  };
  const filterable = (table, rows) => {
    const input = make("input", { type: "search", placeholder: "e.g. pipelined" });
    const count = make("output", {});
    const label = make("label", { className: "filter" });
    label.append("Rows with ", input, count);
    (table.closest(".scroll") || table).before(label);
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
      }
      const shown = rows.filter((row) => !row.hidden).length;
      count.textContent = words.length ? ` ${shown} of ${rows.length}` : "";
    });
  };
  for (const table of document.querySelectorAll("table")) {
    const rows = [...table.tBodies[0].rows];
    if (rows.length > 2) sortable(table, rows);
    if (rows.length > 4) filterable(table, rows);
  }
  const tip = make("div", { id: "tip", hidden: true });
  tip.setAttribute("role", "status");
  document.body.append(tip);
  const REACH = 14;
  for (const svg of document.querySelectorAll("figure svg[role=img]")) {
    const marks = [];
    for (const title of svg.querySelectorAll(":scope * > title")) {
      marks.push({ node: title.parentNode, words: title.textContent });
      title.parentNode.setAttribute("aria-label", title.textContent);
      title.remove();
    }
    const distance = (mark, x, y) => {
      const box = mark.node.getBoundingClientRect();
      const dx = Math.max(box.left - x, 0, x - box.right);
      const dy = Math.max(box.top - y, 0, y - box.bottom);
      return Math.hypot(dx, dy) + Math.hypot(x - box.left - box.width / 2, y - box.top - box.height / 2) / 1e4;
    };
    const point = (event) => {
      let [nearest, least] = [null, REACH];
      for (const mark of marks) {
        const far = distance(mark, event.clientX, event.clientY);
        if (far < least) [nearest, least] = [mark, far];
      }
      tip.hidden = !nearest;
      if (!nearest) return;
      tip.textContent = nearest.words;
      const width = document.documentElement.clientWidth;
      const left = Math.min(event.clientX + 12, width - tip.offsetWidth - 8);
      tip.style.left = `${Math.max(8, left) + scrollX}px`;
      tip.style.top = `${event.clientY + scrollY + 16}px`;
    };
    svg.addEventListener("pointermove", point);
    svg.addEventListener("pointerdown", point);
    svg.addEventListener("pointerleave", () => { tip.hidden = true; });
  }
})();
