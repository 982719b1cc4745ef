// The mount: data in, pointer and keys, the shared cursor, the pin, the saved image.

class View {
  constructor(parent) {
    this.parent = parent;
    this.root = make("div", "mount", parent);
    this.line = make("div", "bar-line", this.root);
    this.shared = make("div", "readout", this.line);
    this.legend = make("div", "legend", this.line);
    this.save = make("button", "save", this.line);
    this.save.textContent = "Save PNG";
    this.save.setAttribute("aria-label", "Save the grid as a PNG image");
    this.save.onclick = () => this.download(this.figures, "grid");
    this.live = make("div", "unseen", this.root);
    this.live.setAttribute("aria-live", "polite");
    this.figures = [];
    this.pin = null;
    this.dirty = new Set();
    this.painted = 0;
    this.follow = event => this.linked(event.detail);
    window.addEventListener(CURSOR, this.follow);
    this.resized = new ResizeObserver(() => this.arrange());
    this.resized.observe(this.root);
  }

  close() {
    window.removeEventListener(CURSOR, this.follow);
    this.resized.disconnect();
    cancelAnimationFrame(this.frame);
    this.root.remove();
  }

  font(size, weight = 400) {
    return `${weight} ${size}px ${this.family}`;
  }

  update(meta, send) {
    this.meta = meta;
    this.send = send;
    const style = getComputedStyle(this.parent.host ?? this.parent);
    const page = style.getPropertyValue("--st-background-color").trim() || "#ffffff";
    this.family = style.getPropertyValue("--st-font").trim() || "system-ui, sans-serif";
    this.themeName = luminance(rgb(page)) > 0.4 ? "light" : "dark";
    this.theme = { ...meta.themes[this.themeName], surface: page };
    const { text, muted, line, accent, sequential, diverging } = this.theme;
    for (const [name, colour] of Object.entries({ ink: text, soft: muted, rule: line, accent, paper: page }))
      this.root.style.setProperty(`--${name}`, colour);
    this.root.dataset.theme = this.themeName;
    const ramps = [ramp(sequential), ramp(diverging)];
    const small = meta.size === "small";
    this.root.classList.toggle("small", small);
    this.line.hidden = !small;
    this.line.style.display = small ? "" : "none";
    while (this.figures.length > meta.matrices.length) this.figures.pop().root.remove();
    meta.matrices.forEach((m, i) => {
      const figure = this.figures[i] ??= new Figure(this, i);
      if (!figure.root.isConnected) this.root.append(figure.root);
      figure.set(m, meta);
      figure.ramp = ramps[Number(m.diverging)];
      figure.colour();
      this.explain(figure.legend, m);
    });
    if (small) this.explain(this.legend, { ...meta.matrices[0], bits: meta.matrices.find(m => m.bits)?.bits });
    const pin = this.pin, pinned = pin && this.figures[pin.matrix];
    if (pin && (!pinned || pinned.m.id !== pin.id || pin.query >= pinned.drawn)) this.pin = null;
    this.rove(Math.min(this.roving ?? 0, this.figures.length - 1));
    this.width = null;
    this.arrange();
    this.flush(); // new data is painted at once: charts that came with it would keep the next frame waiting
  }

  explain(node, m) {
    const { sequential, diverging, masked, masked_hatch } = this.theme;
    const parts = [make("span", ""), make("div", "bar"), make("span", "")];
    [parts[0].textContent, parts[2].textContent] = m.ends;
    parts[1].style.background = `linear-gradient(90deg, ${(m.diverging ? diverging : sequential).join(", ")})`;
    if (m.bits) {
      const swatch = make("div", "swatch"), words = make("span", "");
      swatch.style.background = `repeating-linear-gradient(135deg, ${masked} 0 3px, ${masked_hatch} 3px 4px)`;
      words.textContent = "masked";
      parts.push(swatch, words);
    }
    node.replaceChildren(...parts);
  }

  arrange() {
    const width = this.root.clientWidth;
    if (!width || !this.meta || width === this.width) return;
    this.width = width;
    const small = this.meta.size === "small", n = this.figures.length;
    const [least, gap] = small ? [64, 10] : [LEAST_WIDTH, GAP];
    const side = small && !this.meta.columns ? (n <= 24 && width > 600 ? 124 : 96) : least;
    const fits = Math.max(1, Math.floor((width + gap) / (side + gap)));
    this.columns = Math.max(1, Math.min(this.meta.columns ?? n, fits, n));
    // lines of even length: 18 figures stand 9 and 9, not 10 and 8
    if (small && !this.meta.columns) this.columns = Math.ceil(n / Math.ceil(n / this.columns));
    const each = Math.floor((width - gap * (this.columns - 1)) / this.columns);
    const track = small ? `${Math.min(each, SMALL)}px` : "minmax(0, 1fr)";
    this.root.style.gridTemplateColumns = `repeat(${this.columns}, ${track})`;
    for (const figure of this.figures) {
      figure.layout(each);
      this.soil(figure);
    }
    // first cells of neighbours stand at one height
    for (let i = 0; i < n && !small; i += this.columns) {
      const line = this.figures.slice(i, i + this.columns), top = Math.max(...line.map(f => f.g.top));
      for (const figure of line) figure.g.top = top;
    }
  }

