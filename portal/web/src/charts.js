import { BarChart, LineChart } from "echarts/charts";
import { GraphicComponent, GridComponent, TooltipComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";

use([BarChart, LineChart, GraphicComponent, GridComponent, TooltipComponent, SVGRenderer]);

const INK = "#5b6770";
const RULE = "#e3e1da";
const MAIN = "#1d4e63";
const FORECAST = "#b5562f";

/** Draw a card's small chart and keep it as wide as its box. One of a made-up city says so by itself: it is copied without the page. */
export function draw(box, kind, series, words, isMadeUp) {
  if (kind === "bar" && isNamed(series)) box.style.height = `${Math.max(176, 24 * series.length + 16)}px`;
  const chart = init(box, null, { renderer: "svg" });
  const drawn = kind === "bar" ? bars(series, words) : lines(kind, series, words);
  if (isMadeUp) drawn.grid.top = 24;
  chart.setOption({
    animation: false,
    // The page's own font by name: "inherit" cannot be measured, and labels would be cut.
    textStyle: { fontFamily: getComputedStyle(box).fontFamily },
    tooltip: { trigger: "axis", confine: true, axisPointer: { type: kind === "bar" ? "shadow" : "line" } },
    ...(isMadeUp && { graphic: { type: "text", silent: true, z: 100, right: 4, top: 0, style: { text: words.madeUp, fill: INK, fontSize: 12 } } }),
    ...drawn,
  });
  new ResizeObserver(() => chart.resize()).observe(box);
}

/** Names need room that upright bars do not give them: such bars lie down. */
function isNamed(series) {
  return series.some((point) => String(point.x).length > 5);
}

function bars(series, words) {
  const named = isNamed(series);
  const names = {
    type: "category",
    data: series.map((point) => String(point.x)),
    inverse: named,
    axisTick: { show: false },
    axisLine: { lineStyle: { color: RULE } },
    axisLabel: { color: INK, fontSize: 12, ...(named && { width: 144, overflow: "truncate", interval: 0 }) },
  };
  const values = valueAxis(words, series, false);
  return {
    grid: { left: named ? 16 : 4, right: named ? 48 : 8, top: 20, bottom: 2, containLabel: true },
    xAxis: named ? { ...values, axisLabel: { show: false }, splitLine: { show: false } } : names,
    yAxis: named ? names : values,
    series: [
      {
        type: "bar",
        name: words.y,
        data: series.map((point) => point.y),
        barMaxWidth: named ? 14 : 40,
        itemStyle: { color: MAIN, borderRadius: named ? [0, 2, 2, 0] : [2, 2, 0, 0] },
        label: { show: named || series.length <= 8, position: named ? "right" : "top", color: INK, formatter: ({ value }) => words.number(value) },
        tooltip: { valueFormatter: words.number },
      },
    ],
  };
}

function lines(kind, series, words) {
  const isForecast = (point) => kind === "fan" && point.lower != null && point.upper != null;
  const first = series.findIndex(isForecast);
  const hasForecast = first >= 0;
  const line = (name, color, data, more) => ({
    type: "line",
    name,
    data,
    symbol: "circle",
    symbolSize: 5,
    lineStyle: { color, width: 2 },
    itemStyle: { color },
    tooltip: { valueFormatter: words.number },
    ...more,
  });
  const known = series.map((point) => (isForecast(point) ? null : point.y));
  // The forecast begins at the last known point, so that the line does not break.
  const ahead = series.map((point, i) => (isForecast(point) || i === first - 1 ? point.y : null));
  const lower = series.map((point, i) => (isForecast(point) ? point.lower : i === first - 1 ? point.y : null));
  const width = series.map((point, i) => (isForecast(point) ? point.upper - point.lower : i === first - 1 ? 0 : null));
  const band = (data, areaStyle) => ({
    type: "line",
    stack: "band",
    stackStrategy: "all",
    data,
    symbol: "none",
    lineStyle: { opacity: 0 },
    areaStyle,
    silent: true,
    tooltip: { show: false },
  });
  return {
    grid: { left: 4, right: 16, top: 12, bottom: 2, containLabel: true },
    xAxis: {
      type: "category",
      boundaryGap: false,
      data: series.map((point) => String(point.x)),
      axisTick: { show: false },
      axisLine: { lineStyle: { color: RULE } },
      axisLabel: { color: INK, fontSize: 12, hideOverlap: true },
    },
    yAxis: valueAxis(words, series, true),
    series: [
      ...(hasForecast ? [band(lower, undefined), band(width, { color: FORECAST, opacity: 0.16 })] : []),
      line(hasForecast ? words.actual : words.y, MAIN, known),
      ...(hasForecast
        ? [line(words.forecast, FORECAST, ahead, { lineStyle: { color: FORECAST, width: 2, type: [5, 4] } })]
        : []),
    ],
  };
}

function valueAxis(words, series, scale) {
  return {
    type: "value",
    scale,
    // Counts have no half lines.
    minInterval: series.every((point) => Number.isInteger(point.y ?? 0)) ? 1 : 0,
    splitNumber: 3,
    axisLabel: { color: INK, fontSize: 12, formatter: words.short },
    splitLine: { lineStyle: { color: RULE } },
  };
}
