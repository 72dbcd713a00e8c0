import "./door.css";
import { card } from "./door_cards.js";
import { get, handIn, newKey, post, Problem, verdict, whoAmI } from "./door_net.js";
import { WORDS } from "./door_words.js";
import { h } from "./dom.js";

const main = document.getElementById("main");
const PAGE = 20;
const FIRST_DUE = 6;
const MOST_DUE = 300;
let words = told("zh");
let own = null; // what the server says of the caller's senders
let sender = "";
let results = []; // deliveries handed in on this page, the newest first

function told(language) {
  return { language, ...WORDS[language] };
}

async function show() {
  main.setAttribute("aria-busy", "true");
  const me = await whoAmI();
  head(me);
  try {
    // Asked only for who may hand in: a browser notes each refusal as an error of the page.
    if (me && !me.may.includes("POST /api/v1/deliveries")) throw new Problem(401, {});
    own = await get("/deliveries/senders");
    sender ||= own.default;
    main.replaceChildren(dueSection(), giveSection(), resultSection(), historySection());
    await Promise.all([fillDue(), fillHistory()]);
  } catch (error) {
    main.replaceChildren(error.status === 401 || error.status === 403 ? signInNotice() : failure(error, show));
  }
  main.setAttribute("aria-busy", "false");
}

function head(me) {
  document.documentElement.lang = words.tag;
  document.title = words.title;
  document.getElementById("kicker").textContent = words.kicker;
  document.getElementById("title").textContent = words.title;
  document.getElementById("skip").textContent = words.skip;
  document.getElementById("tools").replaceChildren(...[
    me?.name && h("span", { class: "who" }, me.name),
    h("a", { href: "/" }, words.home),
    h("a", { href: "/sign-in" }, me?.name ? words.account : words.signIn),
    h("button", { type: "button", lang: words.language === "zh" ? "en" : "zh-CN", onclick: change }, words.other),
  ].filter(Boolean));
}

function signInNotice() {
  return h("div", { class: "notice", role: "alert" },
    h("h2", null, words.signInFirst), h("p", null, words.signInWhy), h("a", { class: "button main", href: "/sign-in" }, words.signIn));
}

function failure(error, again) {
  return h("div", { class: "notice", role: "alert" },
    h("h2", null, words.failed), h("p", null, error.message || words.netFailed), h("button", { type: "button", onclick: again }, words.retry));
}

function section(id, title, ...content) {
  return h("section", { class: "section", "aria-labelledby": id }, h("div", { class: "lead" }, h("h2", { id }, title), h("p", { id: `${id}-about` })), ...content);
}

// What is owed

function dueSection() {
  return section("due", words.due, h("ul", { class: "due", id: "due-list" }), h("div", { id: "due-more" }));
}

async function fillDue() {
  const due = await get("/deliveries/due", { sender });
  document.getElementById("due-about").textContent = due.due.some((one) => one.state !== "accepted") ? words.dueOf(due.as_of_date) : words.noDue;
  const owe = due.due.filter((one) => one.state !== "accepted");
  const done = due.due.filter((one) => one.state === "accepted");
  const item = (one) => {
    const name = one[`dataset_${words.language}`];
    return h("li", { class: one.state },
      h("span", { class: "left" }, ["late", "due", "held"].includes(one.state) ? words.left(one.days_left) : words.states[one.state]),
      h("span", { class: "what" }, due.senders.length > 1 ? `${one.sender_name ?? one.sender_code} · ${name}` : name),
      h("span", { class: "about" }, [one.period, `${words.dueBy} ${one.due_date}`, words.states[one.state], one.is_locked && words.locked].filter(Boolean).join(" · ")),
      h("a", { class: "template", href: `/api/v1/templates/${one.dataset}.xlsx`, download: true, "aria-label": words.templateOf(name) }, words.template));
  };
  document.getElementById("due-list").replaceChildren(...owe.slice(0, FIRST_DUE).map(item));
  const folded = [[words.dueMore, owe.slice(FIRST_DUE)], [words.dueDone, done]].filter(([, found]) => found.length);
  document.getElementById("due-more").replaceChildren(...folded.map(([title, found]) =>
    h("details", null, h("summary", null, title(found.length)), h("ul", { class: "due" }, found.slice(0, MOST_DUE).map(item)))));
}

