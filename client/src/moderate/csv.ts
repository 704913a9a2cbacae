/**
 * Programs for tables take cells that begin so for formulas, some of them after blanks, or with signs of full width. In
 * some countries `;` separates cells: there a cell of this table becomes several, and its quotes stand within these, or begin
 * one and are left out.
 */
const FORMULA = /^(?=[\t\r\n])|(?<![^;\t\r\n])(?=(?:"|[^\S\t\r\n])*[=+\-@＝＋－＠])/g;

/** The table as RFC 4180 has it. */
export function csvOf(rows: readonly (readonly string[])[]): string {
  return rows.map((row) => `${row.map(cell).join(',')}\r\n`).join('');
}

function cell(text: string): string {
  const safe = text.replaceAll(FORMULA, "'");
  return /[",;\t\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Saves the table as a file of that name. */
export function saveTable(rows: readonly (readonly string[])[], name: string): void {
  // The mark at the beginning says that it is UTF-8.
  const url = URL.createObjectURL(new Blob(['\ufeff', csvOf(rows)], { type: 'text/csv;charset=utf-8' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The browser has begun to save it by then.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
