// Shows a page anew every two seconds, part by part; a part in which somebody types or selects is left alone.
"use strict";

const REFRESH_MILLISECONDS = 2000;

function isInUse(part) {
  const selection = document.getSelection();
  if (selection && !selection.isCollapsed && part.contains(selection.anchorNode)) return true;
  if (part.contains(document.activeElement)) return true;
  return [...part.querySelectorAll("textarea, input, select")].some((control) =>
    control.tagName === "SELECT"
      ? ![...control.options].every((option, index) => option.selected === (option.defaultSelected || (index === 0 && !control.querySelector("[selected]"))))
      : control.value !== control.defaultValue);
}

async function refresh() {
  if (!document.hidden) {
    try {
      const answer = await fetch(location.pathname + location.search);
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of document.querySelectorAll("[data-live]")) {
        const other = fresh.getElementById(part.id);
        if (answer.ok && other && other.outerHTML !== part.outerHTML && !isInUse(part)) {
          // A screen reader tells what changes in a live region, not a new one.
          if (part.ariaLive) part.replaceChildren(...other.childNodes); else part.replaceWith(other);
        }
      }
      document.body.classList.toggle("lost", !answer.ok);
    } catch {
      document.body.classList.add("lost");
    }
  }
  setTimeout(refresh, REFRESH_MILLISECONDS);
}

// Of a drawing that is larger than its window: the chosen node, or the first at which something is the matter.
function showInCanvas(canvas) {
  const node = [".chosen", ".failed", ".held", ".going"].map((kind) => canvas.querySelector(kind)).find(Boolean);
  if (!node) return;
  const inner = node.getBoundingClientRect(), outer = canvas.getBoundingClientRect();
  canvas.scrollLeft += inner.left + inner.width / 2 - outer.left - outer.width / 2;
  canvas.scrollTop += inner.top + inner.height / 2 - outer.top - outer.height / 2;
}

const canvas = document.getElementById("canvas");
if (canvas) {
  const fit = document.getElementById("fit");
  fit.checked = sessionStorage.getItem("fit") === "true";
  fit.addEventListener("change", () => sessionStorage.setItem("fit", fit.checked));
  showInCanvas(canvas);
}
setTimeout(refresh, REFRESH_MILLISECONDS);
