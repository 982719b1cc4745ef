// One matrix: where its parts stand, how it is painted, what it says of a cell.

class Figure {
  constructor(view, index) {
    this.view = view;
    this.index = index;
    this.cursor = { query: null, key: null };
    this.root = make("figure", "figure");
    this.title = make("p", "title", this.root);
    this.reading = make("p", "reading", this.root);
    this.stage = make("div", "stage", this.root);
    this.box = make("div", "box", this.stage);
    this.rows = make("canvas", "rows", this.box);
    this.scroll = make("div", "scroll", this.box);
    this.canvas = make("canvas", "cells", this.scroll);
    this.readout = make("div", "readout", this.stage);
    this.foot = make("div", "foot", this.stage);
    this.legend = make("div", "legend", this.foot);
    this.save = make("button", "save", this.foot);
    this.proof = make("p", "proof", this.stage);
    this.words = make("p", "unseen", this.root);
    this.bitmap = document.createElement("canvas");
    this.rows.setAttribute("aria-hidden", "true");
    view.listen(this);
  }

  set(matrix, meta) {
    this.m = matrix;
    this.drawn = Math.min(meta.rows ?? matrix.queries.length, matrix.queries.length);
    this.small = meta.size === "small";
    this.title.textContent = this.small ? matrix.short : matrix.title;
    this.reading.textContent = matrix.reading;
    this.proof.textContent = matrix.proof;
    this.words.textContent = matrix.text;
    for (const part of [this.reading, this.readout, this.foot, this.proof, this.words])
      part.hidden = this.small;
    this.rows.style.display = this.small ? "none" : "";
    this.save.textContent = "Save PNG";
    this.save.title = "Save this figure as an image";
    this.save.setAttribute("aria-label", `Save “${matrix.title}” as a PNG image`);
    const keys = `Arrow keys ${this.small ? "choose a figure, Enter pins it" : "move, Enter pins, Escape unpins"}.`;
    this.canvas.setAttribute("role", this.small ? "button" : "application");
    if (!this.small) this.canvas.setAttribute("aria-roledescription", "matrix");
    this.canvas.setAttribute("aria-label", `${matrix.title}. ${matrix.reading} ${keys}`);
    const { query, key } = this.cursor;
    if (query >= this.drawn) this.cursor.query = null;
    if (key >= matrix.keys.length) this.cursor.key = null;
  }

  masked(query, key) {
    const i = query * this.m.keys.length + key;
    return this.m.bits !== null && !(this.m.bits[i >> 3] >> (i & 7) & 1);
  }

  value(query, key) {
    const v = this.m.values[query * this.m.keys.length + key];
    if (this.m.exactly) return v;
    return this.m.diverging ? (v / 127 - 1) * this.m.limit : v / 255;
  }

  step(query, key) {
    const v = this.value(query, key) / this.m.limit;
    return Math.round(Math.min(1, Math.max(0, this.m.diverging ? (v + 1) / 2 : v)) * 255);
  }

  // the value in words: exact as float32, "about" as a byte, exact again where the pin brought it from Python
  said(query, key) {
    if (this.masked(query, key)) return "masked";
    const known = this.m.exact;
    if (!this.m.exactly && known && known.query === query && known.key === key) return known.value;
    const v = this.value(query, key);
    if (this.m.exactly) return number(v);
    return !this.m.diverging && v < 0.005 ? "under 0.01" : `about ${v.toFixed(2).replace("-", "−")}`;
  }

  strongest(axis, at) {
    let best = null;
    const count = axis === "query" ? this.m.keys.length : this.drawn;
    for (let i = 0; i < count; i++) {
      const [q, k] = axis === "query" ? [at, i] : [i, at];
      if (!this.masked(q, k) && (best === null || Math.abs(this.value(q, k)) > best.size))
        best = { at: i, size: Math.abs(this.value(q, k)), said: this.said(q, k) };
    }
    return best;
  }

  // one pixel a cell, painted once for data and theme, then only scaled
  colour() {
    const { keys } = this.m, { colours } = this.ramp;
    this.bitmap.width = keys.length;
    this.bitmap.height = Math.max(1, this.drawn);
    const ctx = this.bitmap.getContext("2d"), image = ctx.createImageData(keys.length, Math.max(1, this.drawn));
    const hidden = rgb(this.view.theme.masked);
    for (let q = 0, at = 0; q < this.drawn; q++)
      for (let k = 0; k < keys.length; k++, at += 4) {
        const c = this.masked(q, k) ? hidden : colours[this.step(q, k)];
        image.data[at] = c[0];
        image.data[at + 1] = c[1];
        image.data[at + 2] = c[2];
        image.data[at + 3] = 255;
      }
    ctx.putImageData(image, 0, 0);
  }

