import type { Breakdown, Evidence, Explanation } from "./client";

export type Piece = { id: number; name: string; share: number; kind: "feature" | "word" | "other" | "bias" | "remainder" };

// The parts of a score, in the order in which they are drawn: features by share, then what is nobody's.
export function pieces(explanation: Explanation | Breakdown): Piece[] {
  const out: Piece[] = [];
  if ("parts" in explanation) {
    for (const part of explanation.parts)
      out.push({ id: part.feature_id ?? -1, name: part.name, share: part.share, kind: part.kind });
    if (explanation.other_parts && explanation.other_parts.count > 0)
      out.push({ id: -1, name: `${explanation.other_parts.count} more`, share: explanation.other_parts.share, kind: "other" });
  } else {
    for (const f of explanation.feature_explanations)
      out.push({ id: f.feature_id, name: nameOf(f), share: f.share, kind: "feature" });
    if (explanation.other_features && explanation.other_features.count > 0)
      out.push({ id: -1, name: `${explanation.other_features.count} more features`, share: explanation.other_features.share, kind: "other" });
  }
  if (explanation.bias) out.push({ id: -1, name: "bias: any document of this kind", share: explanation.bias, kind: "bias" });
  if (explanation.remainder) out.push({ id: -1, name: "remainder: not explained", share: explanation.remainder, kind: "remainder" });
  return out;
}

// A feature's name; of twins that nobody named, all of them, for their share is one.
export function nameOf(f: { feature_id: number; hypothesis: string | null; twins?: number[] }): string {
  return f.hypothesis ?? [f.feature_id, ...(f.twins ?? [])].map((id) => `feature ${id}`).join(" / ");
}

// One colour a feature, the same wherever it turns up.
export function hue(feature: number): number {
  return (feature * 137.508) % 360;
}

export function signed(value: number, digits = 3): string {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(digits)}`;
}

export type Run = { text: string; weight: number; read: boolean };

// A text cut where its evidence says: each run with its part of the share, over the largest.
export function runs(text: string, evidence: Evidence | undefined, feature: number, side: "document" | "query"): Run[] {
  const found = evidence?.features.find((one) => one.feature_id === feature)?.[side];
  const end = (side === "document" ? evidence?.document_read_to : evidence?.query_read_to) ?? text.length;
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
  for (const letter of text) out.push((out[out.length - 1] ?? 0) + letter.length);
  return out;
}

function slice(points: number[] | null, text: string, start: number, end: number): string {
  return points ? text.slice(points[start] ?? text.length, points[end] ?? text.length) : text.slice(start, end);
}

function length(points: number[] | null, text: string): number {
  return points ? points.length - 1 : text.length;
}

// What the encoder could not read of a text; most texts have nothing of it. Counts that are null were not taken.
export function unreadNotes(what: string, tokens: number | null, unknown: number | null, unread: number): string[] {
  const out: string[] = [];
  if (tokens === 0) out.push(`The encoder can read nothing of the ${what}: this score says nothing about it.`);
  else if (tokens && unknown) {
    const counted = `${unknown.toLocaleString()} of ${tokens.toLocaleString()} tokens`;
    if (unknown * 2 >= tokens)
      out.push(`${unknown === tokens ? "All" : "Most"} of the ${what} is unknown to the encoder (${counted}): this score says little about it.`);
    else out.push(`${counted} of the ${what} ${unknown === 1 ? "is" : "are"} unknown to the encoder.`);
  }
  if (unread) out.push(`The last ${unread.toLocaleString()} tokens of the ${what} lie past the encoder's limit and had no part in the score.`);
  return out;
}

export function unreadOf(explanation: Explanation): string[] {
  const { read_tokens: read, unknown_tokens: unknown, unread_tokens: unread } = explanation;
  return [
    ...unreadNotes("query", read.query, unknown.query, unread.query),
    ...unreadNotes("document", read.document, unknown.document, unread.document),
  ];
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
