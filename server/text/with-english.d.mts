export function withEnglish(
  texts: Readonly<Record<string, string>>,
  english: Readonly<Record<string, string>>,
): Record<string, string>;