  layout(width) {
    const nq = this.m.queries.length, nk = this.m.keys.length;
    if (this.small) {
      const w = Math.max(24, Math.min(width, SMALL)), cell = w / nk;
      const h = Math.min(w * 1.5, Math.max(w * nq / nk, 12));
      this.g = { cw: cell, ch: h / nq, left: 0, top: 0, w, h, over: 0, angle: 0 };
      return;
    }
    const longest = width < 360 ? 64 : 104;
    scratch.font = this.view.font(LABEL, 600);
    const widest = tokens => Math.min(longest, Math.max(...tokens.map(t => scratch.measureText(t).width)));
    const wide = widest(this.m.keys), left = 20 + Math.ceil(widest(this.m.queries)) + 8;
    // numbered columns (units of a state) can do without every label, tokens cannot
    const numbered = this.m.keys.every((key, at) => key === String(at));
    const least = numbered ? 2 : nk <= 64 ? MIN_CELL : nk <= 256 ? 4 : 3;
    const tallest = nq > 48 ? 1.25 * TALLEST : TALLEST; // long texts scroll anyway
    const most = Math.max(least, Math.min(nk <= 6 ? 60 : MAX_CELL, Math.floor(tallest / nq)));
    let cw = Math.max(least, Math.min(most, Math.floor((width - left - 2) / nk)));
    let angle = wide + 6 <= cw ? 0 : cw >= 17 ? 45 : 90, over = 0;
    if (angle === 45) {
      // the last label leans out of the matrix; give it room from the cells while they can spare it
      const lean = () => Math.max(0, Math.ceil(wide * Math.SQRT1_2 - cw / 2 + 4));
      cw = Math.max(17, Math.min(cw, Math.floor((width - left - lean() - 10) / nk)));
      over = lean();
      if (cw * nk + over + left > width && cw === 17) {
        angle = 90;
        over = 0;
        cw = Math.max(least, Math.min(17, Math.floor((width - left - 2) / nk)));
      }
    }
    // square, but a wide matrix of narrow cells (units of a state) gets rows that can be read
    const tall = nk > 2 * nq ? Math.min(20, Math.floor(TALLEST / nq)) : 0;
    const ch = cw >= 14 ? cw : Math.max(cw, nq <= 64 ? MIN_CELL : 0, tall);
    const reach = angle === 0 ? LABEL + 6 : angle === 45 ? Math.ceil(wide * Math.SQRT1_2) + 12 : Math.ceil(wide) + 8;
    const top = 18 + reach;
    this.g = { cw, ch, left, top, reach, angle, over, longest, w: nk * cw, h: nq * ch };
  }

  paint(ratio) {
    const { g, m } = this, theme = this.view.theme;
    const ctx = sized(this.canvas, g.w + g.over + (this.small ? 0 : 2), g.top + g.h + (this.small ? 0 : 2), ratio);
    Object.assign(this.canvas.dataset, { cell: g.cw, rows: m.queries.length });
    ctx.save();
    ctx.translate(this.small ? 0 : 1, g.top);
    ctx.imageSmoothingEnabled = g.cw * ratio < 1;
    if (this.drawn) ctx.drawImage(this.bitmap, 0, 0, m.keys.length, this.drawn, 0, 0, g.w, g.ch * this.drawn);
    if (m.bits && g.cw >= 6) this.hatch(ctx, theme);
    if (g.cw >= 10 && g.ch >= 10) this.grid(ctx, theme);
    if (g.cw >= 34 && g.ch >= 20 && !this.small) this.numbers(ctx);
    ctx.strokeStyle = theme.line;
    ctx.lineWidth = 1;
    ctx.strokeRect(0.5, 0.5, g.w - 1, g.h - 1);
    this.marks(ctx, theme);
    ctx.restore();
    if (this.small) return;
    this.columnLabels(ctx, theme);
    this.rowLabels(sized(this.rows, g.left, g.top + g.h + 2, ratio), theme);
  }

