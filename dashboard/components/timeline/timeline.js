// Puts the markup on the page in the reader's theme, and hands plain clicks on its links to Python.

const brightness = colour => {
  const ctx = document.createElement("canvas").getContext("2d");
  ctx.fillStyle = colour;
  ctx.fillRect(0, 0, 1, 1);
  const [r, g, b] = ctx.getImageData(0, 0, 1, 1).data;
  return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
};

// the sentence stands in the address of this page: a link opened in a new tab takes it along
const carry = event => {
  const link = event.target.closest("a");
  if (link) link.search = window.location.search;
};

export default function ({ data, parentElement, setTriggerValue }) {
  let root = parentElement.querySelector(".timeline");
  if (!root) {
    root = document.createElement("div");
    root.className = "timeline";
    root.addEventListener("pointerdown", carry);
    root.addEventListener("focusin", carry);
    parentElement.append(root);
  }
  if (root.lookback !== data.markup) {
    root.innerHTML = data.markup; // made of our own words only, see viz/timeline.py
    root.lookback = data.markup;
  }
  const page = getComputedStyle(parentElement.host ?? parentElement).getPropertyValue("--st-background-color").trim();
  root.dataset.theme = brightness(page || "#ffffff") > 0.5 ? "light" : "dark";
  for (const [name, colour] of Object.entries(data.themes[root.dataset.theme])) root.style.setProperty(name, colour);
  root.onclick = event => {
    const link = event.target.closest("a");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    setTriggerValue("page", link.dataset.page);
  };
}
