// Tables as files.
export type Cell = string | number | null | undefined;
export type Row = Record<string, Cell>;

// Comma-separated values. Spreadsheets run cells that begin with = + - @ as formulas: such texts get an apostrophe.
export function csv(rows: Row[]): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const lines = [columns, ...rows.map((row) => columns.map((column) => row[column]))];
  return lines.map((cells) => cells.map(quoted).join(",") + "\r\n").join("");
}

function quoted(cell: Cell): string {
  if (cell === null || cell === undefined) return "";
  if (typeof cell === "number") return String(cell);
  const text = /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

// Judged hits in the format of trec_eval: query, 0, document, grade. Ids with spaces do not fit in it.
export function qrels(query: string, good: string[], bad: string[]): string {
  const lines = [...good.map((id) => [id, 1] as const), ...bad.map((id) => [id, 0] as const)];
  return lines.filter(([id]) => !/\s/.test(id)).map(([id, grade]) => `${query} 0 ${id} ${grade}\n`).join("");
}
