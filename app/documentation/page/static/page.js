// Everything here is convenience: the page is whole without it.
"use strict";

const root = document.documentElement;
const KEY = "auth-service-docs-theme";

function remembered() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // storage is forbidden: the choice lasts as long as the page
  }
}

const chosen = remembered();
if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
root.classList.add("scripted");

function setUpTheme(button) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const show = () => {
    const next = isDark() ? "Light" : "Dark";
    button.textContent = next;
    button.setAttribute("aria-label", `Use the ${next.toLowerCase()} theme`);
  };
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try {
      localStorage.setItem(KEY, root.dataset.theme);
    } catch {
      // as above
    }
    show();
  });
  system.addEventListener("change", show);
  show();
}

async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Plain HTTP on a machine that is not this one: browsers offer no clipboard there.
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "offscreen";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("copying is not allowed");
}

function setUpCopying(status) {
  for (const button of document.querySelectorAll("button.copy")) {
    button.addEventListener("click", async () => {
      const source = document.getElementById(button.dataset.copies);
      let said = "Copied";
      try {
        await copy(source.textContent);
      } catch {
        said = "Not allowed";
      }
      button.focus();
      button.textContent = said;
      status.textContent = said;
      setTimeout(() => {
        button.textContent = "Copy";
        status.textContent = "";
      }, 1600);
    });
  }
}

function setUpContents(contents) {
  const narrow = matchMedia("(max-width: 63.99rem)");
  const fit = () => {
    contents.open = !narrow.matches;
  };
  narrow.addEventListener("change", fit);
  fit();
  contents.addEventListener("click", (event) => {
    if (narrow.matches && event.target.closest("a")) contents.open = false;
  });
  const links = new Map([...contents.querySelectorAll("a")].map((a) => [decodeURIComponent(a.hash.slice(1)), a]));
  const visible = new Set();
  const observer = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) visible.add(target.id);
        else visible.delete(target.id);
      }
      const current = [...links.keys()].find((id) => visible.has(id));
      if (!current) return;
      for (const [id, link] of links) link.toggleAttribute("data-current", id === current);
    },
    { rootMargin: "-10% 0px -70% 0px" },
  );
  for (const id of links.keys()) {
    const section = document.getElementById(id);
    if (section) observer.observe(section);
  }
}

document.addEventListener("DOMContentLoaded", () => {
  setUpTheme(document.getElementById("theme"));
  setUpCopying(document.getElementById("status"));
  setUpContents(document.getElementById("contents"));
});
