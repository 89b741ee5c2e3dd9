import type { Explanation, Level, Term, TextEvidence } from "./client";
import { info } from "./state.svelte";

export type Piece = { id: number; name: string; words: string; share: number; kind: "feature" | "word" | "other" | "bias" | "remainder" };

// The parts of a score, in the order in which they are drawn: terms by share, then what belongs to none.
export function pieces(explanation: Explanation): Piece[] {
  const out: Piece[] = strongTerms(explanation).map((term) => ({ id: term.feature_id ?? -1, name: shownName(term), words: wordsOf(term), share: term.share, kind: term.kind }));
  const weak = weakTerms(explanation);
  const words = { weak: explanation.part_words?.weak_features, remainder: explanation.part_words?.remainder };
  if (weak.count) out.push({ id: -1, name: weak.label, words: wordsOf({ words: words.weak }), share: weak.share, kind: "other" });
  for (const kind of ["bias", "remainder"] as const)
    if (explanation[kind]) out.push({ id: -1, name: info.words[kind] ?? kind, words: kind === "bias" ? "" : wordsOf({ words: words.remainder }), share: explanation[kind], kind });
  return out;
}

// How far the parts of these scores reach to either side of zero.
export function extent(explanations: Explanation[]): { minus: number; plus: number } {
  const reach = (sign: number) => explanations.map((one) => pieces(one).reduce((sum, piece) => sum + Math.max(0, sign * piece.share), 0));
  return { minus: Math.max(0, ...reach(-1)), plus: Math.max(0, ...reach(1)) };
}

// A feature's label, or its number; for twins without labels, all their numbers, because they have one share.
export function nameOf(f: { feature_id: number | null; label: string | null; twins?: number[] }): string {
  return f.label ?? [f.feature_id, ...(f.twins ?? [])].map((id) => `feature ${id}`).join(" / ");
}

// Marks of names that one text or neither contains, and of a word in place of a name; `info.words` has their meanings.
export function markOf(term: Term): "query" | "document" | "neither" | "word" | null {
  const word = term.words?.shared && (term.label || term.corpus_words?.length);
  const named = term.name_here || (term.label && term.label_holds !== false);
  if (term.kind === "word") return null;
  if (word && (!named || term.name_in === "neither")) return "word";
  return named && term.name_in && term.name_in !== "both" ? term.name_in : null;
}

// The feature's name for these texts, or the label where it applies, or a word of both texts, with its mark; otherwise
// "unnamed", with the corpus's words for the feature, or those of this pair unless they are shown beside it.
export function shownName(term: Term, alone = true, marked = true): string {
  const mark = markOf(term);
  if (mark === "word") return `${term.words?.shared} (word)`;
  const after = mark && marked ? ` (${mark})` : "";
  if (term.name_here) return term.name_here + after;
  if (term.kind === "word" || (term.label && term.label_holds !== false)) return nameOf(term) + after;
  if (term.corpus_words?.length) return `unnamed: ${term.corpus_words.join(", ")}`;
  return alone && term.words ? `(unnamed) ${wordsOf(term)}` : `${nameOf({ ...term, label: null })} (unnamed)`;
}

// The terms with a line of their own.
export function strongTerms(explanation: Explanation): Term[] {
  return explanation.terms.filter((term) => !explanation.weak_features.includes(term.feature_id ?? -1));
}

// All other terms as one line.
export function weakTerms(explanation: Explanation): { count: number; share: number; label: string } {
  const weak = explanation.terms.filter((term) => explanation.weak_features.includes(term.feature_id ?? -1));
  const count = weak.length + (explanation.other_terms?.count ?? 0);
  const share = weak.reduce((sum, term) => sum + term.share, explanation.other_terms?.share ?? 0);
  return { count, share, label: weak.length ? `weak features (${count})` : (explanation.other_terms?.label ?? "") };
}

const LEAST = 0.05; // |score - bias| below which a fraction of it means nothing

// How much of a score without its bias the features explain, from 0 to 1. Parts that exceed the score count like those that
// fall short of it. Null: the score is too close to the bias.
export function explainedFraction(explanation: Explanation): number | null {
  const whole = Math.abs(explanation.score - explanation.bias);
  return whole < LEAST ? null : Math.max(0, 1 - Math.abs(explanation.remainder) / whole);
}

