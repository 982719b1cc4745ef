// The line of chapters: links that a plain click hands to Python, and arrow keys where nothing else wants them.

const idle = () => {
  const active = document.activeElement;
  return !active || active === document.body || active === document.documentElement;
};

export default function ({ data, parentElement, setTriggerValue }) {
  const old = parentElement.querySelector("nav");
  const nav = document.createElement("nav");
  nav.ariaLabel = "Chapters";
  const list = nav.appendChild(document.createElement("ol"));
  for (const { page, title } of data.pages) {
    const link = document.createElement("a");
    link.textContent = title;
    link.href = page;
    link.dataset.page = page;
    if (page === data.here) link.ariaCurrent = "page";
    list.appendChild(document.createElement("li")).append(link);
  }
  if (old) old.replaceWith(nav);
  else parentElement.append(nav);
  // the sentence stands in the address of this page: a link opened in a new tab takes it along
  nav.onpointerdown = nav.onfocusin = event => {
    const link = event.target.closest("a");
    if (link) link.search = window.location.search;
  };
  nav.onclick = event => {
    const link = event.target.closest("a");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    setTriggerValue("page", link.dataset.page);
  };
  const here = list.querySelector("[aria-current]");
  list.scrollLeft = here.offsetLeft - (list.clientWidth - here.offsetWidth) / 2;

  const order = data.pages.map(({ page }) => page);
  const turn = event => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const page = order[order.indexOf(data.here) + by];
    if (page && idle()) setTriggerValue("page", page);
  };
  window.addEventListener("keydown", turn);
  return () => window.removeEventListener("keydown", turn);
}
