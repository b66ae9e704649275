// Light or dark as Airflow's own switch says, not as the system does.

function airflowRoot() {
  try {
    return window.parent !== window ? window.parent.document.documentElement : null;
  } catch {
    return null;
  }
}

function isDark(root) {
  if (root?.classList.contains("dark")) return true;
  if (root?.classList.contains("light")) return false;
  const chosen = localStorage.getItem("theme");
  if (chosen === "dark" || chosen === "light") return chosen === "dark";
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

export function followTheme() {
  const root = airflowRoot();
  const apply = () => document.documentElement.classList.toggle("dark", isDark(root));
  apply();
  window.addEventListener("storage", apply);
  if (root) new MutationObserver(apply).observe(root, { attributes: true, attributeFilter: ["class"] });
}
