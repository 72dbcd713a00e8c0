import { draw } from "./charts.js";
import { ask, h } from "./dom.js";
import { Words } from "./words.js";

const API = "/api/v1";
const PAGE_ROWS = 50;
const COMPLETE = ["is_complete", "is_base_complete", "is_district_complete", "is_city_complete"];
const main = document.getElementById("main");

let me = null;
let words = new Words(remembered() === "en" ? "en" : "zh");

/** The address after `#` is the view: nothing for the start, `/tables/<name>?cursor=…` for a table.
 *  All that is shown is of one release: a page of an older one has that one's head. */
async function show() {
  const [path, query] = location.hash.slice(1).split("?");
  const name = path.match(/^\/tables\/(.+)$/)?.[1];
  main.setAttribute("aria-busy", "true");
  try {
    // A session that is over is forgotten by the first answer: then we are the public.
    me = await ask(`${API}/me`).catch(() => ask(`${API}/me`));
    const newest = await ask(`${API}/release`);
    const view = name
      ? await tableView(decodeURIComponent(name), new URLSearchParams(query).get("cursor"))
      : await startView(newest.release);
    const isOlder = view.release && view.release !== newest.release;
    const release = isOlder ? await ask(`${API}/release?release=${view.release}`) : newest;
    head(release);
    main.replaceChildren(...[
      isOlder && h("p", { class: "incomplete-note", role: "note", id: "older" },
        words.older(release.release, newest.release), " ", h("a", { href: tableHref(decodeURIComponent(name)) }, words.newest)),
      ...view.content].filter(Boolean));
    document.title = [view.title, words.of(release, "title"), release.synthetic && words.madeUp].filter(Boolean).join(" · ");
    view.shown?.();
  } catch (error) {
    head(null);
    main.replaceChildren(
      h("div", { class: "notice", role: "alert" },
        h("h2", null, words.failed),
        h("p", null, error.message),
        name && h("p", null, h("a", { href: tableHref(decodeURIComponent(name)) }, words.first)),
        h("button", { type: "button", onclick: show }, words.retry)),
    );
  }
  main.setAttribute("aria-busy", "false");
}

function head(release) {
  document.documentElement.lang = words.tag;
  document.getElementById("kicker").textContent = words.kicker;
  document.getElementById("skip").textContent = words.skip;
  const language = h("button", { type: "button", lang: words.language === "zh" ? "en" : "zh-CN", onclick: change }, words.other);
  document.getElementById("tools").replaceChildren(
    h("a", { href: "/hand-in" }, words.handIn), h("a", { href: "/docs" }, words.api), ...signing(), language,
  );
  if (!release) return;
  document.getElementById("site-title").textContent = words.of(release, "title");
  document.getElementById("release").replaceChildren(
    ...fact(words.asOf, release.as_of_date),
    ...fact(words.release, words.releaseNo(release.release)),
    ...fact(words.tables, words.tableCount(release.table_count)),
  );
  document.getElementById("footer").textContent = words.footer(release.run_id, release.code_version);
}

/** Who is signed in and the way out, or the way in; nothing where nobody signs in. */
function signing() {
  if (!me?.can_sign_in) return [];
  if (me.role === "public") return [h("a", { href: "/sign-in", id: "sign-in" }, words.signIn)];
  const out = async () => {
    await fetch("/sign-out", { method: "POST", headers: { "x-csrf-token": me.csrf_token } });
    location.assign("/");
  };
  return [h("span", { id: "who" }, me.name || me.role_zh), h("button", { type: "button", onclick: out }, words.signOut)];
}

function fact(term, value) {
  return [h("div", null, h("dt", null, term), h("dd", null, value))];
}

async function startView(release) {
  let [cards, platforms] = await Promise.all([ask(`${API}/cards`), ask(`${API}/platforms`)]);
  // A release published between two questions would put two of them on one page.
  if (cards.release !== release || platforms.release !== release) {
    [cards, platforms] = await Promise.all([ask(`${API}/cards`), ask(`${API}/platforms`)]);
  }
  const charts = [];
  return {
    content: [
      h("section", { "aria-labelledby": "services" },
        h("div", { class: "lead" }, h("h2", { id: "services" }, words.services), h("p", null, words.servicesLead)),
        h("div", { class: "cards" }, cards.cards.map((card) => cardOf(card, charts, cards.synthetic)))),
      h("section", { "aria-labelledby": "platforms" },
        h("div", { class: "lead" }, h("h2", { id: "platforms" }, words.platforms), h("p", null, words.platformsLead)),
        h("div", { class: "platforms" }, platforms.platforms.map(platformOf))),
    ],
    // A chart measures its box, which has no size before it is on the page.
    shown: () => charts.forEach((chart) => chart()),
  };
}

