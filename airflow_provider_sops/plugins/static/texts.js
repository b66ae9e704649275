// The page's own words, in the browser's language.

let texts = {};
export let language = "en";

export async function loadTexts() {
  language = (navigator.languages?.[0] ?? navigator.language ?? "en").toLowerCase().startsWith("zh") ? "zh" : "en";
  const answer = await fetch(new URL(`texts_${language}.json`, import.meta.url));
  texts = await answer.json();
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
}

// Returns a text with values in the places of {name}.
export function t(key, values = {}) {
  const text = texts[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

export function stateName(word) {
  return texts[`state.${word}`] ?? word;
}

// Airflow's own choice of a time zone.
function timeZone() {
  const chosen = (localStorage.getItem("timezone") ?? "").replaceAll('"', "");
  try {
    new Intl.DateTimeFormat("en", { timeZone: chosen });
    return chosen || "UTC";
  } catch {
    return "UTC";
  }
}

export const zone = timeZone();
const format = new Intl.DateTimeFormat("sv-SE", {
  timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
});

export function moment(text) {
  const time = text ? new Date(text) : null;
  return time && !Number.isNaN(time.getTime()) ? format.format(time) : text ?? "";
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 120) return t("seconds", { seconds });
  if (seconds < 7200) return t("minutes", { minutes: Math.floor(seconds / 60), seconds: seconds % 60 });
  return t("hours", { hours: Math.floor(seconds / 3600), minutes: Math.floor((seconds % 3600) / 60) });
}
