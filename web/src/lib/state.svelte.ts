// What the page shows, kept in the address: a link is shared by copying it, and the back button works.

export type View = "search" | "features" | "pair" | "corpus";
const VIEWS: View[] = ["search", "features", "pair", "corpus"];

export const ui = $state({
  view: "search" as View,
  index: "",
  query: "",
  by: "dense",
  open: "", // id of the opened hit
  versus: "", // id of the hit it is compared with
  feature: -1,
  family: -1,
  find: "", // words to search labels for
  factors: {} as Record<number, number>,
});

// A feature under the pointer lights up everywhere. Not in the address.
export const lit = $state({ feature: -1 });
// From the server: the autoencoder of the current index, names of rows, search modes, and how many terms to request.
export const info = $state({ sae: "", words: {} as Record<string, string>, modes: {} as Record<string, string>, top: 0 });

export function read(): void {
  const given = new URLSearchParams(location.search);
  const view = given.get("view") as View | null;
  ui.view = view && VIEWS.includes(view) ? view : "search";
  ui.index = given.get("index") ?? "";
  ui.query = given.get("q") ?? "";
  ui.by = given.get("by") ?? "dense";
  ui.open = given.get("open") ?? "";
  ui.versus = given.get("vs") ?? "";
  ui.feature = whole(given.get("feature"));
  ui.family = whole(given.get("family"));
  ui.find = given.get("find") ?? "";
  ui.factors = {};
  for (const part of (given.get("steer") ?? "").split(",")) {
    const [feature, factor] = part.split(":");
    if (feature && factor && whole(feature) >= 0 && Number(factor) >= 0 && Number(factor) <= 100)
      ui.factors[whole(feature)] = Number(factor);
  }
}

export function address(): string {
  const out = new URLSearchParams();
  const steer = Object.entries(turned())
    .map(([feature, factor]) => `${feature}:${factor}`)
    .join(",");
  const given: [string, string, string][] = [
    ["view", ui.view, "search"],
    ["index", ui.index, ""],
    ["q", ui.query, ""],
    ["by", ui.by, "dense"],
    ["open", ui.open, ""],
    ["vs", ui.versus, ""],
    ["feature", String(ui.feature), "-1"],
    ["family", String(ui.family), "-1"],
    ["find", ui.find, ""],
    ["steer", steer, ""],
  ];
  for (const [key, value, usual] of given) if (value !== usual) out.set(key, value);
  const search = out.toString();
  return search ? `?${search}` : location.pathname;
}

// A new view is a new entry in the history; moving a slider only changes the current entry.
export function written(replace = false): void {
  const target = address();
  if (target === location.search || (!location.search && target === location.pathname)) return;
  if (replace) history.replaceState(null, "", target);
  else history.pushState(null, "", target);
}

// The factors that change anything.
export function turned(): Record<string, number> {
  return Object.fromEntries(Object.entries(ui.factors).filter(([, factor]) => factor !== 1));
}

export function turn(feature: number, factor: number): void {
  lit.feature = -1; // the line under the pointer may disappear
  ui.factors[feature] = factor;
  written();
}

export function go(change: Partial<typeof ui>, replace = false): void {
  Object.assign(ui, change);
  written(replace);
}

function whole(text: string | null): number {
  return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : -1;
}