function cardOf(card, charts, isMadeUp) {
  const title = words.of(card, "title");
  const label = words.of(card, "figure_label");
  const definition = words.of(card, "definition");
  const id = `card-${card.service}`;
  const hasData = card.status === "ok";
  // One point is a bar, but no line.
  const chart = hasData && card.chart_kind && card.series.length > (card.chart_kind === "bar" ? 0 : 1) && h("div", { class: "chart", role: "img", "aria-label": [words.chartOf(label), isMadeUp && words.madeUp].filter(Boolean).join(" · ") });
  if (chart) charts.push(() => draw(chart, card.chart_kind, card.series, words, isMadeUp));
  const facts = [
    definition && fact(words.definition, definition),
    card.period_label && fact(words.period, card.period_label),
    card.note_zh && fact(words.note, card.note_zh),
  ];
  return h("article", { class: hasData ? "card" : "card none", "aria-labelledby": id, "data-service": card.service },
    h("h3", { id }, title),
    label && h("p", { class: "label" }, label, isMadeUp && h("span", { class: "made-up" }, words.madeUp)),
    hasData
      ? h("p", { class: "figure" }, h("data", { value: String(card.figure_value) }, words.number(card.figure_value)), h("span", { class: "unit" }, card.figure_unit_zh ?? ""),
        card.is_complete === false && h("span", { class: "made-up incomplete", title: words.incompleteWhy }, words.incomplete))
      : h("p", { class: "figure missing" }, words.noData),
    chart,
    chart && card.chart_kind === "fan" && h("p", { class: "legend", "aria-hidden": "true" },
      ["actual", "forecast", "band"].map((part) => h("span", { class: part }, words[part]))),
    h("dl", { class: "facts" }, facts.flat()),
    hasData && card.series.length > 0 && seriesTable(card.series, isMadeUp ? `${title} · ${words.madeUp}` : title),
    hasData && card.detail_table && h("p", { class: "more" }, h("a", { href: tableHref(card.detail_table), "aria-label": `${words.openTable}：${title}` }, words.openTable)));
}

function seriesTable(series, title) {
  const bounded = series.some((point) => point.lower != null);
  const columns = ["x", "y", ...(bounded ? ["lower", "upper"] : [])];
  return h("details", null,
    h("summary", null, words.asTable),
    h("table", null,
      h("caption", { class: "unseen" }, title),
      h("thead", null, h("tr", null, columns.map((column) => h("th", { scope: "col", class: column === "x" ? null : "number" }, words[column])))),
      h("tbody", null, series.map((point) =>
        h("tr", null,
          h("th", { scope: "row" }, String(point.x)),
          columns.slice(1).map((column) => h("td", { class: "number" }, words.number(point[column]))))))));
}

function platformOf(platform) {
  const id = `platform-${platform.platform}`;
  const items = platform.items.map((item) => {
    const title = words.of(item, "title");
    return h("li", null,
      item.href ? h("a", { href: tableHref(item.table_name) }, title) : h("span", null, title),
      h("span", { class: "about" },
        [item.grain_zh, item.row_count != null && words.rows(words.number(item.row_count)), item.note_zh, !item.href && words.closed]
          .filter(Boolean).join(" · ")),
      item.href && h("a", { class: "csv", href: csvHref(item.table_name, words.language === "zh"), download: true, "aria-label": words.csvOf(title) }, words.csv));
  });
  return h("section", { class: "platform", "aria-labelledby": id, "data-platform": platform.platform },
    h("h3", { id }, words.of(platform, "title")),
    items.length ? h("ul", null, items) : h("p", { class: "about" }, words.empty));
}

