// What every part uses: reading the blob (see `pack` in the Python face), colours, numbers, text that fits.
// One module in three files, joined by the Python face in this order: base.js, figure.js, matrix.js.

const MIN_CELL = 12, MAX_CELL = 44, TALLEST = 620, LABEL = 12, GAP = 28, LEAST_WIDTH = 230, SMALL = 150;
const CURSOR = "lookback-cursor";
const scratch = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

function unpack(data) {
  const bytes = data.slice(); // a copy of its own starts aligned; the message's view does not
  const length = new DataView(bytes.buffer).getUint32(0, true);
  const meta = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const kinds = { float32: Float32Array, uint8: Uint8Array };
  const arrays = meta.arrays.map(a => new kinds[a.type](bytes.buffer, 4 + length + a.start, a.length));
  for (const m of meta.matrices) {
    m.queries = meta.axes[m.query];
    m.keys = meta.axes[m.key];
    m.read = m.consumed === null ? null : meta.axes[m.consumed];
    m.values = arrays[m.cells];
    m.bits = m.mask === null ? null : arrays[m.mask];
    m.exactly = m.values instanceof Float32Array;
  }
  return meta;
}

const make = (tag, name, parent) => {
  const node = document.createElement(tag);
  node.className = name;
  parent?.append(node);
  return node;
};

// any CSS colour as [r, g, b]
function rgb(colour) {
  scratch.clearRect(0, 0, 1, 1);
  scratch.fillStyle = colour;
  scratch.fillRect(0, 0, 1, 1);
  return scratch.getImageData(0, 0, 1, 1).data;
}

const luminance = ([r, g, b]) => {
  const [x, y, z] = [r, g, b].map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
};

// 256 colours along the stops, and the ink that is readable on each
function ramp(stops) {
  const points = stops.map(s => [1, 3, 5].map(i => parseInt(s.slice(i, i + 2), 16)));
  const colours = [], inks = [];
  for (let i = 0; i < 256; i++) {
    const at = i / 255 * (points.length - 1), low = Math.min(Math.floor(at), points.length - 2);
    const c = points[low].map((v, p) => Math.round(v + (points[low + 1][p] - v) * (at - low)));
    colours.push(c);
    inks.push(luminance(c) > 0.179 ? "#000000" : "#ffffff");
  }
  return { colours, inks };
}

function number(value) {
  if (value !== 0 && Math.abs(value) < 0.0005) return value > 0 ? "<0.001" : "−<0.001";
  return value.toFixed(3).replace("-", "−");
}

function fit(ctx, text, width) {
  if (ctx.measureText(text).width <= width) return text;
  const letters = [...text];
  while (letters.length && ctx.measureText(letters.join("") + "…").width > width) letters.pop();
  return letters.join("") + "…";
}

function sized(canvas, width, height, ratio) {
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w) canvas.width = w;
  if (canvas.height !== h) canvas.height = h;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const ctx = canvas.getContext("2d");
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.clearRect(0, 0, width, height);
  return ctx;
}
