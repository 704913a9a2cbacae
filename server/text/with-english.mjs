/**
 * Adds the English texts of the keys that a language does not have yet. All programs use `.other` for missing
 * plural forms, so a language that has `.other` needs no English `.one`. This is JavaScript, because Gradle runs the
 * scripts of the Android app on the machine's Node.
 * @param {Record<string, string>} texts
 * @param {Record<string, string>} english
 * @returns {Record<string, string>}
 */
export function withEnglish(texts, english) {
  const added = Object.entries(english).filter(([key, text]) => {
    const other = key.replace(/\.one$/, '.other');
    if (other === key || english[other] === undefined) return !(key in texts);
    // Some languages also use `.one` for numbers such as 21, so without the number it would be wrong.
    return !(key in texts) && !(other in texts) && text.includes('{n}');
  });
  return { ...Object.fromEntries(added), ...texts };
}