  soil(figure) {
    this.dirty.add(figure);
    this.frame ??= requestAnimationFrame(() => this.flush());
  }

  flush() {
    cancelAnimationFrame(this.frame);
    this.frame = undefined;
    if (!this.dirty.size) return;
    const ratio = window.devicePixelRatio || 1;
    for (const one of this.dirty) {
      if (!one.root.isConnected) continue;
      one.paint(ratio);
      if (!one.small) one.tell(one.readout);
    }
    this.dirty.clear();
    if (this.meta.size === "small") (this.hovered ?? this.figures[this.pin?.matrix ?? 0]).tell(this.shared);
    this.root.dataset.painted = ++this.painted;
    performance.clearMarks("lookback-painted"); // the latest only: marks pile up
    performance.mark("lookback-painted");
  }

  listen(figure) {
    const { canvas, rows } = figure;
    for (const target of [canvas, rows]) {
      target.onpointermove = event => this.point(figure, figure.at(event));
      target.onpointerleave = () => this.point(figure, { query: null, key: null });
    }
    canvas.onclick = event => {
      const { query, key } = figure.at(event);
      if (figure.small) this.rove(figure.index);
      if (query !== null && key !== null) this.setPin(figure, query, key);
    };
    canvas.onkeydown = event => figure.small ? this.pressSmall(figure, event) : this.press(figure, event);
    canvas.onblur = () => this.point(figure, { query: null, key: null });
    figure.save.onclick = () => this.download([figure], figure.m.title);
  }

  point(figure, { query, key }) {
    if (figure.cursor.query === query && figure.cursor.key === key) return;
    figure.cursor = { query, key };
    this.hovered = query === null && key === null ? undefined : figure;
    this.soil(figure);
    const { queryId, keyId } = figure.m, { link } = this.meta;
    window.dispatchEvent(new CustomEvent(CURSOR, { detail: { link, queryId, query, keyId, key, from: figure } }));
  }

  // an axis with the same id points at the same token, whichever side it is on
  linked({ link, queryId, query, keyId, key, from }) {
    if (!this.meta || link !== this.meta.link) return;
    for (const figure of this.figures) {
      if (figure === from) continue;
      const { m } = figure;
      const row = m.queryId === queryId ? query : m.queryId === keyId ? key : null;
      const column = m.keyId === keyId ? key : m.keyId === queryId ? query : null;
      const within = (at, end) => at !== null && at < end ? at : null;
      const next = { query: within(row, figure.drawn), key: within(column, m.keys.length) };
      if (next.query === figure.cursor.query && next.key === figure.cursor.key) continue;
      figure.cursor = next;
      this.soil(figure);
    }
  }

  setPin(figure, query, key) {
    this.pin = { matrix: figure.index, query, key, id: figure.m.id };
    this.send("pin", this.pin);
    for (const one of this.figures) this.soil(one);
  }

  unpin() {
    this.pin = null;
    this.send("pin", null);
    for (const one of this.figures) this.soil(one);
  }

