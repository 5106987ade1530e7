// The theme that was chosen in Airflow, and links that lead there: a frame may not take its parent elsewhere.
"use strict";

const themed = [...document.styleSheets]
  .flatMap((sheet) => [...sheet.cssRules])
  .filter((rule) => rule instanceof CSSMediaRule && rule.media.mediaText.includes("prefers-color-scheme"));

function follow(root) {
  const dark = root.classList.contains("dark");
  if (!dark && !root.classList.contains("light")) return;
  document.documentElement.style.colorScheme = dark ? "dark" : "light";
  for (const rule of themed) rule.media.mediaText = dark ? "all" : "not all";
}

function openAbove(event) {
  const link = event.target.closest("a[data-parent]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const above = window.parent.document.createElement("a");
  above.href = link.href;
  window.parent.document.body.append(above);
  above.click();
  above.remove();
}

if (window.parent !== window) {
  try {
    const root = window.parent.document.documentElement;
    follow(root);
    new MutationObserver(() => follow(root)).observe(root, { attributeFilter: ["class"] });
    document.addEventListener("click", openAbove);
  } catch {
    // Another site's frame: the page is read as it is.
  }
}
