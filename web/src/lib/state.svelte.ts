// What the page shows, kept in the address: a link is shared by copying it, and the back button works.

export type View = "search" | "features" | "pair" | "corpus";
export type Kind = "scale" | "project";
export type Factors = Record<number, number>;

const VIEWS: View[] = ["search", "features", "pair", "corpus"];
const LARGEST = 100; // factor
const LONGEST = 2000; // characters of a text in the address

const START = {
  view: "search" as View,
  index: "",
  query: "",
  by: "dense",
  k: 10,
  open: "", // id of the opened hit
  versus: "", // id of the hit it is compared with
  push: "", // down:ID or up:ID
  feature: -1,
  family: -1,
  find: "", // words to search labels for
  from: 0, // position of the first feature in the list
  text: "", // the document of What if
  factors: {} as Factors,
  kind: "project" as Kind, // what factors do
  good: [] as string[],
  bad: [] as string[],
};
export type State = typeof START;

export const ui = $state<State>({ ...START });

// A feature under the pointer lights up everywhere. Not in the address.
export const lit = $state({ feature: -1 });
// What a screen reader says next.
export const said = $state({ text: "" });
// From the server: the autoencoder of the current index, names of rows, search modes, how many terms to request, and what
// it means how much of a score is explained.
export const info = $state({
  sae: "",
  words: {} as Record<string, string>,
  modes: {} as Record<string, string>,
  top: 0,
  levels: [] as { least: number; word: string; advice: string }[],
});

export function parse(search: string): State {
  const given = new URLSearchParams(search);
  const text = (key: string, usual = "") => given.get(key) ?? usual;
  const view = given.get("view") as View | null;
  const factors: Factors = {};
  for (const part of text("steer").split(",")) {
    const [feature, factor] = part.split(":");
    const id = whole(feature ?? null);
    if (id >= 0 && factor && Number(factor) >= 0 && Number(factor) <= LARGEST) factors[id] = Number(factor);
  }
  return {
    view: view && VIEWS.includes(view) ? view : "search",
    index: text("index"),
    query: text("q"),
    by: text("by", "dense"),
    k: Math.min(100, Math.max(1, whole(text("k", "10")))),
    open: text("open"),
    versus: text("vs"),
    push: /^(up|down):/.test(text("push")) ? text("push") : "",
    feature: whole(given.get("feature")),
    family: whole(given.get("family")),
    find: text("find"),
    from: Math.max(0, whole(given.get("from"))),
    text: text("text"),
    factors,
    kind: text("kind") === "scale" ? "scale" : "project",
    good: given.getAll("good"),
    bad: given.getAll("bad"),
  };
}

// The part of the address behind the path; empty for the first view.
export function search(state: State): string {
  const out = new URLSearchParams();
  const steer = Object.entries(turned(state.factors))
    .map(([feature, factor]) => `${feature}:${factor}`)
    .join(",");
  const given: [string, string | number, string | number][] = [
    ["view", state.view, START.view],
    ["index", state.index, START.index],
    ["q", state.query, START.query],
    ["by", state.by, START.by],
    ["k", state.k, START.k],
    ["open", state.open, START.open],
    ["vs", state.versus, START.versus],
    ["push", state.push, START.push],
    ["feature", state.feature, START.feature],
    ["family", state.family, START.family],
    ["find", state.find, START.find],
    ["from", state.from, START.from],
    ["text", state.text.length > LONGEST ? "" : state.text, START.text],
    ["steer", steer, ""],
    ["kind", steer ? state.kind : START.kind, START.kind],
  ];
  for (const [key, value, usual] of given) if (value !== usual) out.set(key, String(value));
  for (const key of ["good", "bad"] as const) for (const id of state[key]) out.append(key, id);
  const made = out.toString();
  return made ? `?${made}` : "";
}

export function read(): void {
  Object.assign(ui, parse(location.search));
}

// A new view is a new entry in the history; with `replace`, the current entry changes.
export function go(change: Partial<State>, replace = false): void {
  Object.assign(ui, change);
  const target = search(ui);
  if (target === location.search) return;
  const address = target || location.pathname;
  if (replace) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
}

// The first view of an index, without anything that was chosen before.
export function home(): void {
  go({ ...START, index: ui.index });
}

// The factors that change anything.
export function turned(factors: Factors): Record<string, number> {
  return Object.fromEntries(Object.entries(factors).filter(([, factor]) => factor !== 1));
}

function whole(text: string | null): number {
  return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : -1;
}
