// Two documents over one set of features.
import type { Contrast, Explanation, Term } from "./client";
import { shownName, weakTerms, wordsOf } from "./show";

export type Compared = { first: Explanation; second: Explanation; difference: number; notes: string[]; swaps: string[]; weak: number[] };
export type Row = { id: number; name: string; words: string; first: number; second: number };

export function ofContrast(contrast: Contrast): Compared {
  const swaps = contrast.counterfactual?.sentences ?? [];
  return {
    first: contrast.first,
    second: contrast.second,
    difference: contrast.difference,
    notes: contrast.notes.filter((note) => !swaps.includes(note)),
    swaps,
    weak: contrast.weak_features,
  };
}

// Two explanations of their own, as for steered scores: a feature that one of them lacks has the share 0 there.
export function ofTwo(one: Explanation, two: Explanation, most = 8): Compared {
  const terms = new Map<number | string, [Term | undefined, Term | undefined]>();
  for (const [side, explanation] of [one, two].entries())
    for (const term of explanation.terms) {
      const key = term.feature_id ?? term.label ?? "";
      const pair = terms.get(key) ?? [undefined, undefined];
      pair[side] = term;
      terms.set(key, pair);
    }
  const gap = ([a, b]: [Term | undefined, Term | undefined]) => Math.abs((a?.share ?? 0) - (b?.share ?? 0));
  const sorted = [...terms.values()].sort((a, b) => gap(b) - gap(a));
  const side = (explanation: Explanation, at: 0 | 1): Explanation => ({
    ...explanation,
    weak_features: [],
    terms: sorted.slice(0, most).map((pair) => pair[at] ?? { ...(pair[1 - at] as Term), share: 0, words: null, evidence: null }),
    other_terms: rest(sorted.slice(most).map((pair) => pair[at]?.share ?? 0)),
  });
  const notes = ["the shares are those of each document's own steered explanation"];
  return { first: side(one, 0), second: side(two, 1), difference: one.score - two.score, notes, swaps: [], weak: [] };
}

function rest(shares: number[]): Explanation["other_terms"] {
  if (!shares.length) return null;
  return { count: shares.length, share: shares.reduce((sum, share) => sum + share, 0), label: `${shares.length} more ${shares.length === 1 ? "feature" : "features"}` };
}

export function rowsOf(compared: Compared, remainder: string): Row[] {
  const { first, second, weak } = compared;
  const all = first.terms.map((term, at) => ({
    id: term.feature_id ?? -1,
    name: shownName(term, false, false),
    words: wordsOf(term, second.terms[at]),
    first: term.share,
    second: second.terms[at]?.share ?? 0,
  }));
  const out = all.filter((row) => !weak.includes(row.id));
  const others = weakTerms({ ...first, weak_features: weak });
  if (others.count) out.push({ id: -1, name: others.label, words: "", first: others.share, second: weakTerms({ ...second, weak_features: weak }).share });
  return [...out, { id: -2, name: remainder, words: "", first: first.remainder, second: second.remainder }];
}
