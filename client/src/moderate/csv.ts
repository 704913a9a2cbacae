/**
 * The positions at which a spreadsheet would read a formula. Some programs also accept blanks before a formula, or
 * full-width signs. Programs in some countries separate cells by `;`. They split a cell of this table at each `;`, and
 * keep or remove quotes at the start of each part.
 */
const FORMULA = /^(?=[\t\r\n])|(?<![^;\t\r\n])(?=(?:"|[^\S\t\r\n])*[=+\-@＝＋－＠])/g;

/** Returns the table as CSV (RFC 4180). */
export function csvOf(rows: readonly (readonly string[])[]): string {
  return rows.map((row) => `${row.map(cell).join(',')}\r\n`).join('');
}

function cell(text: string): string {
  const safe = text.replaceAll(FORMULA, "'");
  return /[",;\t\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function saveTable(rows: readonly (readonly string[])[], name: string): void {
  // The byte order mark identifies the file as UTF-8.
  const url = URL.createObjectURL(new Blob(['\ufeff', csvOf(rows)], { type: 'text/csv;charset=utf-8' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // By this time the browser has started to save the file.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
