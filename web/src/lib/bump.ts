// Two rankings of one query side by side, and where each document went.
import type { Move, SteeredRanking } from "./client";

export type Place = { move: Move; place: number };
export type Bump = { before: Place[]; after: Place[]; lines: { move: Move; from: number; to: number }[] };

// Both columns have the hits by rank, then the documents that are hits only on the other side.
export function bump(ranking: SteeredRanking, k = 10): Bump {
  const all = [...ranking.hits, ...ranking.hits_lost];
  const before = column(all, (move) => move.before_rank);
  const after = column(all, (move) => move.rank);
  const to = new Map(after.map((one) => [one.move, one.place]));
  const lines = before.map((one) => ({ move: one.move, from: one.place, to: to.get(one.move) ?? k }));
  return { before, after, lines };
}

function column(moves: Move[], rank: (move: Move) => number): Place[] {
  return [...moves].sort((a, b) => rank(a) - rank(b)).map((move, place) => ({ move, place }));
}

// The same in a sentence, for those who do not see the chart.
export function inWords(ranking: SteeredRanking): string {
  const moved = ranking.hits.filter((move) => move.rank !== move.before_rank).length;
  const lost = ranking.hits_lost.map((move) => `${move.title.trim() || move.doc_id} fell to rank ${move.rank}`);
  if (!moved && !lost.length) return "Steering moves none of the hits.";
  return [`${moved} of ${ranking.hits.length} hits moved`, ...lost].join("; ") + ".";
}
