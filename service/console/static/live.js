// What changes elsewhere is shown here, without a reload. Pages are whole without this: it only counts down, and
// fetches the same page again when the feed tells of a transition that it shows.

const body = document.body;
const said = document.getElementById("live-says");

// Counting down ------------------------------------------------------------------------------------------------

// By the service's clock, not the browser's; a virtual one stands still.
let ahead = Date.parse(body.dataset.now) - Date.now();

function span(seconds) {
  const minutes = Math.floor(seconds / 60), hours = Math.floor(minutes / 60);
  const parts = [[Math.floor(hours / 24), "d"], [hours % 24, "h"], [minutes % 60, "min"]];
  const told = parts.filter(([n]) => n > 0).slice(0, 2).map(([n, unit]) => `${n} ${unit}`);
  return told.join(" ") || `${Math.floor(seconds)} s`;
}

function tick() {
  const now = Date.now() + ahead;
  for (const time of document.querySelectorAll("time[data-due]")) {
    const left = (Date.parse(time.dateTime) - now) / 1000;
    const text = left < 0 ? `${span(-left)} late` : `in ${span(left)}`;
    if (time.textContent !== text) time.textContent = text;
    if (left < 0) for (const part of [time.parentElement, time.closest(".card, .deadlines li")]) part?.classList.add("late");
  }
}

if ("ticks" in body.dataset) setInterval(tick, 1000);

// Looking again ------------------------------------------------------------------------------------------------

function typing(part) {
  if ("tried" in part.dataset) return true;
  const shown = part.querySelector("details[open] form");
  return shown !== null && [...shown.elements].some((field) => {
    if (field.type === "checkbox") return field.checked !== field.defaultChecked;
    if (field.tagName === "SELECT") return [...field.options].some((o) => o.selected !== o.defaultSelected && field.value !== "");
    return field.type !== "hidden" && field.tagName !== "BUTTON" && field.value !== field.defaultValue;
  });
}

function keepOpen(old, fresh) {
  // What somebody has opened to read stays open; a form stays open where it still is one.
  const were = [...old.querySelectorAll("details")], are = [...fresh.querySelectorAll("details")];
  const key = (d) => d.id || d.closest("li, section")?.textContent.slice(0, 80) + d.querySelector("summary").textContent;
  const open = new Set(were.filter((d) => d.open).map(key));
  for (const d of are) if (open.has(key(d))) d.open = true;
}

async function look() {
  const answer = await fetch(location.pathname.replace(/^(\/escalations\/[^/]+)\/.*/, "$1") + location.search);
  if (answer.redirected && new URL(answer.url).pathname === "/sign-in") return location.reload();
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  let moved = false;
  for (const old of document.querySelectorAll("[data-part]")) {
    const fresh = page.getElementById(old.id);
    if (fresh && old.outerHTML !== fresh.outerHTML) {
      if (old.dataset.part === "forms" && old.dataset.version === fresh.dataset.version) continue;
      if (old.dataset.part === "forms" && typing(old)) { moved = true; continue; }
      const focused = old.contains(document.activeElement) ? place(old, document.activeElement) : null;
      keepOpen(old, fresh);
      old.replaceWith(document.adoptNode(fresh));
      if (focused !== null) document.querySelector(focused)?.focus({ preventScroll: true });
    }
  }
  // Sections come and go with the state.
  for (const side of document.querySelectorAll(".other-side")) {
    const parts = [...page.querySelector(".other-side").children];
    if (parts.map((p) => p.id).join() !== [...side.children].map((p) => p.id).join()) side.replaceChildren(...parts);
  }
  ahead = Date.parse(page.body.dataset.now) - Date.now();
  document.title = page.title;
  const version = page.body.dataset.version;
  if (moved) document.getElementById("moved").hidden = false;
  if (version && version !== body.dataset.version) {
    body.dataset.version = version;
    said.textContent = `This has changed: ${page.title}`;
  }
}

function place(root, element) {
  const link = element.getAttribute("href");
  if (element.id) return `#${CSS.escape(element.id)}`;
  if (link) return `#${CSS.escape(root.id)} a[href="${CSS.escape(link)}"]`;
  const action = element.tagName === "SUMMARY" ? element.parentElement.id : "";
  return action ? `#${CSS.escape(action)} > summary` : null;
}

const apart = Number(body.dataset.refresh ?? 250);
let last = -Infinity, waiting = null, looking = false;

function lookSoon() {
  if (waiting !== null) return;
  waiting = setTimeout(async () => {
    if (looking) { waiting = null; return lookSoon(); }
    waiting = null; looking = true; last = performance.now();
    try { await look(); } catch { /* the next event, or the stream's return, looks again */ } finally { looking = false; }
  }, Math.max(0, last + apart - performance.now()));
}

// Listening ----------------------------------------------------------------------------------------------------

let stream = null;

function listen() {
  stream = new EventSource(body.dataset.live);
  // What happened between the page's reading and this is not told: so look once.
  stream.addEventListener("open", lookSoon);
  stream.addEventListener("transition", (event) => {
    const mine = body.dataset.escalation;
    if (!mine || JSON.parse(event.data).escalation_id === mine) lookSoon();
  });
}

// A hidden page lets go of its connection: a browser has six for one host.
function seen() {
  if (document.hidden) { stream?.close(); stream = null; }
  else if (stream === null) listen();
}

if (body.dataset.live) {
  if (!document.hidden) listen();
  document.addEventListener("visibilitychange", seen);
  addEventListener("pagehide", () => { stream?.close(); stream = null; });
  addEventListener("pageshow", (event) => { if (event.persisted) seen(); });
}
