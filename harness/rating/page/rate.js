"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  const KEYS = { ArrowLeft: "left", 1: "left", ArrowRight: "right", 2: "right", 0: "tie", " ": "tie", x: "neither", X: "neither" };
  const STORE = "harness-rating-" + data.sitting;
  const known = new Set(data.pairs.map((pair) => pair.pair));
  let cast = data.done.map((pair) => ({ pair })); // in the order in which they were cast
  let rater = "";
  let current = null; // the pair on show
  let since = null; // when both of its pictures were visible; null before
  let busy = false;

  if (!data.served) {
    const old = recall();
    rater = old.rater || "r" + Array.from(crypto.getRandomValues(new Uint8Array(6)), (b) => b.toString(16).padStart(2, "0")).join("");
    cast = (old.cast || []).filter((vote) => known.has(vote.pair));
    at("save").hidden = false;
  }

  // A browser may keep nothing for files; then the votes live as long as the page.
  function recall() {
    try { return JSON.parse(localStorage.getItem(STORE)) || {}; } catch { return {}; }
  }
  function keep() {
    if (data.served) return;
    try { localStorage.setItem(STORE, JSON.stringify({ rater, cast })); } catch { /* the page still has them */ }
  }

  async function send(path, body) {
    const answer = await fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(await answer.text());
  }

  function tell(problem) {
    at("problem").textContent = problem;
    at("problem").hidden = !problem;
  }

  function show() {
    const done = new Set(cast.map((vote) => vote.pair));
    const open = data.pairs.filter((pair) => !done.has(pair.pair));
    const total = data.pairs.length;
    current = open[0] || null;
    since = null;
    at("progress").max = total;
    at("progress").value = total - open.length;
    at("undo").disabled = cast.length === 0;
    at("save").disabled = cast.length === 0;
    for (const id of ["stage", "others", "larger"]) at(id).hidden = !current;
    at("end").hidden = Boolean(current);
    at("prompt").hidden = !(current && current.prompt);
    if (!current) {
      at("status").textContent = `All ${total} pairs are done`;
      at("end-text").textContent = data.served
        ? "Every answer is saved. Press Finish, or take the last answer back."
        : "Save the votes, and send the file back to whoever gave you this page.";
      at("finish").hidden = !data.served;
      at("end-title").focus();
      return;
    }
    const number = data.pairs.indexOf(current) + 1;
    at("status").textContent = `Pair ${number} of ${total}`;
    at("prompt").textContent = current.prompt ? `Asked for: ${current.prompt}` : "";
    const shown = current;
    Promise.all(["left", "right"].map(async (side, index) => {
      const picture = at(side + "-picture");
      picture.alt = `Picture ${index + 1} of pair ${number}`;
      picture.removeAttribute("src"); // never the last pair's picture under this pair's number
      picture.src = data.pictures[shown[side]];
      await picture.decode();
    })).then(
      () => { if (current === shown) { since = performance.now(); document.body.dataset.ready = shown.pair; } },
      () => { if (current === shown) { since = performance.now(); tell("A picture of this pair cannot be shown. Press x to go on."); } },
    );
    const next = open[1];
    if (next) for (const side of ["left", "right"]) new Image().src = data.pictures[next[side]];
  }

  async function vote(chosen) {
    if (busy || !current || since === null) return;
    busy = true;
    const mine = { pair: current.pair, chosen, took_ms: Math.round((performance.now() - since) * 10) / 10 };
    try {
      if (data.served) await send("votes", mine);
      else mine.voted_at = new Date().toISOString();
      cast.push(mine);
      tell("");
      keep();
      show();
    } catch (error) {
      tell(`This answer is not saved (${error.message}). Is “harness rate” still running?`);
    }
    busy = false;
  }

  async function undo() {
    if (busy || !cast.length) return;
    busy = true;
    try {
      if (data.served) await send("votes", { pair: cast[cast.length - 1].pair, chosen: "undone", took_ms: null });
      cast.pop();
      tell("");
      keep();
      show();
    } catch (error) {
      tell(`The answer is not taken back (${error.message}). Is “harness rate” still running?`);
    }
    busy = false;
  }

  function save() {
    if (!cast.length) return;
    const file = { record: "rating_votes", schema_version: 1, sitting: data.sitting, rater, votes: cast };
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([JSON.stringify(file, null, 1)], { type: "application/json" }));
    link.download = `votes-${data.sitting}-${rater}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  async function finish() {
    try {
      await send("finish", {});
      at("end-text").textContent = "Every answer is saved. You can close this page.";
      at("finish").hidden = true;
      at("undo").disabled = true;
      cast = [];
    } catch {
      at("end-text").textContent = "Every answer is saved, and “harness rate” has ended. You can close this page.";
    }
  }

  function larger() {
    const large = document.body.classList.toggle("large");
    at("larger").setAttribute("aria-pressed", String(large));
  }

  function onClick(button, act) {
    button.addEventListener("click", (event) => {
      if (event.detail) button.blur(); // of a pointer: the space bar is not to press the same button again
      act();
    });
  }
  for (const button of document.querySelectorAll("[data-vote]")) onClick(button, () => vote(button.dataset.vote));
  onClick(at("undo"), undo);
  onClick(at("larger"), larger);
  onClick(at("save"), save);
  onClick(at("finish"), finish);

  document.addEventListener("keydown", (event) => {
    if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    const own = event.target instanceof Element && event.target.closest("button, summary");
    if (own && (event.key === " " || event.key === "Enter")) return; // what is focused takes it
    if (event.key === "Backspace") undo();
    else if (event.key === "z" || event.key === "Z") { if (current) larger(); }
    else if (KEYS[event.key] && current) vote(KEYS[event.key]);
    else return;
    event.preventDefault();
  });

  show();
})();
