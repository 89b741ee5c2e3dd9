import type { Explanation, Move, Term } from "../src/lib/client";

export function term(id: number, share: number, more: Partial<Term> = {}): Term {
  return { kind: "feature", feature_id: id, label: `label ${id}`, share, ...more } as Term;
}

export function explanation(terms: Term[], more: Partial<Explanation> = {}): Explanation {
  const [bias, remainder] = [more.bias ?? 0, more.remainder ?? 0];
  const score = bias + remainder + terms.reduce((sum, one) => sum + one.share, 0);
  return { mode: "dense", terms, bias, remainder, score, weak_features: [], notes: [], ...more } as Explanation;
}

export function move(doc_id: string, before_rank: number, rank: number): Move {
  return { doc_id, title: `title of ${doc_id}`, rank, before_rank, score: 1 / rank, before_score: 1 / before_rank };
}
