// Puts the drawing on the page in the reader's theme; what is too wide is scrolled, by keyboard too.

const brightness = colour => {
  const ctx = document.createElement("canvas").getContext("2d");
  ctx.fillStyle = colour;
  ctx.fillRect(0, 0, 1, 1);
  const [r, g, b] = ctx.getImageData(0, 0, 1, 1).data;
  return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
};

export default function ({ data, parentElement }) {
  let root = parentElement.querySelector(".tree");
  if (!root) {
    root = document.createElement("div");
    root.className = "tree";
    root.tabIndex = 0;
    // the page turns on arrow keys that reach it
    root.addEventListener("keydown", event => event.stopPropagation());
    parentElement.append(root);
  }
  if (root.lookback !== data.markup) {
    root.innerHTML = data.markup; // every token in it is escaped, see viz/tree.py
    root.lookback = data.markup;
  }
  const page = getComputedStyle(parentElement.host ?? parentElement).getPropertyValue("--st-background-color").trim();
  const theme = brightness(page || "#ffffff") > 0.5 ? "light" : "dark";
  for (const [name, colour] of Object.entries(data.themes[theme])) root.style.setProperty(name, colour);
}