  hatch(ctx, theme) {
    const { g } = this, every = 5;
    ctx.save();
    ctx.beginPath();
    for (let q = 0; q < this.drawn; q++)
      for (let k = 0; k < this.m.keys.length; k++) if (this.masked(q, k)) ctx.rect(k * g.cw, q * g.ch, g.cw, g.ch);
    ctx.clip();
    ctx.beginPath();
    for (let x = -g.h; x < g.w; x += every) {
      ctx.moveTo(x, g.h);
      ctx.lineTo(x + g.h, 0);
    }
    ctx.strokeStyle = theme.masked_hatch;
    ctx.lineWidth = 1;
    ctx.stroke();
    ctx.restore();
  }

  grid(ctx, theme) {
    const { g } = this;
    ctx.fillStyle = theme.surface;
    for (let k = 1; k < this.m.keys.length; k++) ctx.fillRect(k * g.cw - 0.5, 0, 1, g.ch * this.drawn);
    for (let q = 1; q < this.drawn; q++) ctx.fillRect(0, q * g.ch - 0.5, g.w, 1);
  }

  numbers(ctx) {
    const { g } = this;
    ctx.font = this.view.font(11);
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    for (let q = 0; q < this.drawn; q++)
      for (let k = 0; k < this.m.keys.length; k++) {
        const v = this.value(q, k);
        if (this.masked(q, k) || Math.abs(v) < 0.005) continue;
        ctx.fillStyle = this.ramp.inks[this.step(q, k)];
        ctx.fillText(v.toFixed(2).replace("-", "−"), (k + 0.5) * g.cw, (q + 0.5) * g.ch + 0.5);
      }
  }

  // an outline in `colour` between two of the surface, so that it shows on every cell
  outline(ctx, x, y, w, h, colour, thick) {
    const { surface } = this.view.theme;
    for (const [stroke, width] of [[surface, thick + 2], [colour, thick]]) {
      ctx.strokeStyle = stroke;
      ctx.lineWidth = width;
      ctx.strokeRect(x, y, w, h);
    }
  }

  // cells too small for an outline get a thin cross that stops short of the cell
  hair(ctx, colour) {
    const { g, cursor: { query, key } } = this, gap = 4;
    const x = key === null ? null : (key + 0.5) * g.cw, y = query === null ? null : (query + 0.5) * g.ch;
    ctx.fillStyle = colour;
    ctx.globalAlpha = 0.75;
    if (y !== null && x === null) ctx.fillRect(0, y - 0.5, g.w, 1);
    else if (x !== null && y === null) ctx.fillRect(x - 0.5, 0, 1, g.ch * this.drawn);
    else if (x !== null) {
      ctx.fillRect(0, y - 0.5, Math.max(0, x - gap), 1);
      ctx.fillRect(x + gap, y - 0.5, Math.max(0, g.w - x - gap), 1);
      ctx.fillRect(x - 0.5, 0, 1, Math.max(0, y - gap));
      ctx.fillRect(x - 0.5, y + gap, 1, Math.max(0, g.ch * this.drawn - y - gap));
    }
    ctx.globalAlpha = 1;
  }

  marks(ctx, theme) {
    const { g, cursor, view } = this, { query, key } = cursor;
    const current = view.meta.currentRow;
    if (current !== null && current < this.drawn) this.outline(ctx, 0, current * g.ch, g.w, g.ch, theme.primary, 1.5);
    if (Math.min(g.cw, g.ch) < 5) this.hair(ctx, theme.accent);
    else {
      if (query !== null) this.outline(ctx, 0, query * g.ch, g.w, g.ch, theme.accent, 1);
      if (key !== null) this.outline(ctx, key * g.cw, 0, g.cw, g.ch * this.drawn, theme.accent, 1);
      if (query !== null && key !== null) this.outline(ctx, key * g.cw, query * g.ch, g.cw, g.ch, theme.accent, 2.5);
    }
    const pin = view.pin;
    if (!pin || pin.matrix !== this.index) return;
    if (this.small) this.outline(ctx, 1.5, 1.5, g.w - 3, g.h - 3, theme.accent, 3);
    else this.outline(ctx, pin.key * g.cw, pin.query * g.ch, g.cw, g.ch, theme.text, 2.5);
  }

  // every label where there is room, else every second, third...; the cursor's own always
  labels(count, size, at, write) {
    const every = Math.max(1, Math.ceil(MIN_CELL / size));
    for (let i = 0; i < count; i++) {
      if (i !== at && (i % every || (every > 1 && at !== null && Math.abs(i - at) * size < MIN_CELL))) continue;
      write(i, i === at);
    }
  }