// Handing in

function giveSection() {
  const input = h("input", { type: "file", multiple: true, id: "files", class: "unseen", onchange: () => give([...input.files]) });
  const drop = h("div", { class: "drop", id: "drop" }, h("p", null, words.drop), h("div", null, input, h("label", { for: "files" }, words.choose)));
  drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    give([...event.dataTransfer.files]);
  });
  return section("give", words.handIn,
    h("div", { class: "give" },
      h("div", { class: "choices" }, senderChoice(), datasetChoice()),
      drop,
      h("p", { class: "about" }, words.bounds(own.bounds)),
      h("div", { class: "progress", id: "progress", role: "status" })));
}

function senderChoice() {
  const name = (one) => [one.name, one.code].filter(Boolean).join(" ");
  if (own.senders.length < 2) return own.senders.map((one) => h("p", null, `${words.sender}：${name(one)}`));
  const choose = (event) => {
    sender = event.target.value.trim().split(" ").pop();
    refill();
  };
  return h("label", null, words.sender,
    h("input", { list: "senders", id: "sender", value: sender, onchange: choose, autocomplete: "off" }),
    h("datalist", { id: "senders" }, own.senders.map((one) => h("option", { value: one.code }, name(one)))));
}

function datasetChoice() {
  const kind = own.senders.find((one) => one.code === sender)?.kind ?? "district";
  return h("label", null, words.what,
    h("select", { id: "dataset" },
      h("option", { value: "" }, words.byHeader),
      (own.datasets[kind] ?? []).map((one) => h("option", { value: one.dataset }, one[`title_${words.language}`]))));
}

function refill() {
  document.getElementById("dataset").closest("label").replaceWith(datasetChoice());
  fillDue().catch(() => document.getElementById("due-list").replaceChildren());
  fillHistory();
}

async function give(files, key = newKey()) {
  if (!files.length) return;
  const box = document.getElementById("progress");
  const text = h("p", null, words.sending(0));
  const bar = h("progress", { max: "1", value: "0", "aria-label": words.handIn });
  box.replaceChildren(text, bar);
  const fields = { sender, dataset: document.getElementById("dataset").value };
  try {
    const made = await handIn(files, fields, key, (share) => {
      bar.value = share;
      text.textContent = share < 1 ? words.sending(Math.floor(100 * share)) : words.taking;
    });
    box.replaceChildren();
    document.getElementById("files").value = "";
    put(made);
    document.getElementById("results").scrollIntoView({ block: "start" });
    if (["waiting", "taking"].includes(made.state)) await verdict(made.id, put);
    fillDue();
    fillHistory();
  } catch (error) {
    const again = h("button", { type: "button", onclick: () => give(files, key) }, words.retry);
    const message = error instanceof Problem ? error.message : words.netFailed;
    box.replaceChildren(h("p", { class: "notice", role: "alert" }, message, again));
  }
}

function resultSection() {
  const found = section("results", words.results, h("div", { id: "result-list", "aria-live": "polite" }));
  found.hidden = results.length === 0;
  queueMicrotask(paint);
  return found;
}

/** A delivery as the server says it now, in its place among the results. */
function put(made) {
  const earlier = results.find((one) => one.id === made.id);
  results = [{ ...made, is_repeated: made.is_repeated ?? earlier?.is_repeated }, ...results.filter((one) => one.id !== made.id)];
  paint();
}

function paint() {
  const list = document.getElementById("result-list");
  if (!list) return;
  list.closest("section").hidden = results.length === 0;
  list.replaceChildren(...results.map((made) => h("div", { class: "verdicts", "data-id": made.id },
    made.is_repeated && h("p", { class: "notice" }, words.repeated),
    made.state === "waiting" && h("p", null, words.waiting(made.place_in_queue ?? 0)),
    made.files.map((file) => card(file, words)),
    made.state !== "waiting" && h("p", { class: "actions" },
      h("button", { type: "button", onclick: () => document.getElementById("files").click() }, words.again)))));
}

// What was handed in

