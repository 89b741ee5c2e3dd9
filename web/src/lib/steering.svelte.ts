// Which features are turned up or down. All panels ask with `asked()`; all changes go through here and can be undone.
import { tick } from "svelte";
import type { SteeredFeature } from "./client";
import { go, lit, turned, ui, type Factors, type Kind } from "./state.svelte";

type Step = { factors: Factors; kind: Kind };
const MOST = 50; // steps that can be undone

// Names of features that any answer has told.
export const names = $state<Record<number, string>>({});
// What a profile that is saved now applies to; null: all queries.
export const scope = $state<{ like: string | null; least: number }>({ like: null, least: 0 });
const past = $state<Step[]>([]);
const future = $state<Step[]>([]);
let moving = -1; // the feature whose slider is being dragged
let pressed = ""; // the button that was pressed last, to find it again after its row was drawn anew

export function asked(): { factors: Record<string, number>; kind: Kind } | Record<string, never> {
  const factors = turned(ui.factors);
  return Object.keys(factors).length ? { factors, kind: ui.kind } : {};
}

export function isSteered(): boolean {
  return ui.by === "dense" && Object.keys(turned(ui.factors)).length > 0;
}

export function know(features: { feature_id: number | null; label: string | null }[]): void {
  for (const one of features) if (one.feature_id !== null && one.label) names[one.feature_id] = one.label;
}

export function nameOfId(id: number): string {
  return names[id] ?? `feature ${id}`;
}

function change(step: Step, replace = false): void {
  if (!replace) {
    past.push(current());
    if (past.length > MOST) past.shift();
    future.length = 0;
  }
  lit.feature = -1; // the line under the pointer may disappear
  go(step, replace);
}

function current(): Step {
  return { factors: { ...ui.factors }, kind: ui.kind };
}

// Turn one feature. `button`: a selector that finds the pressed button again.
export function turn(id: number, factor: number, button = ""): void {
  pressed = button;
  change({ factors: { ...ui.factors, [id]: factor }, kind: ui.kind });
}

// A slider moves: the whole movement is one step.
export function slide(id: number, factor: number): void {
  change({ factors: { ...ui.factors, [id]: factor }, kind: ui.kind }, moving === id);
  moving = id;
}

export function slid(): void {
  moving = -1;
}

export function drop(id: number): void {
  const { [id]: _, ...rest } = ui.factors;
  pressed = "#steering";
  change({ factors: rest, kind: ui.kind });
}

export function take(features: SteeredFeature[], kind: Kind = ui.kind): void {
  know(features);
  pressed = "#steering";
  Object.assign(scope, { like: null, least: 0 });
  change({ factors: Object.fromEntries(features.map((one) => [one.feature_id, one.factor])), kind });
}

export function setKind(kind: Kind): void {
  change({ factors: { ...ui.factors }, kind });
}

export function canUndo(): boolean {
  return past.length > 0;
}

export function canRedo(): boolean {
  return future.length > 0;
}

export function undo(): void {
  const step = past.pop();
  if (!step) return;
  future.push(current());
  go(step);
}

export function redo(): void {
  const step = future.pop();
  if (!step) return;
  past.push(current());
  go(step);
}

// Where a row with the focus was drawn anew, the focus goes to its button, or to the steering panel.
export async function keepFocus(): Promise<void> {
  await tick();
  if (!pressed || (document.activeElement && document.activeElement !== document.body)) return;
  (document.querySelector<HTMLElement>(pressed) ?? document.getElementById("steering"))?.focus();
}