async function tableView(name, cursor) {
  const table = await ask(`${API}/tables/${encodeURIComponent(name)}?limit=${PAGE_ROWS}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
  const title = words.of(table, "title") || table.name;
  const start = Math.max(table.first - 1, 0);
  const next = table.next && new URLSearchParams(table.next.split("?")[1]).get("cursor");
  // A row that says of itself that its sum is not all there: the mark stands at each of its figures.
  const marks = table.columns.map((column) => column.name).filter((column) => COMPLETE.includes(column));
  const isMarked = (row) => marks.some((mark) => row[mark] === false);
  const marked = table.rows.filter(isMarked).length;
  const isNumber = (column) => /^(DECIMAL|DOUBLE|FLOAT|U?(BIG|HUGE|SMALL|TINY)?INT(EGER)?)/.test(column.type);
  // Why a value is missing is told in words, not by its code.
  const isReason = (column) => /(^|_)missing_reason$|^(refused_reason|rate_status|score_status)$/.test(column.name);
  const told = (row, column) => (isReason(column) && table.reasons?.[row[column.name]]?.[words.language]) || String(row[column.name]);
  const cell = (row, column) => h("td", { class: isNumber(column) ? "number" : null },
    row[column.name] == null ? "—" : told(row, column),
    row[column.name] != null && isMarked(row) && isNumber(column) && /_(count|share)$/.test(column.name) && h("abbr", { class: "mark", title: words.incompleteWhy }, "†"));
  return {
    title,
    release: table.release,
    content: [
      h("p", { class: "more" }, h("a", { href: "#" }, words.back)),
      h("div", { class: "lead" }, h("h2", null, title), table.synthetic && h("span", { class: "made-up" }, words.madeUp), h("p", null, h("code", null, table.name), table.description ? ` ${table.description}` : "")),
      h("p", { class: "actions" },
        h("a", { class: "button", href: csvHref(name, true, table.release), download: true }, words.csvZh),
        h("a", { class: "button", href: csvHref(name, false, table.release), download: true }, words.csvName)),
      h("details", { class: "dictionary" },
        h("summary", null, words.dictionary(table.columns.length)),
        h("div", { class: "scroll" }, h("table", null,
          h("thead", null, h("tr", null, [words.field, words.title, words.type, words.meaning].map((text) => h("th", { scope: "col" }, text)))),
          h("tbody", null, table.columns.map((column) =>
            h("tr", null, h("th", { scope: "row" }, h("code", null, column.name)), h("td", null, column.title_zh), h("td", null, column.type), h("td", null, column.description))))))),
      h("p", { class: "about", id: "shown" }, table.rows.length ? words.shown(words.number(start + 1), words.number(start + table.rows.length), words.number(table.row_count)) : words.none),
      marked > 0 && h("p", { class: "incomplete-note", role: "note" }, words.incompleteRows(words.number(marked))),
      h("div", { class: "scroll", role: "region", tabindex: "0", "aria-labelledby": "shown" },
        h("table", { class: "rows" },
          h("caption", { class: "unseen" }, title),
          h("thead", null, h("tr", null, table.columns.map((column) =>
            h("th", { scope: "col", title: column.description || null, class: isNumber(column) ? "number" : null },
              (words.language === "zh" && column.title_zh) || column.name)))),
          h("tbody", null, table.rows.map((row) => h("tr", null, table.columns.map((column) => cell(row, column))))))),
      h("p", { class: "actions" },
        start > 0 && h("a", { class: "button", href: tableHref(name) }, words.first),
        next && h("a", { class: "button", href: `${tableHref(name)}?cursor=${next}` }, words.next)),
    ].filter(Boolean),
  };
}

function tableHref(name) {
  return `#/tables/${encodeURIComponent(name)}`;
}

/** A file of the release that is shown, or of the newest. */
function csvHref(name, chinese, release) {
  return `${API}/tables/${encodeURIComponent(name)}?format=csv${chinese ? "&header=zh" : ""}${release ? `&release=${release}` : ""}`;
}

function remembered() {
  try {
    return localStorage.getItem("language");
  } catch {
    return null; // a browser may forbid it; then the page begins in Chinese
  }
}

function change() {
  words = new Words(words.language === "zh" ? "en" : "zh");
  try {
    localStorage.setItem("language", words.language);
  } catch {
    // not remembered, and shown all the same
  }
  show();
}

addEventListener("hashchange", async () => {
  await show();
  scrollTo(0, 0);
  main.focus({ preventScroll: true });
});

// The part of the address after "#" says which view is shown, so the skip link must not change it.
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});

// A closed fold would be missing on paper.
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  folded.forEach((details) => (details.open = true));
});
addEventListener("afterprint", () => folded.forEach((details) => (details.open = false)));

show();
