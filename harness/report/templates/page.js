(() => {
  "use strict";
  const narrow = matchMedia("screen and (max-width: 720px)");
  const make = (tag, props, ...children) => {
    const node = Object.assign(document.createElement(tag), props);
    node.append(...children);
    return node;
  };

  // Tables: a button in each head whose column has values to sort by. Rows keep to their group, equal ones keep their
  // order, and what has no value comes last either way.
  const value = (row, column) => {
    const cell = [...row.cells].find((one) => one.dataset.label === column);
    return cell === undefined || !cell.dataset.sort ? NaN : Number(cell.dataset.sort);
  };
  for (const table of document.querySelectorAll("main table:not(.heat)")) {
    const heads = table.tHead ? [...table.tHead.rows[0].cells] : [];
    const groups = [...table.tBodies].map((body) => [body, [...body.rows].filter((row) => !row.matches(".group"))]);
    if (!groups.some(([, rows]) => rows.length > 1)) continue;
    const samples = groups.flatMap(([, rows]) => rows.flatMap((row) => [...row.cells])).filter((cell) => cell.dataset.sort);
    const columns = [...new Set(samples.map((cell) => cell.dataset.label))];
    const whole = groups.flatMap(([, rows]) => rows).find((row) => row.cells.length === heads.length);
    if (!whole) continue;
    const named = new Map(heads.map((head, index) => [head, whole.cells[index].dataset.label]));
    const order = (column, way) => {
      for (const [body, rows] of groups) {
        const keys = new Map(rows.map((row) => [row, value(row, column)]));
        const sorted = way ? [...rows].sort((a, b) => {
          const [x, y] = [keys.get(a), keys.get(b)];
          return isNaN(x) || isNaN(y) ? isNaN(x) - isNaN(y) : way * (x - y);
        }) : rows;
        body.append(...sorted);
      }
      for (const head of heads) {
        if (named.get(head) === column && way) head.setAttribute("aria-sort", way > 0 ? "ascending" : "descending");
        else head.removeAttribute("aria-sort");
      }
    };
    // On a phone the heads are not to be seen: there a list does the same.
    const select = make("select", {}, make("option", { value: "", textContent: "as measured" }));
    for (const head of heads) {
      const column = named.get(head);
      if (!columns.includes(column)) continue;
      const button = make("button", { type: "button", className: "sort" });
      button.setAttribute("aria-label", `Sort by ${column}`);
      button.addEventListener("click", () => {
        const now = head.getAttribute("aria-sort");
        order(column, now === "ascending" ? -1 : now === "descending" ? 0 : 1);
      });
      head.append(" ", button);
      select.append(
        make("option", { value: `1 ${column}`, textContent: `${column}, smallest first` }),
        make("option", { value: `-1 ${column}`, textContent: `${column}, largest first` }),
      );
    }
    select.addEventListener("change", () => {
      const [way, ...words] = select.value.split(" ");
      order(words.join(" "), Number(way));
    });
    if (select.length > 1) table.parentElement.before(make("label", { className: "sorting" }, "Sort by ", select));
  }

  // On a phone a long table or list waits behind a line that says how long it is.
  const folded = [];
  const fold = (part, count, noun) => {
    if (part.offsetHeight < 1.2 * innerHeight) return;
    const details = make("details", { className: "fold" }, make("summary", { textContent: `Show all ${count} ${noun}` }));
    part.before(details);
    const label = details.previousElementSibling;
    if (label && label.matches(".sorting")) details.append(label);
    details.append(part);
    folded.push(details);
  };
  if (narrow.matches) {
    for (const part of document.querySelectorAll("main section:not(#objectives) > .scroll")) {
      fold(part, part.querySelectorAll("tbody tr:not(.group)").length, "rows");
    }
    for (const part of document.querySelectorAll("main .definitions, main .conditions")) {
      fold(part, part.querySelectorAll("dt").length, "entries");
    }
    for (const part of document.querySelectorAll("main .quiet")) fold(part, part.children.length, "audits");
  }
  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (const details of folded) if (target.contains(details)) details.open = true;
    for (let part = target; part; part = part.parentElement) if (part.matches("details")) part.open = true;
    target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  if (location.hash) reveal();
  narrow.addEventListener("change", () => folded.forEach((details) => { details.open = true; }));
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((details) => { details.open = true; }));
})();