  press(figure, event) {
    const { drawn, m, g } = figure, last = { query: drawn - 1, key: m.keys.length - 1 };
    const steps = {
      ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
      Home: [0, -last.key], End: [0, last.key],
    };
    const step = steps[event.key], used = step || ["Enter", " ", "Escape"].includes(event.key);
    if (!used || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation(); // the page turns on arrow keys that reach it
    if (event.key === "Escape") {
      if (this.pin) this.unpin();
      else this.point(figure, { query: null, key: null });
      return;
    }
    if (drawn < 1) return;
    const pinned = this.pin?.matrix === figure.index ? this.pin : null;
    const { query, key } = figure.cursor;
    const here = { query: query ?? pinned?.query ?? 0, key: key ?? pinned?.key ?? 0 };
    if (!step) return query !== null && key !== null ? this.setPin(figure, query, key) : undefined;
    const fresh = query === null || key === null;
    const move = (at, by, end) => fresh ? at : Math.min(end, Math.max(0, at + by));
    const next = { query: move(here.query, step[0], last.query), key: move(here.key, step[1], last.key) };
    this.point(figure, next);
    figure.tell(this.live, true);
    const x = next.key * g.cw, view = figure.scroll;
    if (x < view.scrollLeft) view.scrollLeft = x;
    else if (x + g.cw > view.scrollLeft + view.clientWidth) view.scrollLeft = x + g.cw - view.clientWidth + 4;
  }

  // a grid is one stop of the tab key; arrow keys choose the figure
  pressSmall(figure, event) {
    const steps = { ArrowUp: -this.columns, ArrowDown: this.columns, ArrowLeft: -1, ArrowRight: 1 };
    const step = steps[event.key];
    if (!step && !["Enter", " ", "Escape"].includes(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "Escape") return this.pin ? this.unpin() : undefined;
    if (step) {
      const next = figure.index + step;
      if (next < 0 || next >= this.figures.length) return;
      this.rove(next);
      this.figures[next].canvas.focus();
      this.live.textContent = this.figures[next].m.title;
      return;
    }
    let best = null;
    for (let q = 0; q < figure.drawn; q++) {
      const row = figure.strongest("query", q);
      if (row && (!best || row.size > best.size)) best = { ...row, query: q };
    }
    if (best) this.setPin(figure, best.query, best.at);
  }

  rove(index) {
    this.roving = index;
    for (const one of this.figures) one.canvas.tabIndex = !one.small || one.index === index ? 0 : -1;
  }

  download(figures, name) {
    const ratio = Math.max(2, window.devicePixelRatio || 1), { theme, columns } = this, pad = 20;
    const small = this.meta.size === "small";
    const kept = figures.map(f => f.cursor);
    for (const f of figures) {
      f.cursor = { query: null, key: null };
      f.paint(ratio);
    }
    const across = small ? columns : 1;
    const cell = f => ({ w: f.g.left + f.g.w + f.g.over + 2, h: f.g.top + f.g.h + 2 });
    const wide = Math.max(...figures.map(f => cell(f).w));
    const tall = Math.max(...figures.map(f => cell(f).h)) + (small ? 26 : 0);
    const first = figures[0].m, width = Math.max(360, across * (wide + 10)) + 2 * pad;
    const lines = (text, size) => {
      scratch.font = this.font(size);
      return text.split(" ").reduce((all, word) => {
        const next = all.length ? `${all.at(-1)} ${word}` : word;
        const fits = all.length && scratch.measureText(next).width <= width - 2 * pad;
        return fits ? [...all.slice(0, -1), next] : [...all, word];
      }, []);
    };
    const titles = [[first.title, 17, theme.text], [first.reading, 13, theme.muted]];
    const head = small ? [] : titles.flatMap(([text, size, colour]) => lines(text, size).map(t => [t, size, colour]));
    const foot = small ? [] : lines(first.proof, 11);
    const top = pad + head.length * 20 + 8, bottom = top + tall * Math.ceil(figures.length / across) + 10;
    const paper = document.createElement("canvas");
    const ctx = sized(paper, width, bottom + 40 + foot.length * 15 + 4, ratio);
    ctx.fillStyle = theme.surface;
    ctx.fillRect(0, 0, paper.width, paper.height);
    const write = (text, x, y, size, colour) => {
      ctx.font = this.font(size, size > 16 ? 600 : 400);
      ctx.fillStyle = colour;
      ctx.fillText(text, x, y);
    };
    head.forEach(([text, size, colour], i) => write(text, pad, pad + 14 + i * 20, size, colour));
    figures.forEach((f, i) => {
      const x = pad + (i % across) * (wide + 10), y = top + Math.floor(i / across) * tall;
      if (small) write(fit(ctx, f.m.short, wide), x, y + 12, 12, theme.text);
      else ctx.drawImage(f.rows, x, y, f.g.left, cell(f).h);
      ctx.drawImage(f.canvas, x + f.g.left, y + (small ? 18 : 0), f.canvas.width / ratio, f.canvas.height / ratio);
    });
    const stops = first.diverging ? theme.diverging : theme.sequential;
    const bar = ctx.createLinearGradient(pad, 0, pad + 160, 0);
    stops.forEach((c, i) => bar.addColorStop(i / (stops.length - 1), c));
    ctx.fillStyle = bar;
    ctx.fillRect(pad, bottom, 160, 10);
    write(first.ends[0], pad, bottom + 24, 11, theme.muted);
    write(first.ends[1], pad + 160 - ctx.measureText(first.ends[1]).width, bottom + 24, 11, theme.muted);
    if (figures.some(f => f.m.bits)) {
      ctx.fillStyle = theme.masked;
      ctx.fillRect(pad + 180, bottom, 16, 10);
      ctx.fillStyle = theme.masked_hatch;
      for (let x = 2; x < 16; x += 5) ctx.fillRect(pad + 180 + x, bottom, 1, 10);
      write("masked", pad + 202, bottom + 9, 11, theme.muted);
    }
    foot.forEach((text, i) => write(text, pad, bottom + 42 + i * 15, 11, theme.muted));
    figures.forEach((f, i) => {
      f.cursor = kept[i];
      this.soil(f);
    });
    paper.toBlob(blob => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = `${name.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "") || "matrix"}.png`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    });
  }
}

// Streamlit calls this again whenever data or theme change; the view stays, so nothing flickers
export default function ({ data, parentElement, setStateValue }) {
  const view = (parentElement.lookback ??= new View(parentElement));
  view.update(unpack(data), setStateValue);
  return () => {
    view.close();
    parentElement.lookback = undefined;
  };
}
