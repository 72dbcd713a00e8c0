// Filters the page by words and layer, and switches its language. Without it everything stands open to the browser's search.
const root = document.documentElement;
const box = document.getElementById("q");
const layer = document.getElementById("layer");
const button = document.getElementById("lang");
const lower = (node) => node.textContent.toLowerCase();
const all = [...document.querySelectorAll("details")].map((details) => ({
  details,
  text: lower(details),
  head: lower(details.querySelector("summary")),
  rows: [...details.querySelectorAll("tbody tr")].map((row) => ({ row, text: lower(row) })),
}));

function find() {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  const has = (text) => words.every((word) => text.includes(word));
  let entries = 0;
  let lines = 0;
  for (const { details, text, head, rows } of all) {
    const shown = (!layer.value || details.dataset.layer === layer.value) && has(text);
    details.classList.toggle("hidden", !shown);
    if (!shown) continue;
    entries += 1;
    const hits = has(head) ? rows : rows.filter((one) => has(one.text));
    lines += hits.length;
    const kept = new Set(hits.length ? hits : rows);
    for (const one of rows) one.row.classList.toggle("hidden", !kept.has(one));
    details.open = words.length > 0 && !has(head) && hits.length > 0;
  }
  for (const part of document.querySelectorAll("section"))
    part.classList.toggle("hidden", !part.querySelector("details:not(.hidden)"));
  document.getElementById("found").textContent =
    root.lang === "en" ? `${entries} entries, ${lines} lines` : `${entries} 个条目，${lines} 行`;
}

button.addEventListener("click", () => {
  root.lang = root.lang === "en" ? "zh-CN" : "en";
  button.textContent = root.lang === "en" ? "中文" : "English";
  box.placeholder = root.lang === "en" ? box.dataset.en : box.dataset.zh;
  find();
});
box.addEventListener("input", find);
layer.addEventListener("change", find);

function jump() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const details = target && target.closest("details");
  if (details) {
    details.open = true;
    target.scrollIntoView();
  }
}
addEventListener("hashchange", jump);
find();
jump();