function historySection() {
  const filter = h("select", { id: "filter", onchange: () => fillHistory() },
    h("option", { value: "" }, words.all), Object.entries(words.filters).map(([code, text]) => h("option", { value: code }, text)));
  return section("history", words.history,
    h("p", { class: "history" }, h("label", null, `${words.filter} `, filter)),
    h("ul", { class: "past", id: "past" }), h("p", { class: "actions", id: "more" }));
}

async function fillHistory(cursor = "") {
  const list = document.getElementById("past");
  const values = { sender: own.senders.length > 1 ? sender : "", state: document.getElementById("filter").value, limit: PAGE, cursor };
  const page = await get("/deliveries", values).catch((error) => ({ deliveries: [], error }));
  const lines = page.deliveries.map(line);
  if (cursor) list.append(...lines);
  else list.replaceChildren(...lines);
  document.getElementById("history-about").textContent = page.error ? page.error.message : !list.children.length ? words.none : "";
  document.getElementById("more").replaceChildren(...(page.next ? [h("button", { type: "button", onclick: () => fillHistory(page.next) }, words.more)] : []));
}

function line(made) {
  const moment = made.channel === "door" ? new Date(made.handed_at).toLocaleString(words.tag, { dateStyle: "medium", timeStyle: "short" }) : made.received_date;
  const names = made.files.slice(0, 3).map((file) => file.name ?? file.receipt_id).join("、");
  const item = h("li", { "data-id": made.id });
  const open = h("button", { type: "button", "aria-expanded": "false", "aria-label": words.details(names), onclick: () => toggle(item, made.id, open) }, words.open);
  item.append(h("div", { class: "line" },
    h("span", { class: "names" }, made.files.length > 3 ? `${names} … ${words.files(made.files.length)}` : names),
    h("span", { class: "words about" }, wordsOf(made)),
    h("span", { class: "about" }, [moment, made.sender_name ?? made.sender_code, made.who ? words.by(made.who) : made.channel === "door" ? "" : words.byHand].filter(Boolean).join(" · ")),
    open));
  return item;
}

function wordsOf(made) {
  if (made.state === "withdrawn") return words.filters.withdrawn;
  const last = (told) => [...new Set(told.filter(Boolean).map((one) => one[words.language]))].join("、");
  const first = last(made.files.map((file) => file.verdict));
  const final = last(made.files.map((file) => file.final));
  return [first && `${words.first}：${first}`, `${words.final}：${final || words.notYet}`].filter(Boolean).join("；");
}

async function toggle(item, id, button) {
  const isOpen = button.getAttribute("aria-expanded") === "true";
  button.setAttribute("aria-expanded", String(!isOpen));
  button.textContent = isOpen ? words.open : words.close;
  item.querySelector(".opened")?.remove();
  if (isOpen) return;
  const box = h("div", { class: "opened verdicts" });
  item.append(box);
  const made = await get(`/deliveries/${id}`).catch((error) => ({ error }));
  if (made.error) return box.replaceChildren(h("p", { role: "alert" }, made.error.message));
  return box.replaceChildren(
    ...made.files.map((file) => card(file, words)),
    made.withdrawal ? h("p", null, words.withdrawn(made.withdrawal)) : made.state !== "refused" ? withdrawal(made.id) : "");
}

function withdrawal(id) {
  const reason = h("input", { required: true, maxlength: "500", autocomplete: "off" });
  const said = h("p", { role: "alert" });
  const take = async (event) => {
    event.preventDefault();
    try {
      await post(`/deliveries/${id}/withdrawal`, { reason: reason.value });
      results = results.filter((one) => one.id !== id);
      paint();
      fillDue();
      fillHistory();
    } catch (error) {
      said.textContent = error.message;
    }
  };
  return h("details", null, h("summary", null, words.withdraw),
    h("form", { class: "withdraw", onsubmit: take },
      h("label", null, words.withdrawReason, reason), h("button", { type: "submit" }, words.withdrawDo), said));
}

// A language is remembered as on the other pages.

function change() {
  words = told(words.language === "zh" ? "en" : "zh");
  try {
    localStorage.setItem("language", words.language);
  } catch {
    // not remembered, and shown all the same
  }
  show();
}

try {
  words = told(localStorage.getItem("language") === "en" ? "en" : "zh");
} catch {
  // a browser may forbid it; then the page begins in Chinese
}
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
show();