  columnLabels(ctx, theme) {
    const { g, m } = this;
    ctx.font = this.view.font(11);
    ctx.fillStyle = theme.muted;
    ctx.textAlign = "left";
    ctx.textBaseline = "alphabetic";
    ctx.fillText(fit(ctx, `${m.keyAxis} →`, g.w + g.over), 1, g.top - g.reach - 6);
    ctx.textBaseline = "middle";
    this.labels(m.keys.length, g.cw, this.cursor.key, (i, lit) => {
      ctx.save();
      ctx.font = this.view.font(LABEL, lit ? 600 : 400);
      ctx.fillStyle = lit ? theme.accent : theme.text;
      ctx.translate(1 + (i + 0.5) * g.cw - (g.angle === 45 ? 2 : 0), g.top - (g.angle === 45 ? 7 : 5));
      if (g.angle) ctx.rotate(-g.angle * Math.PI / 180);
      else ctx.translate(0, -LABEL / 2);
      ctx.textAlign = g.angle ? "left" : "center";
      ctx.fillText(fit(ctx, m.keys[i], g.longest), 0, 0);
      ctx.restore();
    });
  }

  rowLabels(ctx, theme) {
    const { g, m } = this, current = this.view.meta.currentRow;
    ctx.textBaseline = "middle";
    ctx.textAlign = "right";
    this.labels(m.queries.length, g.ch, this.cursor.query, (i, lit) => {
      ctx.font = this.view.font(LABEL, lit || i === current ? 600 : 400);
      ctx.fillStyle = i >= this.drawn ? theme.line : lit ? theme.accent : i === current ? theme.primary : theme.text;
      const words = i < this.drawn ? fit(ctx, m.queries[i], g.longest) : "·";
      ctx.fillText(words, g.left - 7, g.top + (i + 0.5) * g.ch + 0.5);
    });
    ctx.font = this.view.font(11);
    ctx.fillStyle = theme.muted;
    ctx.save();
    const room = g.top + g.h, words = fit(ctx, `← ${m.queryAxis}`, room - 4), length = ctx.measureText(words).width;
    ctx.translate(8, g.top + Math.min(g.h, Math.max(length, 0)));
    if (length > g.h) ctx.translate(0, g.h - Math.min(g.h, length));
    ctx.rotate(-Math.PI / 2);
    ctx.textAlign = "left";
    ctx.fillText(words, 0, 0);
    ctx.restore();
  }

  // where a pointer is: a cell, a row or column label, or nothing
  at(event) {
    const { g } = this, box = event.target.getBoundingClientRect();
    const y = event.clientY - box.top - g.top, query = Math.floor(y / g.ch);
    const onRows = event.target === this.rows;
    const key = onRows ? -1 : Math.floor((event.clientX - box.left - (this.small ? 0 : 1)) / g.cw);
    const inRows = query >= 0 && query < this.drawn, inKeys = key >= 0 && key < this.m.keys.length;
    return { query: inRows && (onRows || inKeys) ? query : null, key: inKeys && (inRows || y < 0) ? key : null };
  }

  tell(node, live) {
    const { query, key } = this.cursor, { m } = this, pin = this.view.pin;
    const parts = [];
    node.classList.toggle("lit", query !== null || key !== null);
    const name = (tokens, i) => parts.push(["bdi", tokens[i]], ["span", ` (${i})`]);
    const cell = (q, k) => {
      parts.push(["b", this.said(q, k)], ["span", "  "]);
      name(m.queries, q);
      parts.push(["span", " → "]);
      name(m.keys, k);
      if (m.read) parts.push(["span", " · after reading "], ["bdi", m.read[q]]);
    };
    const alone = (tokens, i, others, axis, word) => {
      name(tokens, i);
      const best = this.strongest(axis, i);
      if (!best) return parts.push(["span", " · all masked"]);
      parts.push(["span", ` · ${m.diverging ? "largest at" : `most ${word}`} `]);
      name(others, best.at);
      parts.push(["span", ", "], ["b", best.said]);
    };
    if (this.small) parts.push(["span", `${m.short}  `]);
    if (query !== null && key !== null) cell(query, key);
    else if (query !== null) alone(m.queries, query, m.keys, "query", "to");
    else if (key !== null) alone(m.keys, key, m.queries, "key", "from");
    else if (!live && pin && pin.matrix === this.index) {
      parts.push(["span", "pinned: "]);
      cell(pin.query, pin.key);
    } else parts.splice(0, 1, [".", "Point at a cell, or press the arrow keys; a click pins it."]);
    node.replaceChildren(...parts.map(([tag, words]) => {
      const part = tag === "." ? make("span", "hint") : document.createElement(tag);
      part.textContent = words;
      return part;
    }));
  }
}