// What that means, with the server's words; they are sorted, best first.
export function levelOf(explanation: Explanation, levels: Level[]): { level: Level; place: number; fraction: number } | null {
  const fraction = explainedFraction(explanation);
  if (fraction === null) return null;
  const place = levels.findIndex((level) => fraction >= level.least);
  const level = levels[place];
  return level ? { level, place, fraction } : null;
}

export type Step = { from: number; to: number };

// Shares as a running sum from 0, with its lowest and highest point.
export function waterfall(shares: number[]): { steps: Step[]; low: number; high: number } {
  let sum = 0;
  const steps = shares.map((share) => ({ from: sum, to: (sum += share) }));
  const points = [0, ...steps.map((step) => step.to)];
  return { steps, low: Math.min(...points), high: Math.max(...points) };
}

// Where a step is drawn, in percent of the width.
export function placed(step: Step, low: number, high: number): { left: number; width: number } {
  const whole = Math.max(1e-9, high - low);
  return { left: (100 * (Math.min(step.from, step.to) - low)) / whole, width: (100 * Math.abs(step.to - step.from)) / whole };
}

// The words of both texts that carry a line's share.
export function wordsOf(term: Pick<Term, "words">, ...others: (Term | undefined)[]): string {
  if (!term.words) return "";
  const documents = [term, ...others].map((one) => one?.words?.document.join(", ") || "–");
  const query = term.words.query.join(", ") || "–";
  return documents.some((words) => words !== "–") ? `${query} ↔ ${documents.join(" / ")}` : query;
}

// The meanings of the marks in these lines.
export function marksOf(terms: Term[]): string[] {
  return [...new Set(terms.map(markOf))].flatMap((mark) => (mark ? [info.words[mark] ?? mark] : []));
}

// What the words beside a line carry.
export function wordsNote(term: Term): string {
  const stored = term.words?.of_activation ?? [];
  const where = "in the query ↔ in the document";
  return stored.length ? `${where}; of the ${stored.join(" and the ")}: words that carry the feature's activation, not this share` : `the words that carry this share: ${where}`;
}

// The feature whose words are marked: the one under the pointer, otherwise the first with a line of its own.
export function markedTerm(explanation: Explanation | null, lit: number): Term | undefined {
  if (!explanation) return undefined;
  return explanation.terms.find((term) => term.feature_id === lit) ?? strongTerms(explanation)[0] ?? explanation.terms[0];
}

// Before and after the name of that feature.
export const WORDS_BEHIND = ["Words behind ", "; hover over another line to see its words."];

export function signed(value: number, digits = 3): string {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(digits)}`;
}

export type Run = { text: string; weight: number; read: boolean };

// A text split into the spans of its evidence, each with its part of the share relative to the largest.
export function runs(text: string, found: TextEvidence | undefined, readTo: number | null | undefined): Run[] {
  const end = readTo ?? text.length;
  const spans = found ? (found.tokens ?? found.sentences) : [];
  const most = Math.max(1e-9, ...spans.map((span) => Math.abs(span.share)));
  const points = toUtf16(text);
  const out: Run[] = [];
  let at = 0;
  for (const span of spans) {
    if (span.start < at) continue;
    if (span.start > at) out.push({ text: slice(points, text, at, span.start), weight: 0, read: at < end });
    out.push({ text: slice(points, text, span.start, span.end), weight: span.share / most, read: true });
    at = span.end;
  }
  if (at < end) out.push({ text: slice(points, text, at, end), weight: 0, read: true });
  if (end < length(points, text)) out.push({ text: slice(points, text, Math.max(at, end), length(points, text)), weight: 0, read: false });
  return out.filter((run) => run.text);
}

// Offsets count characters; strings here count 16-bit units.
function toUtf16(text: string): number[] | null {
  if (!/[\ud800-\udfff]/.test(text)) return null;
  const out = [0];
  for (const character of text) out.push((out[out.length - 1] ?? 0) + character.length);
  return out;
}

function slice(points: number[] | null, text: string, start: number, end: number): string {
  return points ? text.slice(points[start] ?? text.length, points[end] ?? text.length) : text.slice(start, end);
}

function length(points: number[] | null, text: string): number {
  return points ? points.length - 1 : text.length;
}

export async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

export function download(name: string, content: string, type: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
