// The eight features that carry most of what is on the screen have a colour each, the same everywhere; all others are grey.
import { untrack } from "svelte";
import type { Explanation } from "./client";

const MOST = 8;
let slots = $state.raw<Record<number, number>>({});

// Features by the sum of their |shares|, largest first.
export function largest(explanations: Explanation[]): number[] {
  const total = new Map<number, number>();
  for (const one of explanations)
    for (const term of one.terms)
      if (term.feature_id !== null && !one.weak_features.includes(term.feature_id))
        total.set(term.feature_id, (total.get(term.feature_id) ?? 0) + Math.abs(term.share));
  return [...total.entries()].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, MOST).map(([id]) => id);
}

// New slots for these features. Those that have a colour keep it.
export function assign(before: Record<number, number>, features: number[]): Record<number, number> {
  const out: Record<number, number> = {};
  for (const id of features) if (before[id] !== undefined) out[id] = before[id];
  const free = [...Array(MOST).keys()].filter((slot) => !Object.values(out).includes(slot));
  for (const id of features) if (out[id] === undefined) out[id] = free.shift() ?? 0;
  return out;
}

export function colourAll(explanations: Explanation[]): void {
  slots = assign(untrack(() => slots), largest(explanations));
}

export function colour(id: number): string {
  return slots[id] === undefined ? "var(--grey)" : `var(--c${slots[id]})`;
}
